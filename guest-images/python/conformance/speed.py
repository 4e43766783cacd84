"""Times what people do, natively or in the guest: each statement's best of some runs, as JSON.

`target` is how many times the native time it may take.
"""
import json
import time

WORK = [
    ("pure Python: fib(22)", 2.2, "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n", "fib(22)"),
    ("pure Python: loop of 300 k", 2.2, "def loop(n):\n    t = 0\n    for i in range(n):\n        t += i * i & 255\n    return t\n", "loop(300_000)"),
    ("json round trip, 500 kB", 2.2, "import json\ndoc = [{'id': i, 'name': f'item {i}', 'price': i / 7} for i in range(8000)]\n", "json.loads(json.dumps(doc))"),
    ("regex findall, 500 kB", 2.2, "import re\ntext = 'order 4711 of 2024-03-09 by ann.bee@example.org; ' * 10_000\npattern = re.compile(r'[\\w.]+@[\\w.]+|\\d{4}-\\d\\d-\\d\\d')\n", "pattern.findall(text)"),
    ("sorted list, 100 k floats", None, "import random\nrandom.seed(1)\nfloats = [random.random() for _ in range(100_000)]\n", "sorted(floats)"),
    ("numpy a * b + a, 1 M", 1.3, "import numpy as np\na = np.random.default_rng(1).random(1_000_000)\nb = a[::-1].copy()\n", "a * b + a"),
    ("numpy exp, 1 M", 1.3, "", "np.exp(a)"),
    ("numpy sum, 1 M", 1.3, "", "a.sum()"),
    ("numpy comparison, 1 M", 1.3, "", "a < b"),
    ("numpy sort, 1 M float64", 4.0, "", "np.sort(a)"),
    ("numpy sort, 1 M int64", 4.0, "ints = (a * 2**40).astype('int64')\n", "np.sort(ints)"),
    ("numpy argsort, 200 k", 4.0, "", "np.argsort(a[:200_000])"),
    ("numpy matmul, 500 x 500", 5.0, "m = a[:250_000].reshape(500, 500)\n", "m @ m"),
    ("pandas read_csv, 50 k rows", 2.5, "import io\nimport pandas as pd\nframe = pd.DataFrame({'k': np.arange(50_000) % 50, 'v': a[:50_000], 'w': np.array(['north', 'south', 'east'])[np.arange(50_000) % 3]})\ncsv = frame.to_csv(index=False)\n", "pd.read_csv(io.StringIO(csv))"),
    ("pandas groupby mean, 500 k rows", 1.3, "table = pd.DataFrame({'k': np.arange(500_000) % 50, 'v': a[:500_000]})\n", "table.groupby('k').v.mean()"),
    ("pandas merge, 50 k rows", None, "right = pd.DataFrame({'k': np.arange(50), 'x': np.arange(50) * 2})\n", "frame.merge(right)"),
]
RUNS = 5


def main():
    space, result = {}, []
    for name, target, setup, statement in WORK:
        exec(setup, space)
        code = compile(statement, name, "exec")
        exec(code, space)
        times = []
        for _ in range(RUNS):
            before = time.perf_counter()
            exec(code, space)
            times.append((time.perf_counter() - before) * 1e3)
        result.append({"name": name, "ms": min(times), "target": target})
    print(json.dumps(result))


main()
