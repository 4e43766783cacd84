"""Pillow."""
import glob

NEEDS = ['toolchain', 'cpython', 'zlib', 'freetype', 'codecs', 'images']
SOURCES = ['pillow']
IMAGING = '_imaging decode encode display map outline path'.split()


def build(step):
    source, images, freetype = step.source('pillow'), step.result('images'), step.result('freetype')
    flags = ['-DNDEBUG', '-DHAVE_LIBZ', '-DHAVE_LIBJPEG', '-DHAVE_LIBTIFF', '-DHAVE_UNISTD_H', f'-DPILLOW_VERSION="{step.version("pillow")}"',
             '-D_GNU_SOURCE', f'-I{source}/src/libImaging', f'-I{step.result("zlib")}/include', f'-I{images}/include',
             f'-I{step.result("cpython")}/include/python3.13']
    zlib, webp, jpeg = f'{step.result("zlib")}/lib/libz.a', f'{images}/lib/libwebp.a', f'{images}/lib/libjpeg.a'
    tiff = [f'{images}/lib/libtiff.a', f'{step.result("codecs")}/lib/libzstd.a']
    parts = [f'{source}/src/{name}.c' for name in IMAGING] + sorted(glob.glob(f'{source}/src/libImaging/*.c'))
    objects = step.compile(parts, [*flags, step.init_flag('PIL._imaging')], 'imaging')
    step.module('PIL._imaging', objects, [*tiff, jpeg, webp, zlib])
    for name, headers, libraries in (
            ('PIL._imagingmath', [], []), ('PIL._imagingmorph', [], []), ('PIL._webp', [], [webp]),
            ('PIL._imagingft', [f'-I{freetype}/include'], [f'{freetype}/lib/libfreetype.a'])):
        part = name.removeprefix('PIL.')
        # The same two functions under the same names as in _imaging.
        own = [f'-DImagingSection{end}={part}_ImagingSection{end}' for end in ('Enter', 'Leave')]
        step.module(name, step.compile([f'{source}/src/{part}.c'], [*flags, *own, *headers, step.init_flag(name)], name), libraries)
    step.site('PIL', f'{source}/src/PIL')
    step.metadata('pillow', step.version('pillow'))
