"""The packages regex and PyYAML, the latter with its compiled part over libyaml."""

NEEDS = ['toolchain', 'tools', 'cpython']
SOURCES = ['regex', 'pyyaml', 'libyaml']
YAML = 'api dumper emitter loader parser reader scanner writer'.split()


def build(step):
    regex, pyyaml, libyaml = (step.source(key) for key in SOURCES)
    headers = ['-DNDEBUG', f'-I{step.result("cpython")}/include/python3.13']

    name = 'regex._regex'
    step.module(name, step.compile([f'{regex}/src/_regex.c', f'{regex}/src/_regex_unicode.c'], [*headers, step.init_flag(name)], name))
    step.site('regex', f'{regex}/regex', skip=['tests'])
    step.metadata('regex', step.version('regex'))

    major, minor, patch = step.version('libyaml').split('.')
    flags = [f'-DYAML_VERSION_MAJOR={major}', f'-DYAML_VERSION_MINOR={minor}', f'-DYAML_VERSION_PATCH={patch}',
             f'-DYAML_VERSION_STRING="{step.version("libyaml")}"', f'-I{libyaml}/include']
    library = step.library('yaml', step.compile([f'{libyaml}/src/{part}.c' for part in YAML], ['-DNDEBUG', *flags], 'libyaml'))
    name, generated = 'yaml._yaml', f'{step.work}/_yaml.c'
    step.run([f'{step.result("tools")}/bin/cython', '-3', f'{pyyaml}/yaml/_yaml.pyx', '-o', generated])
    flags = [*headers, *flags, f'-I{pyyaml}/yaml', '-DCYTHON_CLINE_IN_TRACEBACK=0', step.init_flag(name)]
    step.module(name, step.compile([generated], flags, name), [library])
    step.site('yaml', f'{pyyaml}/lib/yaml')
    step.metadata('PyYAML', step.version('pyyaml'))
