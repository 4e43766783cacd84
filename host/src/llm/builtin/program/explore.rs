//! What is in a table: its overview, and some of its rows.

use super::super::columns::{is_group, is_measure, is_numeric, is_time};
use super::super::plan::Order;
use super::super::python::{axis_label, human, in_fstring, listing, plain, py_list, py_str, unit_suffix};
use super::{Script, View, chart};
use crate::engine::sample::{ColumnType, Role};

/// Columns, types, statistics, and a picture of the most telling columns.
pub fn overview(script: &mut Script, view: &View) {
    script.step("Each column: its type, what is missing, and its values in short");
    script.lines(
        "result = pd.DataFrame({
    'type': df.dtypes.astype(str),
    'missing': df.isna().sum(),
    'different': [df[name].astype(str).nunique() for name in df.columns],
    'example': [str(df[name].dropna().iloc[0])[:40] if df[name].notna().any() else '' for name in df.columns],
})
numbers = df.select_dtypes('number')
if not numbers.empty and len(numbers.columns) > 0:
    result = result.join(numbers.agg(['min', 'mean', 'max']).T.round(2))
result.to_csv('overview.csv')

print(f'{df.isna().any(axis=1).sum():,} rows have a missing value, {df.astype(str).duplicated().sum():,} rows occur more than once.')",
    );
    let columns = &view.table.columns;
    let usable = |column: &&crate::engine::sample::Column| column.kind != ColumnType::Empty && column.role != Role::Id;
    let mut shown: Vec<&str> =
        columns.iter().filter(usable).filter(|c| is_measure(c)).take(4).map(|c| c.name.as_str()).collect();
    shown.extend(
        columns
            .iter()
            .filter(usable)
            .filter(|c| is_group(c) && !is_measure(c))
            .take(6 - shown.len())
            .map(|c| c.name.as_str()),
    );
    if !shown.is_empty() {
        script.step("A picture of the most telling columns");
        chart::prepare(script, view);
        let labels: Vec<String> = shown.iter().map(|name| axis_label(name)).collect();
        script.line(format!("names = {}", py_list(&shown)));
        script.line(format!("labels = {}", py_list(&labels)));
        script.lines(
            "across = min(3, len(names))
down = -(-len(names) // across)
fig, axes = plt.subplots(down, across, figsize=(4 * across, 3 * down), squeeze=False)
for ax in axes.flat[len(names):]:
    ax.set_visible(False)
for ax, name, label in zip(axes.flat, names, labels):
    values = df[name].dropna()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        ax.hist(values, bins=20, color='#4C78A8', edgecolor='white', linewidth=0.5)
    else:
        counts = values.astype(str).str.slice(0, 20).value_counts().head(8).iloc[::-1]
        ax.barh(counts.index, counts, color='#F58518')
    ax.set_title(label, fontsize=11)
    ax.spines[['top', 'right']].set_visible(False)
fig.tight_layout()",
        );
        chart::save(script, "overview");
    }
    if let Some(time) = columns.iter().find(|column| is_time(column)) {
        script.line(format!("dates = df[{}].dropna().dt.date", py_str(&time.name)));
        script.line("if len(dates):");
        script.line("    print(f'The dates go from {dates.min()} to {dates.max()}.')");
    }
    script.line("result");
}

/// Which columns there are, for a question that names others.
pub fn unknown(script: &mut Script, names: &[String]) {
    script.step("The columns that there are");
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    script.line(format!("print({})", py_str(&format!("There is no column for {}.", listing(&names)))));
    script.lines(
        "result = pd.DataFrame({
    'type': df.dtypes.astype(str),
    'different': [df[name].astype(str).nunique() for name in df.columns],
    'example': [str(df[name].dropna().iloc[0])[:40] if df[name].notna().any() else '' for name in df.columns],
})
result.index.name = 'column'
result",
    );
}

/// Some rows, sorted or filtered.
pub fn rows(
    script: &mut Script,
    view: &View,
    sort: Option<&(String, Order)>,
    limit: Option<usize>,
    from_end: bool,
    columns: &[String],
) {
    script.step("The rows");
    script.line("result = df");
    if let Some((column, order)) = sort {
        let name = py_str(column);
        if view.column(column).is_some_and(|column| column.missing > 0) {
            script.line(format!("result = result.dropna(subset=[{name}])"));
        }
        let up = if *order == Order::Ascending { "True" } else { "False" };
        script.line(format!("result = result.sort_values({name}, ascending={up}, kind='stable')"));
    }
    if !columns.is_empty() {
        script.line(format!("result = result[{}]", py_list(columns)));
    }
    if let Some(limit) = limit {
        script.line(format!("result = result.{}({limit})", if from_end { "tail" } else { "head" }));
    }
    script.line("result.to_csv('result.csv', index=False)");
    script.line("print(f'{len(result):,} rows, all of them in result.csv.')");
    if let Some((column, order)) = sort {
        let name = py_str(column);
        let word = if *order == Order::Ascending { "Lowest" } else { "Highest" };
        script.line("if len(result):");
        if columns.is_empty() || columns.contains(column) {
            script.line(format!("    first = result[{name}].iloc[0]"));
            let number = view.column(column).is_some_and(is_numeric);
            let (label, unit) = (in_fstring(&human(column)), in_fstring(&unit_suffix(column)));
            script
                .line(format!("    print(f'{word} {label}: {{first{}}}{unit}.')", if number { ":,.10g" } else { "" }));
        } else {
            script.line("    print('They are sorted.')");
        }
    }
    script.line("result");
}
