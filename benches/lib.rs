//! Programs that the benches run in Glovebox and natively.

/// The least that a script can do.
pub const PRINT: &str = "print(1)";

/// Reads a table, aggregates it, draws it.
pub const GROUP_AND_PLOT: &str = "\
import numpy as np
import pandas as pd
import matplotlib
matplotlib.use('agg')
import matplotlib.pyplot as plt
rng = np.random.default_rng(1)
df = pd.DataFrame({'k': rng.integers(0, 5, 1000), 'v': rng.random(1000)})
df.groupby('k').v.mean().plot.bar(title='mean')
plt.savefig('chart.png')
plt.close('all')
";
