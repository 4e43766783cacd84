"""When an answer counts as the expected one. Answers are data by now: builtin types, arrays, tables."""
import collections
import math

TOLERANCE = 1e-6


def named(name, tolerance=None):
    tolerance = TOLERANCE if tolerance is None else tolerance
    return {
        'exact': equal,
        'float': lambda answer, expected: close(answer, expected, tolerance),
        'unordered': unordered,
        'evalplus': lambda answer, expected: evalplus(answer, expected, tolerance),
    }[name]


def equal(answer, expected):
    """Equality in which a list and a tuple of equal elements are the same, as JSON has no tuples."""
    if _listed(answer) and _listed(expected):
        return len(answer) == len(expected) and all(map(equal, answer, expected))
    if isinstance(answer, dict) and isinstance(expected, dict):
        return _keys(answer) == _keys(expected) and all(equal(v, _get(expected, k)) for k, v in answer.items())
    if isinstance(answer, bool) != isinstance(expected, bool):
        return False
    return _true(answer == expected)


def close(answer, expected, tolerance):
    """The same with numbers that may differ by a tolerance, relative or absolute."""
    if _listed(answer) and _listed(expected):
        return len(answer) == len(expected) and all(close(a, e, tolerance) for a, e in zip(answer, expected))
    if isinstance(answer, dict) and isinstance(expected, dict):
        return _keys(answer) == _keys(expected) and all(close(v, _get(expected, k), tolerance) for k, v in answer.items())
    if _number(answer) and _number(expected):
        return math.isclose(answer, expected, rel_tol=tolerance, abs_tol=tolerance) or answer != answer and expected != expected
    return equal(answer, expected)


def unordered(answer, expected):
    """The same elements in any order."""
    try:
        return collections.Counter(map(_key, answer)) == collections.Counter(map(_key, expected))
    except TypeError:
        return equal(answer, expected)


def evalplus(answer, expected, tolerance):
    """As EvalPlus compares: equal, or floats (and lists of them) within the tolerance and of the same type."""
    if _true(answer == expected):
        return True
    floats = isinstance(expected, float) or _listed(expected) and len(expected) and all(isinstance(e, float) for e in expected)
    tolerance = tolerance or (1e-6 if floats else 0)
    if not tolerance or type(answer) is not type(expected):
        return False
    try:
        import numpy as np
        return len(answer) == len(expected) and _close(np, answer, expected, tolerance) if _listed(expected) else _close(np, answer, expected, tolerance)
    except (TypeError, ValueError):
        return False


def _close(np, answer, expected, tolerance):
    return bool(np.allclose(answer, expected, rtol=1e-07, atol=tolerance))


def _listed(value):
    return isinstance(value, (list, tuple))


def _keys(value):
    return {str(k) for k in value}


def _get(value, key):
    return value[key] if key in value else value[next(k for k in value if str(k) == str(key))]


def _number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _key(value):
    if isinstance(value, (list, tuple)):
        return tuple(map(_key, value))
    if isinstance(value, dict):
        return frozenset((str(k), _key(v)) for k, v in value.items())
    return value


def _true(value):
    """Whether a comparison says yes; of arrays, for all elements."""
    try:
        return bool(value)
    except (ValueError, TypeError):
        return bool(getattr(value, 'all', lambda: False)())
