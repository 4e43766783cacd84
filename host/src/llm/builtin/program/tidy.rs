//! Quality of a table: missing values, duplicates, outliers, a cleaned copy, other formats.

use super::super::python::{axis_label, py_list, py_str, slug};
use super::{Script, View, chart};
use crate::engine::sample::ColumnType;

/// What is missing where.
pub fn missing(script: &mut Script, view: &View) {
    script.step("Missing values of each column");
    script.lines(
        "result = pd.DataFrame({'missing': df.isna().sum(), 'percent': (100 * df.isna().mean()).round(1)})
result = result.sort_values('missing', ascending=False)
result.to_csv('missing.csv')
print(f'{df.isna().sum().sum():,} of {df.size:,} cells are missing, in {df.isna().any(axis=1).sum():,} of {len(df):,} rows.')
gaps = result[result['missing'] > 0]
if gaps.empty:
    print('Nothing is missing.')
for name, row in gaps.head(5).iterrows():
    print(f\"{name}: {row['missing']:,.0f} missing ({row['percent']:.1f} %).\")",
    );
    script.step("The chart");
    chart::prepare(script, view);
    script.lines(
        "shown = result.head(25).iloc[::-1]
fig, ax = plt.subplots(figsize=(8, 1.5 + 0.35 * len(shown)))
bars = ax.barh(shown.index.astype(str), shown['percent'], color='#E45756')
ax.bar_label(bars, labels=[f'{count:,}' for count in shown['missing']], padding=3, fontsize=9)
ax.set_title('Missing values by column')
ax.set_xlabel('Percent of rows')
ax.margins(x=0.12)",
    );
    chart::frame(script, "x");
    chart::save(script, "missing-values");
    script.line("result");
}

/// Rows that occur twice.
pub fn duplicates(script: &mut Script) {
    script.step("All rows that occur more than once, side by side");
    script.lines(
        "text = df.astype(str)
result = df[text.duplicated(keep=False)]
result = result.loc[text.loc[result.index].sort_values(list(text.columns), kind='stable').index]
result.to_csv('duplicates.csv', index=False)
print(f'{text.duplicated().sum():,} of {len(df):,} rows repeat an earlier row.')
result",
    );
}

/// A tidied copy and a report on it.
pub fn clean(script: &mut Script, view: &View) {
    script.lines(
        "
report = []

# Names without spaces at the ends
before = list(df.columns)
df.columns = [str(name).strip() for name in df.columns]
report.append(('columns renamed', sum(a != b for a, b in zip(before, df.columns))))

# Texts without spaces at the ends; what is empty then is missing
changed = 0
for name in df.select_dtypes(['object', 'string']).columns:
    tidy = df[name].map(lambda value: value.strip() if isinstance(value, str) else value)
    tidy = tidy.mask(tidy.map(lambda value: isinstance(value, str) and value == ''))
    changed += int((tidy.fillna('').astype(str) != df[name].fillna('').astype(str)).sum())
    df[name] = tidy
report.append(('texts trimmed', changed))

# Rows and columns without any value, rows that occur twice
size = df.shape
df = df.dropna(how='all').dropna(axis=1, how='all')
report.append(('empty rows removed', size[0] - len(df)))
report.append(('empty columns removed', size[1] - len(df.columns)))
rows = len(df)
df = df[~df.astype(str).duplicated()]
report.append(('duplicate rows removed', rows - len(df)))",
    );
    let dates: Vec<&crate::engine::sample::Column> = view
        .table
        .columns
        .iter()
        .filter(|c| matches!(c.kind, ColumnType::Date | ColumnType::Datetime))
        .take(10)
        .collect();
    if !dates.is_empty() {
        script.step("Dates in one format");
        for column in dates {
            let name = py_str(column.name.trim());
            script.line(format!("if {name} in df:"));
            script.line(format!("    df[{name}] = pd.to_datetime(df[{name}], errors='coerce')"));
        }
    }
    script.lines(
        "
# Missing values are kept: filling them in is a decision about the data
report.append(('cells still missing', int(df.isna().sum().sum())))
report.append(('rows in cleaned.csv', len(df)))
df.to_csv('cleaned.csv', index=False)

result = pd.DataFrame(report, columns=['step', 'count'])
result.to_csv('cleaning-report.csv', index=False)
for step, count in report:
    print(f'{step}: {count:,}.')
result",
    );
}

/// Values far from the others.
pub fn outliers(script: &mut Script, columns: &[String]) {
    script.step("More than 1.5 times the middle half's width away from it");
    script.line(format!("names = {}", py_list(columns)));
    script.lines(
        "found, summary = [], []
for name in names:
    low, high = df[name].quantile([0.25, 0.75])
    reach = 1.5 * (high - low)
    far = df[(df[name] < low - reach) | (df[name] > high + reach)]
    summary.append({'column': name, 'outliers': len(far), 'usual from': round(low - reach, 2), 'usual to': round(high + reach, 2)})
    if len(far):
        found.append(far.assign(outlier_in=name))
result = pd.DataFrame(summary).sort_values('outliers', ascending=False)
if found:
    pd.concat(found).to_csv('outliers.csv', index=False)
for row in result.head(6).to_dict('records'):
    print(f\"{row['column']}: {row['outliers']:,} outliers, usual is {row['usual from']:,} to {row['usual to']:,}.\")",
    );
    script.import("import matplotlib.pyplot as plt");
    script.step("The chart: each column on its own scale");
    let labels: Vec<String> = columns.iter().take(6).map(|name| axis_label(name)).collect();
    script.line(format!("labels = {}", py_list(&labels)));
    script.lines(
        "fig, axes = plt.subplots(1, len(labels), figsize=(2 + 2 * len(labels), 4.5), squeeze=False)
for ax, name, label in zip(axes.flat, names, labels):
    ax.boxplot(df[name].dropna().to_numpy(dtype=float), widths=0.5, patch_artist=True, boxprops={'facecolor': '#4C78A8', 'alpha': 0.7}, medianprops={'color': 'black'})
    ax.set_title(label, fontsize=10)
    ax.set_xticks([])
    ax.spines[['top', 'right']].set_visible(False)
fig.tight_layout()",
    );
    chart::save(script, "outliers");
    script.line("result");
}

/// The table in another format.
pub fn export(script: &mut Script, view: &View, format: &str) {
    let file = view.plan.source.file.rsplit('/').next().unwrap_or("table");
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut name = format!("{}.{format}", slug(stem, "-"));
    if name == file {
        // Never over the original.
        name = format!("{}-copy.{format}", slug(stem, "-"));
    }
    let name = py_str(&name);
    script.step("The same table in another format");
    script.line(match format {
        "json" => format!("df.to_json({name}, orient='records', indent=2, date_format='iso', force_ascii=False)"),
        "xlsx" => format!("df.to_excel({name}, index=False)"),
        _ => format!("df.to_csv({name}, index=False)"),
    });
    script.line(format!("output = {name}"));
    script.line("print(f'Wrote {len(df):,} rows to {output}.')");
    script.line("df.head(10)");
}
