//! What the benches share: clocks, tables, a native interpreter, a server, and the programs that all of them run.

pub mod measure;
pub mod native;
pub mod place;
pub mod server;
pub mod table;

/// The least that a script can do.
pub const PRINT: &str = "print(1)";

/// The same in JavaScript.
pub const CONSOLE_LOG: &str = "console.log(1)";

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
