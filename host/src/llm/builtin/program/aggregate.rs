//! Figures per group: counts, sums, means …, with bars, lines or a pie.

use super::super::columns::is_numeric;
use super::super::describe::{figure_words, filter_title, title};
use super::super::plan::{Agg, Chart, Order, Task, Top};
use super::super::python::{
    axis_label, capital, choice, human, in_fstring, listing, py_list, py_str, slug, unit_suffix,
};
use super::{Script, View, chart};

/// Most groups that a chart shows.
const MAX_BARS: usize = 25;

/// Writes the program's body.
pub fn render(script: &mut Script, view: &View) {
    let Task::Aggregate { measures, how, by, chart, top, share } = &view.plan.task else { return };
    if by.is_empty() {
        return match &measures[..] {
            [] => count_all(script, view),
            [one] => one_figure(script, one, *how),
            many => many_figures(script, view, many, *how, *chart),
        };
    }
    let values = table(script, view, measures, *how, by, *top, *share);
    let mut title = title(measures, *how, by, *top);
    if *share && by.len() == 1 {
        let whole = measures.first().map_or("rows".into(), |measure| human(measure));
        title = format!("Share of {whole} by {}", human(&by[0]));
    }
    title += &filter_title(&view.plan.filters);
    let value_label = match &measures[..] {
        [one] if matches!(how, Agg::Mean | Agg::Median | Agg::Sum | Agg::Min | Agg::Max | Agg::Std) => {
            format!("{} {}", capital(how.words()), lower_first(&axis_label(one)))
        }
        _ => figure_words(measures, *how),
    };
    if *chart != Chart::None {
        script.step("The chart");
        let drawn = Drawn {
            view,
            values: &values,
            how: *how,
            by,
            chart: *chart,
            top: *top,
            share: *share,
            title: &title,
            value_label: &value_label,
            measures,
        };
        drawn.draw(script);
    }
    finding(script, measures, *how, *top, *share);
    script.line("result");
}

fn lower_first(label: &str) -> String {
    let mut chars = label.chars();
    let lower = |first: char| first.to_lowercase().collect::<String>();
    // `GDP` stays as it is
    if label.chars().nth(1).is_some_and(char::is_uppercase) {
        label.to_owned()
    } else {
        chars.next().map_or(String::new(), |first| lower(first) + chars.as_str())
    }
}

/// The table `result` with a row for each group; gives the names of its value columns.
fn table(
    script: &mut Script,
    view: &View,
    measures: &[String],
    how: Agg,
    by: &[String],
    top: Option<Top>,
    share: bool,
) -> Vec<String> {
    let values: Vec<String> = if measures.is_empty() {
        vec![View::free_name("rows".into(), by)]
    } else {
        let mut names: Vec<String> = Vec::new();
        for measure in measures {
            let taken: Vec<String> = by.iter().chain(&names).cloned().collect();
            names.push(View::free_name(format!("{}_{}", how.pandas(), slug(measure, "_")), &taken));
        }
        names
    };
    let needed: Vec<String> = by.iter().chain(measures).cloned().collect();
    if needed.iter().any(|name| view.column(name).is_some_and(|column| column.missing > 0)) {
        let what: Vec<String> = needed
            .iter()
            .filter(|name| view.column(name).is_some_and(|column| column.missing > 0))
            .map(|name| human(name))
            .collect();
        script.step(&format!("Rows without {} cannot be counted in", choice(&what)));
        script.line(format!("data = df.dropna(subset={})", py_list(&needed)));
        script.line(format!(
            "print(f'Left out {{len(df) - len(data):,}} of {{len(df):,}} rows without {}.')",
            in_fstring(&choice(&what))
        ));
    } else {
        script.line("data = df");
    }
    let groups: Vec<String> = by.iter().map(|name| human(name)).collect();
    script.step(&format!("{} for each {}", figure_words(measures, how), listing(&groups)));
    script.line(format!("groups = {}", py_list(by)));
    script.line(format!("value = {}", py_str(&values[0])));
    if measures.is_empty() {
        script.line("result = data.groupby(groups, observed=True).size().reset_index(name=value)");
    } else {
        let mut columns: Vec<String> = measures
            .iter()
            .zip(&values)
            .map(|(measure, value)| format!("{value}=({}, {})", py_str(measure), py_str(how.pandas())))
            .collect();
        let taken: Vec<String> = by.iter().chain(&values).cloned().collect();
        columns.push(format!("{}=({}, 'size')", View::free_name("rows".into(), &taken), py_str(&measures[0])));
        script.line("result = (");
        script.line("    data.groupby(groups, observed=True)");
        script.line(format!("    .agg({})", columns.join(", ")));
        script.line("    .round(2)");
        script.line("    .reset_index()");
        script.line(")");
    }
    if share {
        let percent = py_str(&View::free_name("percent".into(), by));
        script.line(format!("result[{percent}] = (100 * result[value] / result[value].sum()).round(1)"));
    }
    let numeric = view.column(&by[0]).is_some_and(is_numeric);
    match top {
        Some(Top { count, order }) => {
            script.line(format!(
                "result = result.sort_values(value, ascending={}).head({count}).reset_index(drop=True)",
                if order == Order::Ascending { "True" } else { "False" }
            ));
        }
        None if by.len() == 1 && !numeric => {
            script.line("result = result.sort_values(value, ascending=False).reset_index(drop=True)")
        }
        None => {}
    }
    script.line("result.to_csv('result.csv', index=False)");
    values
}

struct Drawn<'a> {
    view: &'a View<'a>,
    values: &'a [String],
    measures: &'a [String],
    how: Agg,
    by: &'a [String],
    chart: Chart,
    top: Option<Top>,
    share: bool,
    title: &'a str,
    value_label: &'a str,
}

impl Drawn<'_> {
    fn draw(&self, script: &mut Script) {
        let name = self.file_name();
        if self.by.len() > 1 {
            self.grouped(script);
        } else if self.values.len() > 1 {
            self.side_by_side(script);
        } else if self.chart == Chart::Pie && matches!(self.how, Agg::Count | Agg::Sum | Agg::Distinct) {
            self.pie(script);
        } else if matches!(self.chart, Chart::Line | Chart::Area | Chart::Scatter) {
            self.line(script);
        } else if self.lies() {
            self.lying_bars(script);
        } else {
            self.bars(script);
        }
        chart::save(script, &name);
    }

    fn file_name(&self) -> String {
        let what = self.measures.first().map_or("rows".into(), |measure| slug(measure, "-"));
        let by: Vec<String> = self.by.iter().map(|name| slug(name, "-")).collect();
        format!("{}-by-{}", what, by.join("-"))
    }

    fn number_format(&self) -> String {
        if matches!(self.how, Agg::Count | Agg::Distinct) {
            "'{:,.0f}'".into()
        } else {
            "'{:,.0f}' if result[value].abs().max() >= 100 else '{:,.2f}'".into()
        }
    }

    fn bars(&self, script: &mut Script) {
        chart::open(script, self.view, "8, 5");
        script.line(format!(
            "bars = ax.bar(result[groups[0]].astype(str), result[value], color='{}', width=0.7)",
            chart::COLOR
        ));
        self.bar_numbers(script);
        chart::labels(script, self.title, &axis_label(&self.by[0]), self.value_label);
        chart::commas(script, "y");
        script.line("ax.margins(y=0.1)");
        chart::frame(script, "y");
        if self.view.column(&self.by[0]).is_some_and(|c| c.distinct > 6) {
            script.line("ax.tick_params(axis='x', rotation=45)");
        }
    }

    fn bar_numbers(&self, script: &mut Script) {
        if self.share {
            let percent = py_str(&View::free_name("percent".into(), self.by));
            let table = if self.lies() { "shown" } else { "result" };
            script.line(format!(
                "ax.bar_label(bars, labels=[f'{{part:.1f}} %' for part in {table}[{percent}]], padding=3, fontsize=9)"
            ));
        } else {
            script.line(format!("ax.bar_label(bars, fmt={}, padding=3, fontsize=9)", self.number_format()));
        }
    }

    /// True if the bars lie, so that there is room for many or long names.
    fn lies(&self) -> bool {
        let first = self.view.column(&self.by[0]);
        let many = first.is_some_and(|column| column.distinct > 15) && self.top.is_none_or(|top| top.count > 8);
        many || (chart::wordy(first) && self.chart != Chart::Bar)
    }

    fn lying_bars(&self, script: &mut Script) {
        chart::prepare(script, self.view);
        script.line(format!("shown = result.head({MAX_BARS}).iloc[::-1]  # the first group at the top"));
        script.line("fig, ax = plt.subplots(figsize=(8, 1.5 + 0.35 * len(shown)))");
        script.line(format!(
            "bars = ax.barh(shown[groups[0]].astype(str).str.slice(0, 40), shown[value], color='{}')",
            chart::COLOR
        ));
        self.bar_numbers(script);
        chart::labels(script, self.title, self.value_label, &axis_label(&self.by[0]));
        chart::commas(script, "x");
        script.line("ax.margins(x=0.12)");
        chart::frame(script, "x");
    }

    fn pie(&self, script: &mut Script) {
        chart::open(script, self.view, "7, 6");
        script.line("# More than eight slices cannot be told apart: the small ones become one");
        script.line("parts = result.set_index(groups[0])[value].sort_values(ascending=False)");
        script.line("if len(parts) > 8:");
        script.line("    parts = pd.concat([parts.head(7), pd.Series({'others': parts.iloc[7:].sum()})])");
        script.line("percent = 100 * parts / parts.sum()");
        script.line("wedges, _ = ax.pie(parts.clip(lower=0), startangle=90, counterclock=False, wedgeprops={'width': 0.5, 'edgecolor': 'white'})");
        script.line("names = [f'{str(name)[:40]}: {part:.1f} %' for name, part in percent.items()]");
        script.line(format!("ax.legend(wedges, names, title={}, frameon=False, loc='center left', bbox_to_anchor=(1, 0.5), fontsize=11)", py_str(&axis_label(&self.by[0]))));
        script.line(format!("ax.set_title({})", py_str(self.title)));
    }

    fn line(&self, script: &mut Script) {
        chart::open(script, self.view, "9, 5");
        script.line("points = result.sort_values(groups[0])");
        let call = if self.chart == Chart::Scatter { "scatter" } else { "plot" };
        let marker = if self.chart == Chart::Scatter { "" } else { ", marker='o'" };
        script.line(format!("ax.{call}(points[groups[0]], points[value], color='{}'{marker})", chart::COLOR));
        if self.chart == Chart::Area {
            script.line(format!(
                "ax.fill_between(points[groups[0]], points[value], color='{}', alpha=0.3)",
                chart::COLOR
            ));
        }
        self.whole_steps(script);
        chart::labels(script, self.title, &axis_label(&self.by[0]), self.value_label);
        chart::commas(script, "y");
        chart::frame(script, "y");
    }

    /// Years are whole numbers, without commas.
    fn whole_steps(&self, script: &mut Script) {
        if self.view.column(&self.by[0]).is_some_and(is_numeric) {
            script.line("ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))");
        }
    }

    /// Several measures for each group.
    fn side_by_side(&self, script: &mut Script) {
        chart::prepare(script, self.view);
        script.line(format!("shown = result.head({MAX_BARS}).set_index(groups[0])[{}]", py_list(self.values)));
        let labels: Vec<String> = self.measures.iter().map(|measure| axis_label(measure)).collect();
        script.line(format!("shown.columns = {}", py_list(&labels)));
        let kind =
            if matches!(self.chart, Chart::Line | Chart::Area) { "line(marker='o', " } else { "bar(width=0.75, " };
        script.line(format!("ax = shown.plot.{kind}figsize=(9, 5), rot={})", self.rotation()));
        chart::labels(script, self.title, &axis_label(&self.by[0]), self.value_label);
        chart::commas(script, "y");
        chart::frame(script, "y");
        script.line("ax.legend(frameon=False)");
    }

    fn rotation(&self) -> u32 {
        if chart::wordy(self.view.column(&self.by[0])) { 45 } else { 0 }
    }

    /// Two groups, or three of which the last two are put together: bars side by side.
    fn grouped(&self, script: &mut Script) {
        chart::prepare(script, self.view);
        if self.by.len() > 2 {
            script.line(
                "shown = result.assign(inner=result[groups[1]].astype(str) + ', ' + result[groups[2]].astype(str))",
            );
            script.line("shown = shown.pivot(index=groups[0], columns='inner', values=value)");
        } else {
            script.line("shown = result.pivot(index=groups[0], columns=groups[1], values=value)");
        }
        if self.view.column(&self.by[0]).is_none_or(|c| c.distinct > 20)
            || self.view.column(&self.by[1]).is_none_or(|c| c.distinct > 10)
        {
            script.line("shown = shown.iloc[:20, :10]  # more would not be readable");
        }
        if self.share {
            script.line("shown = shown.div(shown.sum(axis=1), axis=0) * 100");
            script
                .line(format!("ax = shown.plot.bar(figsize=(9, 5), rot={}, width=0.7, stacked=True)", self.rotation()));
            script.line("for bars in ax.containers:");
            script.line("    ax.bar_label(bars, labels=[f'{v:.0f} %' if v >= 4 else '' for v in bars.datavalues], label_type='center', color='white', fontsize=9)");
        } else if matches!(self.chart, Chart::Line | Chart::Area) {
            script.line("ax = shown.plot.line(figsize=(9, 5), marker='o')");
            self.whole_steps(script);
        } else {
            script.line(format!("ax = shown.plot.bar(figsize=(9, 5), rot={}, width=0.75)", self.rotation()));
            script.line("if shown.size <= 16:");
            if matches!(self.how, Agg::Count | Agg::Distinct) {
                script.line("    digits = 0");
            } else {
                script.line("    digits = 0 if shown.abs().max().max() >= 100 else 2");
            }
            script.line("    for bars in ax.containers:");
            script.line(
                "        numbers = [f'{height:,.{digits}f}' if abs(height) > 0 else '' for height in bars.datavalues]",
            );
            script.line("        ax.bar_label(bars, labels=numbers, padding=2, fontsize=9)");
        }
        let title = if self.share {
            format!("{}, share within each {}", self.title, human(&self.by[0]))
        } else {
            self.title.to_owned()
        };
        let label = if self.share { "Percent" } else { self.value_label };
        chart::labels(script, &title, &axis_label(&self.by[0]), label);
        chart::commas(script, "y");
        chart::frame(script, "y");
        let inner_names: Vec<String> = self.by[1..].iter().map(|name| axis_label(name)).collect();
        script.line(format!(
            "ax.legend(title={}, frameon=False, loc='upper left', bbox_to_anchor=(1, 1))",
            py_str(&inner_names.join(", "))
        ));
    }
}

/// Prints the highest and the lowest group.
fn finding(script: &mut Script, measures: &[String], how: Agg, top: Option<Top>, share: bool) {
    script.step("The result in a line or two");
    script.line("def name(at):");
    script.line("    return ', '.join(str(result.at[at, group]) for group in groups)");
    script.line("");
    let (format, unit) = match how {
        Agg::Count => (",.0f", String::new()),
        Agg::Distinct => (",.0f", " different values".to_owned()),
        _ => (",.2f", measures.first().map_or(String::new(), |measure| unit_suffix(measure))),
    };
    let figure = match (how, measures.first()) {
        (Agg::Count, _) | (_, None) => "number of rows".to_owned(),
        (_, Some(measure)) => format!("{} {}", how.words(), human(measure)),
    };
    let figure = in_fstring(&figure);
    let unit = in_fstring(&unit);
    let part = if share { " ({100 * result.at[at, value] / result[value].sum():.1f} %)" } else { "" };
    let mut ends = vec![("Highest", "idxmax"), ("Lowest", "idxmin")];
    if let Some(top) = top {
        ends = if top.order == Order::Ascending { vec![("Lowest", "idxmin")] } else { vec![("Highest", "idxmax")] };
    }
    for (word, call) in ends {
        script.line(format!("at = result[value].{call}()"));
        let start = match (measures.is_empty(), word) {
            (true, "Highest") => "Most rows".to_owned(),
            (true, _) => "Fewest rows".to_owned(),
            _ => format!("{word} {figure}"),
        };
        script.line(format!("print(f'{start}: {{name(at)}} with {{result.at[at, value]:{format}}}{unit}{part}.')"));
    }
}

fn count_all(script: &mut Script, view: &View) {
    if view.plan.filters.is_empty() {
        script.line("print(f'The table has {len(df):,} rows.')");
        script.line("result = pd.DataFrame({'rows': [len(df)]})");
    } else {
        script.step("How many rows that is");
        script.line("print(f'{len(df):,} rows, that is {100 * len(df) / total:.1f} % of all.')");
        script.line("result = pd.DataFrame({'rows': [len(df)], 'percent of all': [round(100 * len(df) / total, 1)]})");
    }
    script.line("result");
}

/// One number over all rows.
fn one_figure(script: &mut Script, measure: &str, how: Agg) {
    let name = py_str(measure);
    let words = figure_words(&[measure.to_owned()], how);
    let (label, unit) = (in_fstring(&words), in_fstring(&unit_suffix(measure)));
    script.step(&words);
    script.line(format!("values = df[{name}].dropna()"));
    script.line("if values.empty:");
    script.line("    print('There is no value to work with.')");
    script.line("    raise SystemExit");
    script.line(format!("figure = values.{}()", if how == Agg::Count { "count" } else { how.pandas() }));
    script.line(format!(
        "print(f'{label}: {{figure:,.2f}}{unit}, from {{len(values):,}} values ({{len(df) - len(values):,}} missing).')"
    ));
    if matches!(how, Agg::Max | Agg::Min) {
        script.step("Where it occurs");
        script.line("result = df.loc[values[values == figure].index]");
    } else {
        script.line("result = values.agg(['count', 'sum', 'mean', 'median', 'min', 'max']).round(2).to_frame()");
    }
    script.line("result");
}

/// The same figure of several columns.
fn many_figures(script: &mut Script, view: &View, measures: &[String], how: Agg, kind: Chart) {
    let names = py_list(measures);
    script.step(&format!("{} of each column", capital(how.words())));
    script.line(format!("result = df[{names}].agg([{}, 'count']).T.round(2)", py_str(how.pandas())));
    script.line("result.to_csv('result.csv')");
    script.line(format!("for name, figure in result[{}].items():", py_str(how.pandas())));
    script.line(format!("    print(f'{} {{name}}: {{figure:,.2f}}.')", capital(how.words())));
    if matches!(kind, Chart::Bar | Chart::Auto) {
        script.step("The chart");
        chart::open(script, view, "8, 5");
        let labels: Vec<String> = measures.iter().map(|measure| axis_label(measure)).collect();
        script.line(format!(
            "bars = ax.barh({}, result[{}], color='{}')",
            py_list(&labels),
            py_str(how.pandas()),
            chart::COLOR
        ));
        script.line("ax.bar_label(bars, fmt='{:,.2f}', padding=3, fontsize=9)");
        script.line("ax.margins(x=0.12)");
        chart::labels(script, &format!("{} of each column", capital(how.words())), "", "");
        chart::frame(script, "x");
        chart::save(script, "columns");
    }
    script.line("result");
}
