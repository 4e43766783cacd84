"""Words for what is not here: packages, other programs, the network. They name the way out."""
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys

NO_NETWORK = 'there is no network here: put the data into the working directory'
NO_PROGRAMS = 'no other programs can be started here: use Python (shutil, glob, pathlib, zipfile … instead of shell commands)'

# What people ask for: what there is instead, as modules (those that this image lacks are not named) or in words.
INSTEAD = {
    'cv2 skimage imageio mahotas': 'PIL scipy.ndimage numpy',
    'torch tensorflow keras jax flax torchvision pytorch_lightning theano mxnet': 'sklearn.neural_network sklearn numpy',
    'xgboost lightgbm catboost': 'sklearn.ensemble',
    'cupy numba cython numexpr bottleneck': 'numpy',
    'polars dask modin vaex cudf pyspark datatable ray': 'pandas',
    'duckdb sqlalchemy psycopg2 pymysql mysql pymongo redis pyodbc ibis peewee': 'sqlite3 pandas',
    'pyarrow fastparquet': 'fastparquet pandas',
    'h5py tables netCDF4 zarr': 'numpy pandas',
    'requests httpx aiohttp urllib3 wget websocket websockets paramiko boto3 botocore google openai anthropic yfinance pandas_datareader kaggle gdown '
    'selenium playwright scrapy mechanize praw tweepy': '!' + NO_NETWORK,
    'flask fastapi django streamlit dash gradio tornado uvicorn starlette bottle panel': '!a server cannot run here; figures and tables are shown as they are',
    'tkinter turtle PyQt5 PyQt6 PySide6 wx kivy pygame pyglet vtk mayavi pyvista': '!there are no windows here: draw with matplotlib',
    'pymc pymc3 pystan cmdstanpy emcee arviz': 'statsmodels scipy.stats',
    'prophet pmdarima arch sktime darts neuralprophet': 'statsmodels.tsa',
    'nltk spacy gensim transformers textblob sentence_transformers flair stanza': 'sklearn.feature_extraction.text re collections',
    'fitz pymupdf pdfplumber pdfminer PyPDF2 PyPDF4 camelot tabula pikepdf': 'pypdf',
    'weasyprint pdfkit xhtml2pdf borb': 'reportlab fpdf',
    'geopandas cartopy fiona basemap shapely pyproj rasterio geopy osmnx': 'plotly.express matplotlib',
    'pytesseract easyocr paddleocr': '!text in pictures cannot be read here',
    'moviepy ffmpeg pydub librosa soundfile imageio_ffmpeg audioread torchaudio': 'glovebox.media wave scipy.io.wavfile',
    'graphviz pygraphviz pydot igraph': 'networkx matplotlib',
    'kaleido orca plotly_express': '!plotly writes pages here (fig.write_html); for pictures draw with matplotlib',
    'ipywidgets anywidget jupyter_dash': 'IPython.display plotly',
    'psutil resource': '!there is one process here and nothing else to measure',
    'win32com xlwings pythoncom pywintypes comtypes': 'openpyxl docx pptx',
    'pyxlsb calamine python_calamine': 'openpyxl xlrd',
    'orjson ujson simplejson rapidjson msgpack': 'json',
    'ruamel': 'yaml',
    'rapidfuzz fuzzywuzzy thefuzz Levenshtein jellyfish textdistance': 'difflib',
    'loguru structlog colorlog': 'logging',
    'typer fire docopt': 'click argparse',
    'pytest nose hypothesis': 'unittest',
    'cvxpy pulp ortools gurobipy pyomo cvxopt': 'scipy.optimize',
    'hdbscan umap kmodes': 'sklearn.cluster sklearn.manifold',
    'plotnine ggplot holoviews hvplot pyecharts pygal': 'seaborn plotly altair bokeh',
    'docx2txt docx2pdf pandoc pypandoc': 'docx',
    'ydata_profiling pandas_profiling sweetviz dtale pandasgui': 'pandas missingno',
    'cryptography Crypto nacl': 'hashlib hmac secrets',
    'fcntl pwd grp termios msvcrt winreg syslog': '!it belongs to an operating system that is not here',
}


def present(module):
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def instead_of(name):
    """What there is in the place of a module or package, in words, or ''."""
    top = re.split(r'[.\[<>=!~; ]', name, maxsplit=1)[0].replace('-', '_')
    for names, instead in INSTEAD.items():
        if top in names.split():
            if instead.startswith('!'):
                return instead[1:]
            there = [module for module in instead.split() if module.partition('.')[0] != top and present(module)]
            return 'there is ' + ', '.join(there) if there else ''
    return ''


def has_package(package):
    """Whether a package, by its name for pip or for import, is part of this Python."""
    name = re.split(r'[\[<>=!~;@ ]', package, maxsplit=1)[0]
    try:
        importlib.metadata.distribution(name)
        return True
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return bool(name) and present(name.replace('-', '_'))


def install(packages):
    """(what is there, what `pip install` says of the rest or '')."""
    there = [package for package in packages if has_package(package)]
    missing = [package for package in packages if package not in there]
    if not missing:
        return there, ''
    words = [f'{name}: {instead}' for name in missing if (instead := instead_of(name))]
    return there, 'packages cannot be installed here, and %s %s not part of this Python%s' % (
        ', '.join(missing), 'is' if len(missing) == 1 else 'are', ''.join(' (%s)' % w for w in words))


def told(words):
    """What `pip list`, `pip freeze` and `pip show` print; '' for other commands."""
    command = next((word for word in words if word in ('install', 'list', 'freeze', 'show')), '')
    versions = {d.metadata['Name']: d.version for d in importlib.metadata.distributions()} if command not in ('', 'install') else {}
    names = sorted(versions, key=str.lower)
    if command == 'list':
        width = max(map(len, names))
        rows = [('Package', 'Version'), ('-' * width, '-' * 12), *((name, versions[name]) for name in names)]
        return ''.join('%-*s %s\n' % (width, *row) for row in rows)
    if command == 'freeze':
        return ''.join('%s==%s\n' % (name, versions[name]) for name in names)
    wanted = {re.sub(r'[-_.]+', '-', word).lower() for word in words[words.index(command) + 1:]} if command else ()
    return '---\n'.join('Name: %s\nVersion: %s\n' % (name, versions[name]) for name in names
                        if re.sub(r'[-_.]+', '-', name).lower() in wanted)


def annotate(error):
    """Add a note to an uncaught error that has its cause in this place rather than in the program."""
    note = ''
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition('.')[0]
        if top not in sys.modules and not present(top):
            instead = instead_of(error.name)
            note = '%s is not part of this Python, and packages cannot be installed here%s' % (top, '; ' + instead if instead else '')
    elif isinstance(error, EOFError) and str(error) == 'EOF when reading a line':
        note = "input() reads the run's standard input, which is empty or used up: give the run its input, or set the value in the program"
    elif isinstance(error, AttributeError) and getattr(error.obj, '__name__', '') in ('os', 'posix', 'signal'):
        if error.name in ('fork', 'forkpty', 'kill', 'killpg', 'waitpid', 'wait', 'pipe', 'execv', 'execvp', 'posix_spawn', 'alarm', 'setsid', 'nice'):
            note = 'there is one process here: call the function directly, or use concurrent.futures, which runs tasks one after the other'
    if note:
        error.add_note(note)
