//! What is computed.

/// A statement that is timed, after a setup that is not.
pub struct Workload {
    pub name: &'static str,
    pub setup: &'static str,
    pub statement: &'static str,
}

pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "pure Python: fib(25)",
        setup: "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n",
        statement: "fib(25)",
    },
    Workload {
        name: "pure Python: loop of 1 M",
        setup: "def loop(n):\n    total = 0\n    for i in range(n):\n        total += i * i & 255\n    return total\n",
        statement: "loop(1_000_000)",
    },
    Workload {
        name: "json round trip, 1 MB",
        setup: "import json\ndocument = [{'id': i, 'name': f'item {i}', 'price': i / 7, 'tags': ['a', 'b']} for i in range(12_000)]\n",
        statement: "json.loads(json.dumps(document))",
    },
    Workload {
        name: "regex findall, 1 MB",
        setup: "import re\ntext = 'order 4711 of 2024-03-09 by ann.bee@example.org, 12.50 EUR; ' * 16_000\n\
                pattern = re.compile(r'[\\w.]+@[\\w.]+|\\d{4}-\\d\\d-\\d\\d')\n",
        statement: "pattern.findall(text)",
    },
    Workload {
        name: "sorted, 200 k floats",
        setup: "import random\nrandom.seed(1)\nfloats = [random.random() for _ in range(200_000)]\n",
        statement: "sorted(floats)",
    },
    Workload {
        name: "numpy (x * 2 + 1).sum(), 4 M",
        setup: "import numpy as np\nx = np.random.default_rng(1).random(4_000_000)\n",
        statement: "(x * 2 + 1).sum()",
    },
    Workload { name: "numpy exp, 4 M", setup: "", statement: "np.exp(x)" },
    Workload { name: "numpy sort, 1 M", setup: "part = x[:1_000_000].copy()\n", statement: "np.sort(part)" },
    Workload {
        name: "numpy matmul, 400 x 400",
        setup: "a = x[:160_000].reshape(400, 400).copy()\n",
        statement: "a @ a",
    },
    Workload {
        name: "pandas read_csv, 5 MB",
        setup: "import io\nimport pandas as pd\nframe = pd.DataFrame({'key': np.arange(150_000) % 50, 'value': x[:150_000], \
                'word': np.array(['north', 'south', 'east'])[np.arange(150_000) % 3]})\ncsv = frame.to_csv(index=False)\n",
        statement: "pd.read_csv(io.StringIO(csv))",
    },
    Workload {
        name: "pandas groupby, 1.2 M rows",
        setup: "table = pd.DataFrame({'key': np.arange(1_200_000) % 50, 'value': x[:1_200_000]})\n",
        statement: "table.groupby('key').value.agg(['mean', 'sum', 'max'])",
    },
];
