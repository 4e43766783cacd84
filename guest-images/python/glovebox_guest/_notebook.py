"""Notebook lines that are no Python: `!pip install …`, `%matplotlib inline` and the like, in otherwise plain scripts.

A line is only looked at when the parser has refused it, so text that looks like one inside a string stays as it is.
"""
import ast
import re
import shlex

from . import _hints

FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
HARMLESS = {'matplotlib', 'pylab', 'config', 'autosave', 'autoreload', 'load_ext', 'reload_ext', 'precision', 'capture', 'time', 'timeit'}
_INSTALL = re.compile(r'(python3? +-m +)?(pip3?|conda|mamba|uv pip) +install +[\w-]')       # a line for the shell, pasted as it was


def parse(source, filename):
    """ast.parse that also accepts notebook lines."""
    lines = None
    while True:
        try:
            return compile(source if lines is None else '\n'.join(lines), filename, 'exec', FLAGS, dont_inherit=True)
        except SyntaxError as e:
            lines = lines or source.split('\n')
            number = (e.lineno or 0) - 1
            command = lines[number].lstrip() if 0 <= number < len(lines) else ''
            if command[:1] not in ('!', '%') and not _INSTALL.match(command):
                raise
            indent = lines[number][:len(lines[number]) - len(command)]
            lines[number] = indent + _as_python(command.strip())


def _as_python(command):
    found = words(command.lstrip('!%'))
    name = found[0] if found else ''
    packages = installed_by(found)
    if packages is not None:
        missing = _hints.install(packages)[1]
        if missing:
            return _raise('ModuleNotFoundError', missing)
        return "print(%r, end='')" % _hints.told(found) if _hints.told(found) else 'pass'
    if command.startswith('!'):
        return _raise('OSError', '%s: %s' % (command, _hints.NO_PROGRAMS))
    if command.startswith('%time ') or command.startswith('%timeit '):
        return command.split(None, 1)[1]
    if name in HARMLESS:
        return 'pass'
    return _raise('NotImplementedError', 'notebook commands are not available here: %s' % command)


def installed_by(words):
    """The packages that a command of pip's kind would install; None for any other command."""
    words = words[1:] if words[:1] == ['uv'] and words[1:2] == ['pip'] else words
    program = words[0].rpartition('/')[2] if words else ''
    if program.startswith('python') and words[1:3] == ['-m', 'pip']:
        words, program = words[2:], 'pip'
    if not re.fullmatch(r'pip[\d.]*|conda|mamba', program):
        return None
    return _packages(words[words.index('install') + 1:]) if 'install' in words else []


def words(command):
    try:
        return shlex.split(command, comments=True)
    except ValueError:
        return command.split()


def _raise(kind, message):
    return 'raise %s(%r)' % (kind, message)


def _packages(words):
    names = []
    skip = False
    for word in words:
        if skip or word.startswith('-'):
            skip = word in ('-r', '-c', '-i', '-f', '--index-url', '--extra-index-url', '--requirement', '--target', '-t')
            continue
        name = re.match(r'[A-Za-z0-9][\w.-]*', word)
        if name:
            names.append(name.group().rstrip('.-'))
    return names
