"""lxml, with libxml2, libxslt and libexslt."""
import os
import re

from driver.template import fill

NEEDS = ['toolchain', 'cpython']
SOURCES = ['libxml2', 'libxslt', 'lxml']
FILES = ['recipe/driver/template.py']
XML = '''buf chvalid dict encoding entities error globals hash list parser parserInternals SAX2 threads tree uri valid xmlIO xmlmemory xmlstring
 c14n catalog debugXML HTMLparser HTMLtree xmlsave pattern xmlreader xmlregexp relaxng xmlschemas xmlschemastypes schematron xmlwriter
 xinclude xpath xlink xpointer'''.split()
XML_WITH = '''OUTPUT PUSH READER PATTERN WRITER SAX1 VALID HTML C14N CATALOG XPATH XPTR XINCLUDE ICONV DEBUG REGEXPS RELAXNG SCHEMAS
 SCHEMATRON'''.split()
XML_WITHOUT = 'THREADS THREAD_ALLOC HTTP ICU ISO8859X MODULES ZLIB'.split()
XSLT = '''attributes attrvt documents extensions extra functions imports keys namespaces numbers pattern preproc security templates transform
 variables xslt xsltlocale xsltutils'''.split()
EXSLT = 'common crypto date dynamic exslt functions math saxon sets strings'.split()
XSLT_HAS = {f'HAVE_{name}' for name in '''CLOCK_GETTIME GETTIMEOFDAY GMTIME_R INTTYPES_H LOCALE_H LOCALTIME_R SNPRINTF STAT SYS_STAT_H
 SYS_TIME_H SYS_TYPES_H UNISTD_H VSNPRINTF'''.split()}
# What lxml can do in Python stays Python; objectify and etree are what must be compiled.
MODULES = ['etree', 'objectify']


def build(step):
    libxml2, libxslt, lxml = (step.source(key) for key in SOURCES)
    headers = xml(step, libxml2)
    headers = xslt(step, libxslt, headers)
    flags = [f'-I{lxml}/src', f'-I{lxml}/src/lxml/includes', *headers, f'-I{step.result("cpython")}/include/python3.13',
             '-DNDEBUG', '-DWITHOUT_THREADING', '-DCYTHON_CLINE_IN_TRACEBACK=0']
    libraries = [f'{step.out}/lib/lib{name}.a' for name in ('exslt', 'xslt', 'xml2')]
    for name in MODULES:
        module = f'lxml.{name}'
        step.module(module, step.compile([f'{lxml}/src/lxml/{name}.c'], [*flags, step.init_flag(module)], module), libraries)
    step.site('lxml', f'{lxml}/src/lxml', skip=['tests', 'includes'])
    step.metadata('lxml', step.version('lxml'))


def number(version):
    major, minor, micro = map(int, version.split('.'))
    return major * 10000 + minor * 100 + micro


def xml(step, source):
    include, version = f'{step.out}/include', step.version('libxml2')
    os.makedirs(f'{include}/libxml')
    values = {'VERSION': version, 'LIBXML_VERSION_NUMBER': number(version), 'LIBXML_VERSION_EXTRA': '', 'MODULE_EXTENSION': '.so',
              **{f'WITH_{name}': 1 for name in XML_WITH}, **{f'WITH_{name}': 0 for name in XML_WITHOUT}}
    fill(f'{source}/include/libxml/xmlversion.h.in', f'{include}/libxml/xmlversion.h', values)
    own = os.path.join(step.work, 'xml-config')
    os.makedirs(own, exist_ok=True)
    fill(f'{source}/config.h.cmake.in', f'{own}/config.h', {'XML_SYSCONFDIR': '/etc', 'XML_THREAD_LOCAL': ''},
         {'HAVE_STDINT_H': '1', 'HAVE_DECL_GETENTROPY': '1', 'XML_SYSCONFDIR': '"/etc"'})
    # WASI duplicates no descriptors; only the file name `-` asks for it.
    flags = ['-DNDEBUG', '-D_GNU_SOURCE', '-Ddup(fd)=(-1)', f'-I{own}', f'-I{include}', f'-I{source}/include', f'-I{source}']
    step.library('xml2', step.compile([f'{source}/{name}.c' for name in XML], flags, 'xml2'))
    return [f'-I{include}', f'-I{source}/include']


def xslt(step, source, headers):
    include, version = f'{step.out}/include', step.version('libxslt')
    for folder in ('libxslt', 'libexslt'):
        os.makedirs(f'{include}/{folder}')
    with open(f'{source}/configure.ac') as file:
        parts = re.findall(r'\[LIBEXSLT_(?:MAJOR|MINOR|MICRO)_VERSION\],\s*\[?(\d+)', text := file.read()) or re.findall(
            r'LIBEXSLT_(?:MAJOR|MINOR|MICRO)_VERSION=(\d+)', text)
    exslt = '.'.join(parts)
    values = {'VERSION': version, 'LIBXSLT_VERSION_NUMBER': number(version), 'LIBXSLT_VERSION_EXTRA': '', 'WITH_XSLT_DEBUG': 0, 'WITH_TRIO': 0,
              'WITH_DEBUGGER': 0, 'WITH_PROFILER': 1, 'WITH_MODULES': 0, 'LIBXSLT_DEFAULT_PLUGINS_PATH': '', 'LIBEXSLT_VERSION': exslt,
              'LIBEXSLT_VERSION_NUMBER': number(exslt), 'LIBEXSLT_VERSION_EXTRA': '', 'WITH_CRYPTO': 0, 'veillard': '@veillard'}
    fill(f'{source}/libxslt/xsltconfig.h.in', f'{include}/libxslt/xsltconfig.h', values)
    fill(f'{source}/libexslt/exsltconfig.h.in', f'{include}/libexslt/exsltconfig.h', values)
    own = os.path.join(step.work, 'xslt-config')
    os.makedirs(own, exist_ok=True)
    names = {'PACKAGE': 'libxslt', 'VERSION': version, 'MODULE_EXTENSION': '.so', 'LT_OBJDIR': '', 'PACKAGE_BUGREPORT': '', 'PACKAGE_NAME': '',
             'PACKAGE_STRING': '', 'PACKAGE_TARNAME': '', 'PACKAGE_URL': '', 'PACKAGE_VERSION': version}
    fill(f'{source}/config.h.cmake.in', f'{own}/config.h', names, XSLT_HAS)
    headers = [f'-I{include}', *headers, f'-I{source}']
    flags = ['-DNDEBUG', '-D_GNU_SOURCE', '-DHAVE_CONFIG_H', f'-I{own}', *headers]
    step.library('xslt', step.compile([f'{source}/libxslt/{name}.c' for name in XSLT], flags, 'xslt'))
    step.library('exslt', step.compile([f'{source}/libexslt/{name}.c' for name in EXSLT], flags, 'exslt'))
    return headers
