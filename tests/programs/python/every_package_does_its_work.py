"""Each package that the image lists is imported and used once."""
import importlib.util
import io
import os
import traceback

failed = []


def has(name):
    """Whether a compiled part is in this build of the image: lxml and others come with steps of their own."""
    return importlib.util.find_spec(name) is not None


def check(work):
    try:
        work()
    except Exception:
        failed.append(work.__name__)
        traceback.print_exc(limit=-3)
    return work


@check
def xlrd():
    import pandas as pd
    import xlrd
    assert xlrd.__version__ and xlrd.open_workbook
    try:
        pd.read_excel(io.BytesIO(b'\xd0\xcf\x11\xe0' + b'\0' * 600), engine='xlrd')
    except xlrd.XLRDError:
        pass


@check
def odf():
    import pandas as pd
    frame = pd.DataFrame({'a': [1, 2], 'b': ['x', 'é']})
    frame.to_excel('t.ods', index=False)
    assert pd.read_excel('t.ods').equals(frame)
    os.remove('t.ods')


@check
def plotly():
    import plotly.express as px
    import plotly.graph_objects as go
    figure = px.bar(px.data.tips(), x='day', y='total_bill', color='sex')
    assert 'Plotly.newPlot' in figure.to_html() and len(figure.to_html()) > 3_000_000
    try:
        go.Bar(colour=1)
    except ValueError as error:
        assert 'marker' in str(error)


@check
def altair():
    import altair as alt
    import pandas as pd
    chart = alt.Chart(pd.DataFrame({'a': [1, 2]})).mark_bar().encode(x='a:Q')
    assert chart.to_dict()['mark']['type'] == 'bar'
    try:
        alt.Chart('x').mark_bar(colour=1).to_dict()
    except alt.utils.schemapi.SchemaValidationError:
        pass
    else:
        raise AssertionError('not validated')


@check
def jsonschema():
    import jsonschema
    jsonschema.validate([1], {'type': 'array', 'items': {'$ref': '#/$defs/n'}, '$defs': {'n': {'type': 'integer'}}})
    try:
        jsonschema.validate('x', {'type': 'integer'})
    except jsonschema.ValidationError:
        return
    raise AssertionError('not validated')


@check
def bokeh():
    from bokeh.embed import file_html
    from bokeh.plotting import figure, output_file, save
    from bokeh.resources import CDN, INLINE
    p = figure(title='t')
    p.line([1, 2, 3], [3, 1, 2])
    assert 'cdn.bokeh.org' in file_html(p, CDN) and len(file_html(p, INLINE)) > 500_000
    output_file('t.html')
    save(p)
    os.remove('t.html')


@check
def networkx():
    if not has('_bz2'):
        return
    import matplotlib.pyplot as plt
    import networkx as nx
    graph = nx.karate_club_graph()
    assert nx.shortest_path_length(graph, 0, 33) == 2 and round(nx.pagerank(graph)[0], 3) == 0.089 if has('scipy') else True
    nx.draw(graph, pos=nx.circular_layout(graph))
    plt.close()


@check
def sympy():
    import sympy as sp
    x = sp.symbols('x')
    assert sp.integrate(sp.sin(x) ** 2, (x, 0, sp.pi)) == sp.pi / 2
    assert sp.solve(x**2 - 2, x) == [-sp.sqrt(2), sp.sqrt(2)] and sp.lambdify(x, sp.exp(x), 'numpy')(0) == 1
    assert sp.latex(sp.Rational(1, 2)) == r'\frac{1}{2}'


@check
def mpmath():
    import mpmath
    mpmath.mp.dps = 40
    assert str(mpmath.zeta(3)).startswith('1.2020569031595942853997381615114499907')


@check
def beautifulsoup4():
    from bs4 import BeautifulSoup
    for parser in ('html.parser', 'html5lib'):
        page = BeautifulSoup('<table><tr><td class=a>1<td>2</table>', parser)
        assert [cell.text for cell in page.select('td')][-1] == '2' and page.find(class_='a')


@check
def html_tables():
    import pandas as pd
    assert pd.read_html(io.StringIO('<table><tr><th>a<tr><td>5</table>'), flavor='bs4')[0]['a'][0] == 5


@check
def yaml():
    import yaml
    assert yaml.safe_load(yaml.safe_dump({'a': [1, {'b': None}]})) == {'a': [1, {'b': None}]}


@check
def docx():
    if has('lxml'):
        import docx
        document = docx.Document()
        document.add_paragraph('words')
        document.save('t.docx')
        assert docx.Document('t.docx').paragraphs[0].text == 'words'
        os.remove('t.docx')


@check
def pptx():
    if has('lxml'):
        import pptx
        slides = pptx.Presentation()
        slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = 'words'
        slides.save(io.BytesIO())


@check
def reportlab_and_pypdf():
    from pypdf import PdfReader, PdfWriter
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Table
    file = io.BytesIO()
    SimpleDocTemplate(file).build([Paragraph('Some words', getSampleStyleSheet()['Title']), Table([[1, 2]])])
    reader = PdfReader(file)
    assert 'Some words' in reader.pages[0].extract_text()
    writer = PdfWriter()
    writer.append(reader)
    writer.encrypt('secret', algorithm='RC4-128')
    writer.write(io.BytesIO())


@check
def fpdf():
    from fpdf import FPDF
    document = FPDF()
    document.add_page()
    document.set_font('Helvetica', size=12)
    document.cell(text='words')
    assert document.output()[:4] == b'%PDF'


@check
def pictures():
    import barcode
    import matplotlib.pyplot as plt
    import qrcode
    import squarify
    from barcode.writer import ImageWriter
    from wordcloud import WordCloud
    assert qrcode.make('words').get_image().size[0] > 100
    squarify.plot([3, 2, 1], label=['a', 'b', 'c'])
    plt.close()
    if not has('PIL._imagingft'):
        return
    barcode.get('code128', 'ABC', writer=ImageWriter()).write(io.BytesIO())
    cloud = WordCloud(width=120, height=80, random_state=1).generate('many words and many more words in a cloud')
    assert cloud.to_array().shape == (80, 120, 3) and 'words' in cloud.words_


@check
def missingno():
    if not has('scipy'):
        return
    import matplotlib.pyplot as plt
    import missingno
    import pandas as pd
    missingno.matrix(pd.DataFrame({'a': [1, None], 'b': [1, 2]}))
    plt.close('all')


@check
def discrete_events():
    import lark
    import simpy
    import xarray

    def waiting(environment):
        yield environment.timeout(5)
    environment = simpy.Environment()
    environment.process(waiting(environment))
    environment.run()
    assert environment.now == 5 and lark.Lark('start: "a"').parse('a').data == 'start'
    assert float(xarray.DataArray([[1, 2], [3, 4]], dims=('x', 'y')).sum('x')[1]) == 6


@check
def terminal():
    import click
    import colorama
    import ftfy
    import prettytable
    import termcolor
    import wcwidth
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.syntax import Syntax
    from rich.table import Table
    from tqdm import tqdm
    from tqdm.auto import tqdm as other
    assert sum(tqdm([1, 2], file=io.StringIO())) == 3 and other
    table = Table('a', 'b')
    table.add_row('1', '[red]2[/]')
    out = io.StringIO()
    console = Console(file=out, width=60)
    for part in (table, Markdown('# t\n* x'), Syntax('x = 1', 'python')):
        console.print(part)
    assert '│' in out.getvalue()
    words = prettytable.PrettyTable(['a'])
    words.add_row([1])
    assert '| 1 |' in str(words) and wcwidth.wcswidth('漢字') == 4 and ftfy.fix_text('Ã©') == 'é'
    assert termcolor.colored('a', 'red') and colorama.Fore.RED and click.command


@check
def texts():
    import charset_normalizer
    import defusedxml.ElementTree
    import html5lib
    import markdown
    import pygments.formatters
    import pygments.lexers
    import tomli_w
    import tomlkit
    import xmltodict
    assert charset_normalizer.from_bytes('Größe über alles, schöne Grüße'.encode('cp1252')).best() is not None
    assert markdown.markdown('# a\n\n|x|\n|-|\n|1|', extensions=['tables']).startswith('<h1>a</h1>')
    assert '<span' in pygments.highlight('x = 1', pygments.lexers.get_lexer_by_name('sql'), pygments.formatters.HtmlFormatter())
    assert tomli_w.dumps({'a': 1}) == 'a = 1\n' and tomlkit.parse('a = 1 # c')['a'] == 1
    assert xmltodict.parse('<a><b>1</b></a>') == {'a': {'b': '1'}}
    assert defusedxml.ElementTree.fromstring('<a/>').tag == 'a' and html5lib.parse('<p>a') is not None


@check
def things():
    import attrs
    import cachetools
    import cloudpickle
    import humanize
    import more_itertools
    import narwhals
    import pickle
    import pint
    import pydantic
    import sortedcontainers
    import toolz
    import typing_extensions
    import tzlocal
    import uncertainties
    Point = attrs.make_class('Point', ['x'])
    assert Point(1) == Point(1) and attrs.asdict(Point(2)) == {'x': 2}
    assert cachetools.LRUCache(2).maxsize == 2 and pickle.loads(cloudpickle.dumps(lambda: 5))() == 5
    assert humanize.naturalsize(10**6) == '1.0 MB' and list(more_itertools.chunked([1, 2, 3], 2)) == [[1, 2], [3]]
    assert (3 * pint.UnitRegistry().metre).to('cm').magnitude == 300 and narwhals.__version__

    class Person(pydantic.BaseModel):
        age: int
    assert Person(age='3').age == 3
    try:
        Person(age='x')
    except pydantic.ValidationError:
        pass
    assert list(sortedcontainers.SortedList([2, 1])) == [1, 2] and toolz.frequencies('aab') == {'a': 2, 'b': 1}
    assert typing_extensions.TypedDict and str(tzlocal.get_localzone()) and f'{uncertainties.ufloat(1, 0.1) * 2}' == '2.00+/-0.20'


print('failed:', failed)
