"""Answers the calls of the tables `calls/*.py`, natively or in the guest, each as a line of JSON.

A table is a module `calls_NAME.py` with `calls()`, which yields (expression, ulps): Python that is evaluated with `SPACE`
and how far floats may be off, 0 where the operation is exact. Both sides make the same list from the same seeds.
`shard.json` says which: {"calls": [expression] or null for all}.
"""
import copy
import glob
import importlib
import json
import os
import struct
import sys
import types
import warnings

sys.path.insert(0, os.getcwd())
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

MOST = 2_000  # elements of an array that are compared
MEMORY = 4 << 30  # bytes, natively too: some calls want as much as there is


class Form:
    """A value as text, its floats aside."""

    def __init__(self):
        self.floats = []

    def float(self, value):
        value = float(value)
        self.floats.append("nan" if value != value else struct.pack(">d", value).hex())
        return "f"

    def of(self, value, depth=0):
        kind = type(value).__name__
        if depth > 8:
            return kind
        if value is None or value is pd.NA or value is pd.NaT or value is Ellipsis:
            return repr(value)
        if isinstance(value, (bool, int, str, bytes)) and type(value).__module__ == "builtins":
            return f"{kind}:{value!r}"
        if type(value) is float:
            return "float:" + self.float(value)
        if type(value) is complex:
            return "complex:" + self.float(value.real) + self.float(value.imag)
        if isinstance(value, np.generic):
            return f"scalar {value.dtype.name}:" + self.element(value, depth)
        if isinstance(value, np.ma.MaskedArray):
            return "masked " + self.of(np.ma.getmaskarray(value)) + self.of(value.filled())
        if isinstance(value, np.ndarray):
            return f"{kind} {value.dtype.name} {value.shape} [" + ",".join(self.element(x, depth) for x in value.flat[:MOST]) + "]"
        if isinstance(value, np.dtype):
            return f"dtype {value.name}"
        if isinstance(value, pd.DataFrame):
            parts = [self.of(value.index, depth + 1), self.of(value.columns, depth + 1)]
            parts += [self.of(value.iloc[:, at], depth + 2) for at in range(value.shape[1])]
            return "DataFrame {" + ";".join(parts) + "}"
        if isinstance(value, pd.Series):
            index = "" if depth >= 2 else self.of(value.index, depth + 1)
            return f"Series {value.name!r} {value.dtype} {index} " + self.values(value.array, depth)
        if isinstance(value, pd.MultiIndex):
            return f"MultiIndex {value.names} " + ";".join(self.of(value.get_level_values(at), depth + 1) for at in range(value.nlevels))
        if isinstance(value, pd.Index):
            return f"{kind} {value.name!r} {value.dtype} " + self.values(value.array, depth)
        if isinstance(value, pd.api.extensions.ExtensionArray):
            return f"{kind} {value.dtype} " + self.values(value, depth)
        if isinstance(value, dict):
            return kind + "{" + ",".join(f"{self.of(k, depth + 1)}={self.of(v, depth + 1)}" for k, v in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            return kind + "(" + ",".join(self.of(x, depth + 1) for x in value) + ")"
        return f"{kind}:{value!r}"[:4000]

    def element(self, value, depth):
        if isinstance(value, (np.floating, float)):
            return self.float(value)
        if isinstance(value, (np.complexfloating, complex)):
            return self.float(value.real) + self.float(value.imag)
        if isinstance(value, np.void):
            return "(" + ",".join(self.of(x, depth + 1) for x in value.tolist()) + ")" if value.dtype.names else repr(bytes(value))
        if isinstance(value, np.generic):
            return repr(value.item()) if value.dtype.kind not in "mM" else str(value)
        return self.of(value, depth + 1)

    def values(self, array, depth):
        extra = ""
        if isinstance(array, pd.Categorical):
            extra = f" codes {array.codes.dtype} of " + self.of(array.categories, depth + 1)
        return "[" + ",".join(self.element(x, depth + 1) for x in array[:MOST]) + "]" + extra


def fresh(space, names):
    """What an expression uses, copied: some methods of pandas change their column."""
    return {name: value if isinstance(value, types.ModuleType) or name not in names else copy.deepcopy(value)
            for name, value in space.items()}


def answer(expression, space):
    form = Form()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            code = compile(expression, "call", "eval")
            text = form.of(eval(code, fresh(space, code.co_names)))
        except Exception as error:
            text, form.floats = f"{type(error).__name__}: {error}"[:2000], []
    said = sorted({warning.category.__name__ for warning in caught})
    return {"form": text, "floats": form.floats, "warnings": said}


def limit_memory():
    try:
        import resource
    except ImportError:  # in the guest, where the memory has its end anyhow
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main():
    limit_memory()
    with open("shard.json") as file:
        shard = json.load(file)
    calls, seen = [], set()
    for path in sorted(glob.glob("calls_*.py")):
        module = importlib.import_module(path[:-3])
        if any(importlib.util.find_spec(name) is None for name in getattr(module, "NEEDS", ())):
            continue
        for expression, ulps in module.calls():
            if expression not in seen:
                seen.add(expression)
                calls.append((path[6:-3], expression, ulps, module.SPACE))
    with open("results.jsonl", "w") as out:
        wanted = shard["calls"] and set(shard["calls"])
        for table, expression, ulps, space in calls:
            if wanted and expression not in wanted:
                continue
            line = {"call": expression, "table": table, "ulps": ulps, **answer(expression, space)}
            out.write(json.dumps(line) + "\n")
            out.flush()


main()
