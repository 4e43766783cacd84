"""Notebook lines that are no Python: `!pip install …`, `%matplotlib inline` and the like, in otherwise plain scripts.

A line is only looked at when the parser has refused it, so text that looks like one inside a string stays as it is.
"""
import ast
import importlib.metadata
import importlib.util
import re
import shlex

FLAGS = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
HARMLESS = {'matplotlib', 'pylab', 'config', 'autosave', 'autoreload', 'load_ext', 'reload_ext', 'precision', 'capture', 'time', 'timeit'}


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
            if command[:1] not in ('!', '%'):
                raise
            indent = lines[number][:len(lines[number]) - len(command)]
            lines[number] = indent + _as_python(command.strip())


def _as_python(command):
    words = _words(command.lstrip('!%'))
    name = words[0] if words else ''
    if name in ('pip', 'pip3', 'conda', 'mamba', 'uv') or name.startswith('python') and words[1:3] == ['-m', 'pip']:
        missing = [] if 'install' not in words else [p for p in _packages(words[words.index('install') + 1:]) if not _present(p)]
        if missing:
            return _raise('ModuleNotFoundError', 'packages cannot be installed here, and %s is not part of this Python' % ', '.join(missing))
        return 'pass'
    if command.startswith('!'):
        return _raise('OSError', 'there is no shell here: %s' % command)
    if command.startswith('%time ') or command.startswith('%timeit '):
        return command.split(None, 1)[1]
    if name in HARMLESS:
        return 'pass'
    return _raise('NotImplementedError', 'notebook commands are not available here: %s' % command)


def _words(command):
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


def _present(package):
    try:
        importlib.metadata.distribution(package)
        return True
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        return importlib.util.find_spec(package.replace('-', '_')) is not None
    except (ImportError, ValueError):
        return False
