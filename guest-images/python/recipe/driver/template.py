"""Fills the headers that a C library's own configuration would write, since nothing can be run to find the answers."""
import re


def fill(template, target, values=(), defined=()):
    """Writes `target` from a `.in` file of CMake or autoconf.

    `values` are what `@NAME@` and `${NAME}` stand for. A `#cmakedefine` or `#undef` line becomes a definition if its name
    is among `defined` (a set, or a mapping to the defined value); otherwise the macro stays undefined.
    """
    values = dict(values)
    defined = defined if isinstance(defined, dict) else dict.fromkeys(defined, '1')

    def line(found):
        kind, name, rest = found.group(1), found.group(2), found.group(3).strip()
        if kind == 'cmakedefine01':
            return f'#define {name} {1 if name in defined else 0}'
        if name not in defined:
            return f'/* #undef {name} */'
        value = rest if rest and kind == 'cmakedefine' and '@' not in rest else defined[name]
        return f'#define {name} {value}'.rstrip()

    with open(template) as file:
        text = file.read()
    text = re.sub(r'^[ \t]*#[ \t]*(cmakedefine01|cmakedefine|undef)[ \t]+(\w+)(.*)$', line, text, flags=re.M)
    missing = set()

    def value(found):
        name = found.group(1) or found.group(2)
        if name not in values:
            missing.add(name)
            return ''
        return str(values[name])

    text = re.sub(r'@(\w+)@|\$\{(\w+)\}', value, text)
    if missing:
        raise ValueError(f'{template} asks for {", ".join(sorted(missing))}')
    with open(target, 'w') as file:
        file.write(text)
