"""FreeType, as a library for matplotlib and Pillow."""
import shutil

NEEDS = ['toolchain', 'zlib']
SOURCES = ['freetype']
PARTS = '''base/ftsystem base/ftinit base/ftdebug base/ftbase base/ftbbox base/ftglyph base/ftbitmap base/ftmm base/ftstroke base/ftsynth
 base/fttype1 base/ftfstype base/ftgasp base/ftpfr base/ftwinfnt base/ftbdf base/ftcid base/ftpatent base/ftotval base/ftgxval
 truetype/truetype type1/type1 cff/cff cid/type1cid pfr/pfr type42/type42 winfonts/winfnt pcf/pcf bdf/bdf sfnt/sfnt autofit/autofit
 pshinter/pshinter raster/raster smooth/smooth psaux/psaux psnames/psnames gzip/ftgzip lzw/ftlzw sdf/sdf svg/svg'''.split()


def build(step):
    source = step.source('freetype')
    flags = ['-DFT2_BUILD_LIBRARY', '-DFT_CONFIG_OPTION_SYSTEM_ZLIB', f'-I{source}/include', f'-I{step.result("zlib")}/include']
    step.library('freetype', step.compile([f'{source}/src/{part}.c' for part in PARTS], flags, 'freetype'))
    shutil.copytree(f'{source}/include', f'{step.out}/include')
