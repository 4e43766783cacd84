"""The side that runs the tests: trusted code alone. What the sample's functions give comes as data from the other side.

prepare() does what all samples of a problem share; trial() judges one. The report is an event of this side, which the
sample cannot reach.
"""
import ast
import builtins
import json
import os
import re
import sys
import traceback
import types

import glovebox_guest

import _glovebox_compare as compare
import _glovebox_wire as wire

REPORT = 'application/vnd.glovebox.report+json'
TEXT = 2000
__glovebox__ = True
problem = None


class Broken(Exception):
    """The problem itself is at fault."""


class Names(dict):
    """Variables of the tests. A name that they do not define is looked up in the sample."""

    number, theirs, shadowing = None, frozenset(), frozenset()

    def __missing__(self, name):
        if name in self.theirs and (name in self.shadowing or not hasattr(builtins, name)):
            value = wire.ask('getitem', self.number, name)
            self[name] = value
            return value
        raise KeyError(name)


def _input():
    with open(0, 'rb', closefd=False) as file:
        return json.loads(file.read())


def prepare():
    """Read a problem from standard input and do what does not depend on a sample."""
    global problem
    request = _input()
    try:
        problem = {'tests': Tests, 'calls': Calls, 'ds1000': DataScience}[request['kind']](request)
    except BaseException as e:
        problem = e


def trial():
    """Judge the program on standard input."""
    request = _input()
    try:
        if isinstance(problem, BaseException):
            raise Broken('%s: %s' % (type(problem).__name__, problem))
        report = problem.judge(request['program']) or {'verdict': 'passed'}
    except wire.Gone:
        report = {'verdict': 'gone'}
    except Broken as e:
        report = {'verdict': 'broken', 'message': str(e)[:TEXT]}
    except BaseException as e:
        report = _why(e)
    glovebox_guest.event({'type': 'display', 'data': {REPORT: report}})


def _why(e):
    """What an exception says about the sample."""
    told = getattr(e, 'from_afar', None)
    if told:
        return {'verdict': 'raised', 'exception': told['name'], 'message': told['text'][:TEXT], 'traceback': told['trace']}
    report = {'verdict': 'failed' if isinstance(e, AssertionError) else 'raised', 'exception': type(e).__name__, 'message': str(e)[:TEXT]}
    places = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == 'tests.py']
    if places:
        report['test'] = (places[0].line or '')[:TEXT]
    return report


def _execute(program, filename='solution.py'):
    """Let the other side run the sample; its names."""
    number, names = wire.converse(['exec', program, filename, None, None])[1]
    return int(number), frozenset(n for n in names if type(n) is str)


def _define(source, variables, filename):
    """Run trusted source text, with its lines known to tracebacks."""
    import linecache
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, 'exec', dont_inherit=True), variables)


def _first_that_runs(sources, variables):
    for source in sources:
        trial = dict(variables)
        try:
            _define(source, trial, 'prompt.py')
        except BaseException:
            continue
        variables.update(trial)
        return


class Tests:
    """Test code that uses the sample's names: asserts, check(candidate), unittest classes or test functions."""

    def __init__(self, request):
        self.entry = request.get('entry_point')
        self.variables = Names(__name__='tests', __builtins__=builtins)
        _first_that_runs(request.get('preludes') or (), self.variables)
        if request.get('setup'):
            _define(request['setup'], self.variables, 'setup.py')
        tree = ast.parse(request['tests'], 'tests.py')
        import linecache
        linecache.cache['tests.py'] = (len(request['tests']), None, request['tests'].splitlines(True), 'tests.py')
        cut = next((i for i, node in enumerate(tree.body) if not _only_defines(node)), len(tree.body))
        ahead = ast.Module(tree.body[:cut], [])
        exec(compile(ahead, 'tests.py', 'exec', dont_inherit=True), self.variables)
        self.body = compile(ast.Module(tree.body[cut:], []), 'tests.py', 'exec', dont_inherit=True)
        called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        self.shadowing = frozenset([self.entry] if self.entry else _first_called(tree) & called)
        self.check = bool(request.get('check'))
        self.collect = bool(request.get('collect'))

    def judge(self, program):
        variables = self.variables
        variables.number, variables.theirs = _execute(program)
        variables.shadowing = self.shadowing
        _solution_module(variables)
        if self.entry:
            if self.entry not in variables.theirs:
                return {'verdict': 'raised', 'exception': 'NameError', 'message': 'name %r is not defined' % self.entry}
            variables[self.entry] = wire.ask('getitem', variables.number, self.entry)
        exec(self.body, variables)
        if self.check:
            if not callable(dict.get(variables, 'check')):
                raise Broken('its tests define no function `check`')
            variables['check'](variables[self.entry])
        if self.collect:
            _collected(variables)


def _only_defines(node):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return not node.decorator_list
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return getattr(node, 'module', '') != 'solution'
    if isinstance(node, (ast.Assign, ast.Expr)):
        return not any(isinstance(n, (ast.Call, ast.Name)) and isinstance(getattr(n, 'ctx', ast.Load()), ast.Load) for n in ast.walk(node.value))
    return False


def _first_called(tree):
    """Names in the first comparison of the asserts: what such tests are about, be it called like a builtin function."""
    for node in tree.body:
        if isinstance(node, ast.Assert):
            calls = [n for n in ast.walk(node.test) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
            ours = [c.func.id for c in calls if not hasattr(builtins, c.func.id)]
            return frozenset(ours or [c.func.id for c in calls])
    return frozenset()


def _solution_module(variables):
    """`from solution import f` in tests."""
    module = types.ModuleType('solution')
    module.__getattr__ = lambda name: _attribute(variables, name)
    sys.modules['solution'] = module


def _attribute(variables, name):
    if name not in variables.theirs:
        raise AttributeError(name)
    return wire.ask('getitem', variables.number, name)


def _collected(variables):
    """Run what pytest and unittest would find."""
    import unittest
    found = list(dict.items(variables))
    suite = unittest.TestSuite()
    for _, value in found:
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == 'tests':
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(value))
    for name, value in found:
        if name.startswith('test') and isinstance(value, types.FunctionType):
            value()
    for test in suite:
        test.debug()


class Calls:
    """A function's answers beside the expected ones."""

    def __init__(self, request):
        self.entry, self.cases = request['entry_point'], request.get('cases')
        if isinstance(self.cases, list):        # where a benchmark has them as text, arguments by line
            self.cases = [_spelled_out(case) for case in self.cases]
        self.compare = compare.named(request.get('compare') or 'exact', request.get('tolerance'))
        if self.cases is None:      # EvalPlus: expected is what the problem's own solution gives
            variables = {'__name__': 'solution'}
            _define(request['reference'], variables, 'reference.py')
            import copy
            inputs = _literal(request['inputs'])
            self.cases = [{'args': i, 'expected': variables[self.entry](*copy.deepcopy(i))} for i in inputs]

    def judge(self, program):
        number, names = _execute(program)
        call = self._function(number, names)
        for place, case in enumerate(self.cases):
            try:
                answer = call(*case['args'], **case.get('kwargs') or {})
            except Exception as e:
                return {**_why(e), 'case': place}
            if not self.compare(answer, case['expected']):
                message = '%s(%s) gave %s, not %s' % (self.entry, ', '.join(map(_short, case['args'])), _short(answer), _short(case['expected']))
                return {'verdict': 'wrong_answer', 'message': message[:TEXT], 'case': place}

    def _function(self, number, names):
        if 'Solution' in names and self.entry not in names:     # as LeetCode has it
            return getattr(wire.ask('getitem', number, 'Solution')(), self.entry)
        if self.entry not in names:
            raise NameError('name %r is not defined' % self.entry)
        return wire.ask('getitem', number, self.entry)


def _spelled_out(case):
    if 'lines' not in case:
        return case
    return {'args': [json.loads(line) for line in case['lines'].split('\n') if line.strip()], 'expected': json.loads(case['answer'])}


def _literal(text):
    """Inputs as JSON, or as a Python expression."""
    return text if not isinstance(text, str) else eval(text, {'inf': float('inf'), 'nan': float('nan')})


def _short(value):
    try:
        text = repr(value)
    except Exception:
        text = '<%s>' % type(value).__name__
    return text if len(text) < 200 else text[:200] + '…'


class DataScience:
    """DS-1000: the problem's code makes the input, has the program run with it and looks at its variables."""

    def __init__(self, request):
        context = request['context']
        self.variables = {'__name__': 'tests', '__builtins__': builtins, 'exec': self._run}
        self.wanted = sorted({'result', *re.findall(r'''test_env\[["'](\w+)["']\]''', context)})
        self.figures = 'plt.' in context
        _define(context, self.variables, 'tests.py')
        if not callable(self.variables.get('test_execution')):
            raise Broken('its code defines no function `test_execution`')

    def judge(self, program):
        self.variables['test_execution'](program)
        if callable(self.variables.get('test_string')):
            self.variables['test_string'](program)

    def _run(self, code, environment):
        """What `exec` is for the problem's code: the program runs on the other side."""
        sent = [[k, wire.encode(v)] for k, v in environment.items() if k != '__builtins__']
        values, files = wire.converse(['exec', code, 'solution.py', sent, self.wanted])[1]
        environment.update((str(name), wire.decode(value)) for name, value in values)
        for name, data in files:
            if name == os.path.basename(name) and not os.path.lexists(name):    # never over a file of ours
                with open(name, 'xb') as file:
                    file.write(wire.decode(data))
        if self.figures:
            import matplotlib.pyplot as plt
            for name in ('gca', 'gcf'):
                setattr(plt, name, lambda name=name: wire.ask('attribute', None, 'matplotlib.pyplot', name)())
