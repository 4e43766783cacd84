//! Columns by themselves and against each other: distributions, relationships, correlations, pivots.

use super::super::columns::{is_group, is_measure, is_time};
use super::super::describe::{figure_words, filter_title};
use super::super::plan::{Agg, Chart};
use super::super::python::{axis_label, capital, human, in_fstring, py_list, py_str, slug, unit_suffix};
use super::{Script, View, chart};

/// How the values of a column are spread.
pub fn distribution(script: &mut Script, view: &View, column: &str, by: Option<&str>, kind: Chart) {
    let name = py_str(column);
    let mut needed = vec![column.to_owned()];
    needed.extend(by.map(str::to_owned));
    script.step("Rows without a value are left out");
    script.line(format!("data = df.dropna(subset={})", py_list(&needed)));
    script.line("print(f'{len(data):,} values, {len(df) - len(data):,} missing.')");
    script.line("if data.empty:");
    script.line("    raise SystemExit");
    let title = format!(
        "Distribution of {}{}{}",
        human(column),
        by.map_or(String::new(), |by| format!(" by {}", human(by))),
        filter_title(&view.plan.filters)
    );
    script.step("Figures");
    match by {
        Some(by) => {
            script.line(format!("result = data.groupby({}, observed=True)[{name}].describe().round(2)", py_str(by)))
        }
        None => script.line(format!("result = data[{name}].describe().round(2).to_frame()")),
    }
    script.line("result.to_csv('result.csv')");
    script.step("The chart");
    chart::open(script, view, "8, 5");
    match (by, kind) {
        (_, Chart::Box | Chart::Violin) => boxes(script, &name, by, kind, column),
        (Some(by), _) => {
            script.line(format!("edges = 25 if data[{name}].nunique() > 25 else 10"));
            script.line(format!("low, high = data[{name}].min(), data[{name}].max()"));
            script.line(format!("groups = data[{}].value_counts().index[:8]", py_str(by)));
            script.line("for group in groups:");
            script.line(format!("    part = data.loc[data[{}] == group, {name}]", py_str(by)));
            script.line("    ax.hist(part, bins=edges, range=(low, high), alpha=0.55, label=str(group), edgecolor='white', linewidth=0.5)");
            script.line(format!("ax.legend(title={}, frameon=False)", py_str(&axis_label(by))));
            script.line(format!("ax.set_xlabel({})", py_str(&axis_label(column))));
            script.line("ax.set_ylabel('Rows')");
        }
        (None, _) => {
            script.line(format!("ax.hist(data[{name}], bins=30 if len(data) > 200 else 15, color='{}', edgecolor='white', linewidth=0.5)", chart::COLOR));
            script.line(format!("ax.axvline(data[{name}].median(), color='#E45756', linestyle='--', label='median')"));
            script.line("ax.legend(frameon=False)");
            script.line(format!("ax.set_xlabel({})", py_str(&axis_label(column))));
            script.line("ax.set_ylabel('Rows')");
        }
    }
    script.line(format!("ax.set_title({})", py_str(&title)));
    chart::frame(script, "y");
    chart::save(script, &format!("{}-distribution", slug(column, "-")));
    script.step("The result in a line or two");
    let (label, unit) = (in_fstring(&capital(&human(column))), in_fstring(&unit_suffix(column)));
    match by {
        Some(_) => {
            script.line("for group, row in result.head(8).iterrows():");
            script.line(format!("    print(f'{{group}}: median {{row[\"50%\"]:,.2f}}{unit}, middle half {{row[\"25%\"]:,.2f}} to {{row[\"75%\"]:,.2f}}{unit}.')"));
        }
        None => {
            script.line(format!("low, middle, high = data[{name}].quantile([0.25, 0.5, 0.75])"));
            script.line(format!("print(f'{label}: median {{middle:,.2f}}{unit}, half of the values lie between {{low:,.2f}} and {{high:,.2f}}{unit}.')"));
        }
    }
    script.line("result");
}

fn boxes(script: &mut Script, name: &str, by: Option<&str>, kind: Chart, column: &str) {
    match by {
        Some(by) => {
            script.line(format!(
                "parts = {{str(group): part for group, part in data.groupby({}, observed=True)[{name}]}}",
                py_str(by)
            ));
            script.line("parts = dict(list(parts.items())[:20])");
        }
        None => script.line(format!("parts = {{'': data[{name}]}}")),
    }
    if kind == Chart::Violin {
        script
            .line("shapes = ax.violinplot([part.to_numpy(dtype=float) for part in parts.values()], showmedians=True)");
        script.line("for shape in shapes['bodies']:");
        script.line(format!("    shape.set(facecolor='{}', alpha=0.6)", chart::COLOR));
    } else {
        script.line("boxes = ax.boxplot([part.to_numpy(dtype=float) for part in parts.values()], patch_artist=True, widths=0.5, medianprops={'color': 'black'})");
        script.line("for box in boxes['boxes']:");
        script.line(format!("    box.set(facecolor='{}', alpha=0.7)", chart::COLOR));
    }
    script.line("ax.set_xticks(range(1, len(parts) + 1), list(parts), rotation=45 if len(parts) > 8 else 0)");
    if let Some(by) = by {
        script.line(format!("ax.set_xlabel({})", py_str(&axis_label(by))));
    }
    script.line(format!("ax.set_ylabel({})", py_str(&axis_label(column))));
}

/// Two columns against each other.
pub fn relationship(script: &mut Script, view: &View, x: &str, y: &str, by: Option<&str>) {
    let mut needed = vec![x.to_owned(), y.to_owned()];
    needed.extend(by.map(str::to_owned));
    // A third, readable dimension for free: the first category with few values.
    let color = by.map(str::to_owned).filter(|by| view.column(by).is_some_and(is_group));
    let (px, py) = (py_str(x), py_str(y));
    script.step("Only rows with both values");
    script.line(format!("data = df.dropna(subset={})", py_list(&needed)));
    script.line("print(f'{len(data):,} rows with both values, {len(df) - len(data):,} left out.')");
    script.line("if data.empty:");
    script.line("    raise SystemExit");
    script.step("The chart");
    chart::open(script, view, "8, 6");
    match &color {
        Some(by) => {
            script.line(format!("for group, part in data.groupby({}, observed=True):", py_str(by)));
            script.line(format!("    ax.scatter(part[{px}], part[{py}], s=24, alpha=0.7, label=str(group))"));
            script.line(format!("ax.legend(title={}, frameon=False)", py_str(&axis_label(by))));
        }
        None => script.line(format!("ax.scatter(data[{px}], data[{py}], s=24, alpha=0.6, color='{}')", chart::COLOR)),
    }
    let timed = view.column(x).is_some_and(is_time) || view.column(y).is_some_and(is_time);
    if !timed {
        script.import("import numpy as np");
        script.step("A straight line through the points");
        script.line(format!("if data[{px}].nunique() > 1:"));
        script.line(format!("    slope, start = np.polyfit(data[{px}].astype(float), data[{py}].astype(float), 1)"));
        script.line(format!("    ends = np.array([data[{px}].min(), data[{px}].max()], dtype=float)"));
        script.line("    ax.plot(ends, start + slope * ends, color='#555555', linestyle='--', linewidth=1.2)");
    }
    let title = format!("{} against {}{}", capital(&human(y)), human(x), filter_title(&view.plan.filters));
    chart::labels(script, &title, &axis_label(x), &axis_label(y));
    if view.column(y).is_some_and(is_measure) {
        chart::commas(script, "y");
    }
    chart::frame(script, "both");
    chart::save(script, &format!("{}-against-{}", slug(y, "-"), slug(x, "-")));
    if timed {
        return script.line(format!("data[{}].describe()", py_list(&needed)));
    }
    script.step("How closely they go together: 1 and -1 are a line, 0 is nothing");
    script.line(format!("overall = data[{px}].corr(data[{py}])"));
    script.line("strength = 'strong' if abs(overall) >= 0.7 else 'moderate' if abs(overall) >= 0.4 else 'weak'");
    script.line("direction = 'rising together' if overall > 0 else 'one falls as the other rises'");
    script.line("print(f'Correlation {overall:.2f}: {strength}, {direction}.')");
    match &color {
        Some(by) => {
            script.line(format!("rows = [{{'group': group, 'rows': len(part), 'correlation': round(part[{px}].corr(part[{py}]), 3)}} for group, part in data.groupby({}, observed=True)]", py_str(by)));
            script.line("result = pd.DataFrame(rows)");
            script.line("for row in rows[:8]:");
            script.line("    print(f\"Within {row['group']}: correlation {row['correlation']:.2f}.\")");
        }
        None => script.line(format!("result = data[[{px}, {py}]].describe().round(2)")),
    }
    script.line("result.to_csv('result.csv')");
    script.line("result");
}

/// All numbers against each other.
pub fn correlation(script: &mut Script, view: &View, columns: &[String]) {
    script.step("Correlation of each pair of columns: 1 and -1 are a line, 0 is nothing");
    script.line(format!("result = df[{}].corr().round(2)", py_list(columns)));
    script.line("result.to_csv('result.csv')");
    script.step("The chart");
    chart::prepare(script, view);
    let labels: Vec<String> = columns.iter().map(|name| axis_label(name)).collect();
    script.line(format!("labels = {}", py_list(&labels)));
    script.line("fig, ax = plt.subplots(figsize=(2.5 + 0.8 * len(labels), 2 + 0.7 * len(labels)))");
    script.line("picture = ax.imshow(result.to_numpy(), cmap='RdBu_r', vmin=-1, vmax=1)");
    script.line("fig.colorbar(picture, ax=ax, shrink=0.8, label='Correlation')");
    script.line("ax.set_xticks(range(len(labels)), labels, rotation=45, ha='right')");
    script.line("ax.set_yticks(range(len(labels)), labels)");
    script.line("for y, row in enumerate(result.to_numpy()):");
    script.line("    for x, value in enumerate(row):");
    script.line("        ax.text(x, y, f'{value:.2f}', ha='center', va='center', color='white' if abs(value) > 0.6 else 'black', fontsize=9)");
    script.line(format!(
        "ax.set_title({})",
        py_str(&format!("Correlation of the columns{}", filter_title(&view.plan.filters)))
    ));
    chart::save(script, "correlation");
    script.step("The closest pairs");
    script.line("pairs = [(a, b, result.loc[a, b]) for i, a in enumerate(result) for b in list(result)[i + 1:]]");
    script.line("pairs = [pair for pair in pairs if pd.notna(pair[2])]");
    script.line("for a, b, value in sorted(pairs, key=lambda pair: -abs(pair[2]))[:3]:");
    script.line("    print(f'{a} and {b}: {value:.2f}.')");
    script.line("result");
}

/// Groups on both sides.
pub fn pivot(script: &mut Script, view: &View, measure: Option<&str>, how: Agg, rows: &str, columns: &str) {
    let measures: Vec<String> = measure.iter().map(|name| (*name).to_owned()).collect();
    script.step(&format!("{}: {} down, {} across", figure_words(&measures, how), human(rows), human(columns)));
    match measure {
        Some(measure) => script.line(format!(
            "result = df.pivot_table(index={}, columns={}, values={}, aggfunc={}, observed=True).round(2)",
            py_str(rows),
            py_str(columns),
            py_str(measure),
            py_str(how.pandas())
        )),
        None => script.line(format!("result = pd.crosstab(df[{}], df[{}])", py_str(rows), py_str(columns))),
    }
    script.line("result.to_csv('result.csv')");
    script.line("print(f'{len(result)} rows and {len(result.columns)} columns of groups.')");
    script.line("if result.empty:");
    script.line("    raise SystemExit");
    script.step("The chart");
    chart::prepare(script, view);
    script.line("shown = result.iloc[:30, :20]");
    script.line("fig, ax = plt.subplots(figsize=(3 + 1.1 * shown.shape[1], 1.8 + 0.6 * shown.shape[0]))");
    script.line("picture = ax.imshow(shown.to_numpy(dtype=float), cmap='YlGnBu', aspect='auto')");
    script.line(format!("fig.colorbar(picture, ax=ax, label={})", py_str(&figure_words(&measures, how))));
    script.line("ax.set_xticks(range(shown.shape[1]), [str(name) for name in shown.columns], rotation=45 if shown.shape[1] > 6 else 0)");
    script.line("ax.set_yticks(range(shown.shape[0]), [str(name) for name in shown.index])");
    script.line("middle = (shown.min().min() + shown.max().max()) / 2");
    script.line("for y, row in enumerate(shown.to_numpy(dtype=float)):");
    script.line("    for x, value in enumerate(row):");
    script.line("        if pd.notna(value):");
    script.line("            ax.text(x, y, f'{value:,.10g}', ha='center', va='center', color='white' if value > middle else 'black', fontsize=9)");
    let title = format!(
        "{} by {} and {}{}",
        figure_words(&measures, how),
        human(rows),
        human(columns),
        filter_title(&view.plan.filters)
    );
    chart::labels(script, &title, &axis_label(columns), &axis_label(rows));
    chart::save(script, &format!("{}-by-{}", slug(rows, "-"), slug(columns, "-")));
    script.step("The result in a line or two");
    script.line("cells = result.stack()");
    script.line("cells = cells[cells.notna()]");
    script.line("for word, place in (('Highest', cells.idxmax()), ('Lowest', cells.idxmin())):");
    script.line(format!(
        "    print(f'{{word}}: {{place[0]}}, {{place[1]}} with {{cells[place]:,.10g}}{}.')",
        in_fstring(&measure.map_or(String::new(), unit_suffix))
    ));
    script.line("result");
}
