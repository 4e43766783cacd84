//! Repairs: a second, more careful program when the first one failed, chosen by the error's text.

use super::columns::tables;
use super::numerals::numerals;
use super::plan::{Plan, TablePlan};
use super::program::{render, table_of};
use super::python::{py_list, py_str};
use crate::engine::sample::{Content, Sample, Table};

/// Writes a program for the same plan that expects trouble. `earlier` is the program that failed.
///
/// First the same program with careful reading is tried; if that is what failed, an overview that
/// assumes nothing of the file.
pub fn repair(plan: &Plan, samples: &[Sample], earlier: &str, error: &str) -> String {
    let careful = match plan {
        Plan::Table(table) => careful_table(table, samples),
        _ => None,
    };
    match careful {
        // A missing package or a full memory will not be cured by reading more carefully.
        Some(program)
            if program.trim() != earlier.trim()
                && !error.contains("MemoryError")
                && !error.contains("ModuleNotFoundError") =>
        {
            program
        }
        _ => fallback(plan, samples, error),
    }
}

/// The program of the plan, with its reading of the table made careful.
fn careful_table(plan: &TablePlan, samples: &[Sample]) -> Option<String> {
    let program = render(&Plan::Table(plan.clone()), samples);
    let table = table_of(plan, samples)?;
    let sample = samples.iter().find(|sample| sample.name == plan.source.file)?;
    let Content::Table(Table { dialect: Some(dialect), columns: own, .. }) = &sample.content else {
        return Some(program);
    };
    let reader = program.lines().find(|line| line.starts_with("df = pd.read_csv("))?;
    let names: Vec<&str> = own.iter().map(|column| column.name.as_str()).collect();
    let numbers: Vec<&str> = table
        .columns
        .iter()
        .filter(|column| super::columns::is_numeric(column) && numerals(sample, &column.name).is_none())
        .map(|column| column.name.as_str())
        .take(100)
        .collect();
    let careful = format!(
        "# Careful reading: broken rows and bytes are passed over, what is no number counts as missing
df = pd.read_csv(
    {}, sep={}, encoding={}, encoding_errors='replace', decimal={},
    header={}, on_bad_lines='skip', engine='python',
)
names = {}
if len(names) == len(df.columns):
    df.columns = names
for name in {}:
    if name in df:
        df[name] = pd.to_numeric(df[name], errors='coerce')",
        py_str(&plan.source.file),
        py_str(&dialect.delimiter),
        py_str(&dialect.encoding),
        py_str(&dialect.decimal),
        if dialect.header { "0" } else { "None" },
        py_list(&names),
        py_list(&numbers),
    );
    Some(program.replacen(reader, &careful, 1))
}

/// An overview that assumes nothing.
fn fallback(plan: &Plan, samples: &[Sample], error: &str) -> String {
    let file = super::describe::files(plan).into_iter().next().unwrap_or_default();
    if let Plan::Known { .. } | Plan::Media(_) | Plan::Archive { .. } = plan {
        return format!(
            "from pathlib import Path

# What was asked for cannot be done here; this much is certain
path = Path({})
print(f'{{path}} has {{path.stat().st_size:,}} bytes.')
",
            py_str(&file)
        );
    }
    if let Plan::Image(_) = plan {
        return format!(
            "import pandas as pd
from PIL import Image

# Only the facts, and the first frame
with Image.open({}) as image:
    facts = {{'format': image.format, 'width': image.width, 'height': image.height, 'mode': image.mode, 'frames': getattr(image, 'n_frames', 1)}}
result = pd.DataFrame(facts.items(), columns=['fact', 'value'])
result
",
            py_str(&file)
        );
    }
    if file.is_empty() || (tables(samples).is_empty() && !matches!(plan, Plan::Text(_) | Plan::Json { .. })) {
        return render(&Plan::Files, samples);
    }
    // With little memory only the beginning is read.
    let rows = if error.contains("MemoryError") || error.contains("out_of_memory") { 20_000 } else { 200_000 };
    format!(
        "from pathlib import Path

import pandas as pd

# A plain look at the file that assumes nothing of it
path = Path({})
try:
    if path.suffix.lower() in ('.xlsx', '.xlsm', '.xls', '.ods'):
        df = pd.read_excel(path, nrows={rows})
    elif path.suffix.lower() in ('.parquet', '.pq'):
        df = pd.read_parquet(path).head({rows})
    elif path.suffix.lower() == '.json':
        df = pd.read_json(path)
    else:
        df = pd.read_csv(path, sep=None, engine='python', nrows={rows}, encoding_errors='replace', on_bad_lines='skip')
except Exception as error:
    print(f'The file cannot be read as a table: {{type(error).__name__}}.')
    with path.open(encoding='utf-8', errors='replace') as file:
        df = pd.DataFrame({{'line': [line.rstrip()[:200] for line, _ in zip(file, range(1000))]}})

print(f'Read {{len(df):,}} rows and {{len(df.columns)}} columns.')
result = pd.DataFrame({{'type': df.dtypes.astype(str), 'missing': df.isna().sum()}})
result.to_csv('overview.csv')
df.head(20)
",
        py_str(&file)
    )
}
