//! Figures by time: days to years, or months and weekdays of all years together.

use super::super::describe::{figure_words, filter_title, step_words};
use super::super::plan::{Agg, Chart, Every, Task};
use super::super::python::{axis_label, capital, human, in_fstring, py_list, py_str, slug, unit_suffix};
use super::{Script, View, chart};

/// Writes the program's body.
pub fn render(script: &mut Script, view: &View) {
    let Task::Trend { time, measures, how, every, by, chart } = &view.plan.task else { return };
    let clock = py_str(time);
    script.step(&format!("{} by {}", figure_words(measures, *how), step_words(*every)));
    script.line(format!("data = df.dropna(subset=[{clock}])"));
    if view.column(time).is_some_and(|column| column.missing > 0) {
        script.line(format!("print(f'Left out {{len(df) - len(data):,}} rows without {}.')", in_fstring(&human(time))));
    }
    script.line(format!("step = {}", step(*every, &clock)));
    let keys = match by {
        Some(by) => format!("[step, {}]", py_str(by)),
        None => "step".into(),
    };
    let figures: &[String] = if by.is_some() { &measures[..measures.len().min(1)] } else { measures };
    match figures {
        [] => script.line(format!("result = data.groupby({keys}, observed=True).size()")),
        [one] => {
            script.line(format!("result = data.groupby({keys}, observed=True)[{}].{}()", py_str(one), how.pandas()))
        }
        many => {
            script.line(format!("result = data.groupby({keys}, observed=True)[{}].{}()", py_list(many), how.pandas()))
        }
    }
    let name =
        if figures.is_empty() { "rows".to_owned() } else { format!("{}_{}", how.pandas(), slug(&figures[0], "_")) };
    if by.is_some() {
        let fill = if matches!(how, Agg::Count | Agg::Sum) { "fill_value=0" } else { "" };
        script.line(format!("result = result.unstack({fill})"));
        script.line("result = result[result.sum().sort_values(ascending=False).index[:8]]  # at most eight lines");
    } else if figures.len() < 2 {
        script.line(format!("result = result.to_frame({})", py_str(&name)));
    }
    if !matches!(how, Agg::Count | Agg::Sum | Agg::Distinct) {
        script.line("result = result.dropna(how='all')");
    }
    names(script, *every);
    script.line(format!("result.index.name = {}", py_str(step_words(*every))));
    script.line("result = result.round(2)");
    script.line("result.to_csv('result.csv')");
    draw(script, view, figures, *how, *every, by.as_deref(), *chart, time);
    finding(script, figures, *how, *every, by.is_some());
    script.line("result");
}

fn step(every: Every, clock: &str) -> String {
    let frequency = |code: &str| format!("pd.Grouper(key={clock}, freq='{code}')");
    match every {
        Every::Day => frequency("D"),
        Every::Week => frequency("W"),
        Every::Month => frequency("MS"),
        Every::Quarter => frequency("QS"),
        Every::Year => format!("data[{clock}].dt.year"),
        Every::MonthOfYear => format!("data[{clock}].dt.month"),
        Every::Weekday => format!("data[{clock}].dt.dayofweek"),
        Every::Hour => format!("data[{clock}].dt.hour"),
    }
}

/// Numbers of months and weekdays become names.
fn names(script: &mut Script, every: Every) {
    let list = match every {
        Every::MonthOfYear => "calendar.month_abbr",
        Every::Weekday => "calendar.day_abbr",
        _ => return,
    };
    script.import("import calendar");
    script.line(format!("result.index = [{list}[number] for number in result.index]"));
}

#[allow(clippy::too_many_arguments)]
fn draw(
    script: &mut Script,
    view: &View,
    measures: &[String],
    how: Agg,
    every: Every,
    by: Option<&str>,
    kind: Chart,
    time: &str,
) {
    script.step("The chart");
    let few = matches!(every, Every::Year | Every::MonthOfYear | Every::Weekday | Every::Hour);
    let bars = kind == Chart::Bar || (kind == Chart::Auto && by.is_none() && measures.len() < 2 && few);
    chart::open(script, view, "10, 5");
    if bars && (by.is_some() || measures.len() > 1) {
        script.line("shown = result.copy()");
        if !few {
            script.line("shown.index = shown.index.strftime('%Y-%m-%d')");
        }
        script.line("shown.plot.bar(ax=ax, width=0.8, rot=45 if len(shown) > 8 else 0)");
    } else if bars {
        let labels = if few { "result.index.astype(str)" } else { "result.index" };
        let width = match every {
            Every::Week => ", width=6",
            Every::Month => ", width=25",
            Every::Quarter => ", width=80",
            _ => "",
        };
        script.line(format!("bars = ax.bar({labels}, result.iloc[:, 0], color='{}'{width})", chart::COLOR));
        if few {
            script.line("ax.bar_label(bars, fmt='{:,.0f}' if result.iloc[:, 0].abs().max() >= 100 else '{:,.4g}', padding=3, fontsize=9)");
            script.line("ax.margins(y=0.1)");
        }
    } else {
        if by.is_none() && measures.len() > 1 {
            let labels: Vec<String> = measures.iter().map(|name| axis_label(name)).collect();
            script.line(format!("labels = {}", py_list(&labels)));
        } else {
            script.line("labels = [str(name) for name in result.columns]");
        }
        script.line("for name, label in zip(result.columns, labels):");
        script.line("    ax.plot(result.index, result[name], marker='o' if len(result) <= 40 else None, markersize=4, label=label)");
        if kind == Chart::Area {
            script.line("    ax.fill_between(result.index, result[name], alpha=0.25)");
        }
        if every == Every::Year {
            script.line("ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))");
        }
    }
    let mut title = format!("{} by {}", figure_words(measures, how), step_words(every));
    if let Some(by) = by {
        title += &format!(" and {}", human(by));
    }
    title += &filter_title(&view.plan.filters);
    let label = match measures {
        [] => "Rows".to_owned(),
        [one] => axis_label(one),
        _ => capital(how.words()),
    };
    let x = if few { capital(step_words(every)) } else { axis_label(time) };
    chart::labels(script, &title, &x, &label);
    chart::commas(script, "y");
    chart::frame(script, "y");
    if by.is_some() || measures.len() > 1 {
        let legend = by.map_or(String::new(), |by| format!("title={}, ", py_str(&axis_label(by))));
        script.line(format!("ax.legend({legend}frameon=False, loc='upper left', bbox_to_anchor=(1, 1))"));
    }
    let what = measures.first().map_or("rows".into(), |measure| slug(measure, "-"));
    chart::save(script, &format!("{what}-by-{}", slug(step_words(every), "-")));
}

fn finding(script: &mut Script, measures: &[String], how: Agg, every: Every, split: bool) {
    script.step("The result in a line or two");
    let format = match every {
        Every::Day | Every::Week => "f'{when:%Y-%m-%d}'",
        Every::Month => "f'{when:%B %Y}'",
        Every::Quarter => "f'{when.year} quarter {when.quarter}'",
        _ => "str(when)",
    };
    let unit = in_fstring(&measures.first().map_or(String::new(), |measure| unit_suffix(measure)));
    let digits = if matches!(how, Agg::Count | Agg::Distinct) { ",.0f" } else { ",.2f" };
    script.line("for name in result.columns[:4]:");
    script.line("    series = result[name].dropna()");
    script.line("    if series.empty:");
    script.line("        continue");
    script.line("    ends = []");
    script.line("    for when in (series.idxmax(), series.idxmin()):");
    script.line(format!("        ends.append({format} + f' with {{series[when]:{digits}}}{unit}')"));
    let label = if split || measures.len() > 1 { "{name}: highest in" } else { "Highest in" };
    script.line(format!("    print(f'{label} {{ends[0]}}, lowest in {{ends[1]}}.')"));
}
