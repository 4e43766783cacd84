"""matplotlib, contourpy and kiwisolver, with qhull and Agg."""
import os

NEEDS = ['toolchain', 'tools', 'cpython', 'numpy', 'freetype']
SOURCES = ['matplotlib', 'contourpy', 'kiwisolver', 'qhull']
FILES = ['recipe/compile/threadshim.h']
QHULL = '''geom2_r geom_r global_r io_r libqhull_r mem_r merge_r poly2_r poly_r qset_r random_r rboxlib_r stat_r user_r usermem_r userprintf_r
 userprintf_rbox_r'''.split()
AGG = 'bezier_arc curves image_filters trans_affine vcgen_contour vcgen_dash vcgen_stroke vpgen_segmentator'.split()
MODULES = {
    'matplotlib.backends._backend_agg': ['_backend_agg.cpp', '_backend_agg_wrapper.cpp'],
    'matplotlib._c_internal_utils': ['_c_internal_utils.cpp'],
    'matplotlib.ft2font': ['ft2font.cpp', 'ft2font_wrapper.cpp'],
    'matplotlib._image': ['_image_wrapper.cpp', 'py_converters.cpp'],
    'matplotlib._path': ['_path_wrapper.cpp'],
    'matplotlib._qhull': ['_qhull_wrapper.cpp'],
    'matplotlib._tri': ['tri/_tri.cpp', 'tri/_tri_wrapper.cpp'],
}
CONTOURPY = '''chunk_local contour_generator converter fill_type line_type mpl2005_original mpl2005 mpl2014 outer_or_hole serial threaded util
 wrap z_interp'''.split()
KIWISOLVER = 'kiwisolver constraint expression solver strength term variable'.split()


def build(step):
    matplotlib, contourpy, kiwisolver, qhull = (step.source(key) for key in SOURCES)
    agg, freetype = f'{matplotlib}/extern/agg24-svn', step.result('freetype')
    python = [f'-I{step.result("cpython")}/include/python3.13']
    headers = [*python, f'-I{step.result("tools")}/site/pybind11/include', f'-I{step.result("tools")}/site/cppy/include',
               f'-I{step.result("numpy")}/include']
    shim = ['-include', step.recipe('compile/threadshim.h'), '-std=c++17', '-fvisibility=hidden', '-DNDEBUG', '-Wno-c++11-narrowing']

    hulls = step.library('qhull_r', step.compile([f'{qhull}/src/libqhull_r/{name}.c' for name in QHULL], [f'-I{qhull}/src'], 'qhull'))
    drawing = step.library('agg', step.compile([f'{agg}/src/agg_{name}.cpp' for name in AGG], [f'-I{agg}/include'], 'agg'))
    flags = [*shim, f'-I{matplotlib}/src', f'-I{agg}/include', f'-I{freetype}/include', f'-I{qhull}/src', *headers,
             '-DFREETYPE_BUILD_TYPE="local"', '-DMPL_DEVNULL=/dev/null']
    parts = [(name, f'{matplotlib}/src/{part}') for name, parts in MODULES.items() for part in parts]
    objects = step.compile([(path, [step.init_flag(name)]) for name, path in parts], flags, 'matplotlib')
    for name in MODULES:
        own = [built for built, (owner, _) in zip(objects, parts) if owner == name]
        step.module(name, own, [drawing, hulls, f'{freetype}/lib/libfreetype.a'])

    name = 'contourpy._contourpy'
    flags = [*shim, f'-I{contourpy}/src', *headers, f'-DCONTOURPY_VERSION="{step.version("contourpy")}"', step.init_flag(name)]
    step.module(name, step.compile([f'{contourpy}/src/{part}.cpp' for part in CONTOURPY], flags, name))
    name = 'kiwisolver._cext'
    flags = [*shim, f'-I{kiwisolver}', f'-I{kiwisolver}/py/src', *headers, step.init_flag(name)]
    step.module(name, step.compile([f'{kiwisolver}/py/src/{part}.cpp' for part in KIWISOLVER], flags, name))

    for path in ('matplotlib', 'mpl_toolkits', 'pylab.py'):
        step.site(path, f'{matplotlib}/lib/{path}', skip=['mpl-data'])
    # zipimport finds no namespace packages.
    step.site_text('mpl_toolkits/__init__.py', '')
    step.site('contourpy', f'{contourpy}/lib/contourpy')
    step.site('kiwisolver', f'{kiwisolver}/py/kiwisolver')
    for key, package in (('matplotlib', 'matplotlib'), ('kiwisolver', 'kiwisolver')):
        version = step.version(key)
        step.site_text(f'{package}/_version.py', f'version = __version__ = {version!r}\nversion_tuple = {tuple(map(int, version.split(".")))}\n')
    edit = os.path.join(step.out, 'site/matplotlib/__init__.py')
    with open(edit) as file:
        text = file.read()
    # The fonts and styles lie beside the library, as files.
    old, new = 'return str(Path(__file__).with_name("mpl-data"))', 'return "/py/mpl-data"'
    if text.count(old) != 1:
        raise ValueError('matplotlib/__init__.py finds its data in another way than expected')
    with open(edit, 'w') as file:
        file.write(text.replace(old, new))
    for key in ('matplotlib', 'contourpy', 'kiwisolver'):
        step.metadata(key, step.version(key))
