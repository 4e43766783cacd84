//! Plans in words: titles of charts, the sentence before a program, and the steps of an explanation.

use super::plan::{Agg, Change, Chart, Every, Filter, ImageTask, Order, Plan, TablePlan, Task, TextTask, Top};
use super::python::{capital, choice, human, listing, plain, py_number};

/// `species is Adelie and body mass is above 4000`.
pub fn filter_words(filters: &[Filter]) -> String {
    let words = |filter: &Filter| match filter {
        Filter::OneOf { column, values, not } => {
            let values: Vec<String> = values.iter().map(|value| plain(value)).collect();
            let values = choice(&values);
            format!("{} is {}{values}", human(column), if *not { "not " } else { "" })
        }
        Filter::Text { column, text, part, not } => {
            let verb = match (part, not) {
                (true, false) => "contains",
                (true, true) => "does not contain",
                (false, false) => "is",
                (false, true) => "is not",
            };
            format!("{} {verb} {}", human(column), plain(text))
        }
        Filter::Compare { column, operator, value } => {
            format!("{} {} {}", human(column), operator_words(operator), py_number(*value))
        }
        Filter::Date { column, operator, date } => {
            let verb = match *operator {
                ">=" => "is from",
                ">" => "is after",
                "<" => "is before",
                _ => "is until",
            };
            format!("{} {verb} {date}{}", human(column), if *operator == ">=" { " on" } else { "" })
        }
        Filter::Month { month, .. } => {
            format!("the month is {}", MONTHS.get(*month as usize - 1).unwrap_or(&"unknown"))
        }
        Filter::Flag { column, value } => format!("{} is {value}", human(column)),
        Filter::Missing { column } => format!("{} is missing", human(column)),
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(filter) = filters.get(at) {
        match filters.get(at + 1).and_then(|next| whole_year(filter, next)) {
            Some(year) => {
                parts.push(year);
                at += 2;
            }
            None => {
                parts.push(words(filter));
                at += 1;
            }
        }
    }
    parts.join(" and ")
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `the year is 2013` for the two conditions that say so.
fn whole_year(from: &Filter, to: &Filter) -> Option<String> {
    let (Filter::Date { operator: ">=", date: first, .. }, Filter::Date { operator: "<", date: next, .. }) = (from, to)
    else {
        return None;
    };
    let year: i32 = first.strip_suffix("-01-01")?.parse().ok()?;
    (next.strip_suffix("-01-01")?.parse::<i32>().ok()? == year + 1).then(|| format!("the year is {year}"))
}

fn operator_words(operator: &str) -> &'static str {
    match operator {
        ">" => "is above",
        ">=" => "is at least",
        "<" => "is below",
        "<=" => "is at most",
        "!=" => "is not",
        _ => "is",
    }
}

/// The filters for a chart's title.
pub fn filter_title(filters: &[Filter]) -> String {
    if filters.is_empty() { String::new() } else { format!("\nwhere {}", filter_words(filters)) }
}

/// `Average body mass`, `Number of rows`.
pub fn figure_words(measures: &[String], how: Agg) -> String {
    if measures.is_empty() {
        return "Number of rows".into();
    }
    let names: Vec<String> = measures.iter().map(|name| human(name)).collect();
    capital(&format!("{} {}", how.words(), listing(&names)))
}

/// Title of a chart of groups.
pub fn title(measures: &[String], how: Agg, by: &[String], top: Option<Top>) -> String {
    let groups: Vec<String> = by.iter().map(|name| human(name)).collect();
    let figure = figure_words(measures, how);
    match top {
        Some(top) if by.len() == 1 => {
            let end = if top.order == Order::Ascending { "Bottom" } else { "Top" };
            let mut chars = figure.chars();
            let lower = chars.next().map_or(String::new(), |c| c.to_lowercase().collect::<String>() + chars.as_str());
            let plural = if top.count == 1 || groups[0].ends_with('s') { "" } else { "s" };
            format!("{end} {} {}{plural} by {lower}", top.count, groups[0])
        }
        _ => format!("{figure} by {}", listing(&groups)),
    }
}

/// What a step of time is called.
pub fn step_words(every: Every) -> &'static str {
    match every {
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
        Every::Quarter => "quarter",
        Every::Year => "year",
        Every::MonthOfYear => "month of the year",
        Every::Weekday => "weekday",
        Every::Hour => "hour of the day",
    }
}

/// True unless the question was beyond the rules.
pub fn understood(plan: &Plan) -> bool {
    !matches!(
        plan,
        Plan::Table(TablePlan { task: Task::Overview { understood: false }, .. })
            | Plan::Image(super::plan::ImagePlan { task: ImageTask::Facts { understood: false }, .. })
            | Plan::Media(super::plan::ImagePlan { task: ImageTask::Facts { understood: false }, .. })
            | Plan::Text(super::plan::TextPlan { task: TextTask::Overview { understood: false }, .. })
            | Plan::Json { understood: false, .. }
    )
}

/// Files that a plan reads.
pub fn files(plan: &Plan) -> Vec<String> {
    match plan {
        Plan::Table(plan) => {
            let mut files = vec![plan.source.file.clone()];
            files
                .extend(plan.join.iter().map(|join| join.source.file.clone()).filter(|file| *file != plan.source.file));
            files
        }
        Plan::Image(plan) | Plan::Media(plan) => plan.files.clone(),
        Plan::Text(plan) => vec![plan.file.clone()],
        Plan::Json { file, .. } | Plan::Archive { file, .. } | Plan::Known { file, .. } => vec![file.clone()],
        Plan::Files => Vec::new(),
    }
}

/// What will be done, step by step, each a short sentence without its full stop.
pub fn steps(plan: &Plan) -> Vec<String> {
    let names: Vec<String> = files(plan).iter().take(5).map(|file| format!("`{}`", plain(file))).collect();
    let mut steps = if names.is_empty() { Vec::new() } else { vec![format!("read {}", listing(&names))] };
    match plan {
        Plan::Table(plan) => {
            if let Some(sheet) = &plan.source.sheet {
                steps[0] += &format!(", sheet `{}`", plain(sheet));
            }
            if let Some(join) = &plan.join {
                steps.push(format!("join the two tables on `{}`", plain(&join.left)));
            }
            if !plan.filters.is_empty() {
                steps.push(format!("keep the rows where {}", filter_words(&plan.filters)));
            }
            steps.extend(task_steps(&plan.task));
        }
        Plan::Image(plan) | Plan::Media(plan) => match &plan.task {
            ImageTask::FrameAt { seconds } => {
                steps.push(format!("save the picture at {} s as a PNG", py_number(*seconds)))
            }
            ImageTask::Sound { format } => steps.push(format!("save its sound as {}", format.to_uppercase())),
            ImageTask::Join { format } => {
                steps.push(format!("put them one after the other into one {} file", format.to_uppercase()))
            }
            ImageTask::Facts { .. } => steps.push("look up format, size, frames and duration".into()),
            ImageTask::Frames { step: 1 } => {
                steps.push("save each frame as a PNG, and all of them as `frames.zip`".into())
            }
            ImageTask::Frames { step } => {
                steps.push(format!("save every {step}. frame as a PNG, and all of them as `frames.zip`"))
            }
            ImageTask::ContactSheet => steps.push("put up to 30 evenly spread pictures on one sheet".into()),
            ImageTask::Colors => steps.push("find the eight colours that stand for most pixels".into()),
            ImageTask::Edit { changes, format } => {
                steps.extend(changes.iter().map(change_words));
                steps.push(format.map_or("save it under a new name".into(), |format| {
                    format!("save it as {}", format.to_uppercase())
                }));
            }
        },
        Plan::Text(plan) => steps.push(match &plan.task {
            TextTask::Overview { .. } => "count lines, words and characters, and find the most frequent words".into(),
            TextTask::Words { count } => format!("find the {count} most frequent words, short everyday words left out"),
            TextTask::Search { text } => {
                format!("find the lines that contain “{}”, without regard to case", plain(text))
            }
            TextTask::Lines { count, from_end } => {
                format!("show the {} {count} lines", if *from_end { "last" } else { "first" })
            }
        }),
        Plan::Json { .. } => steps.push("list its structure, and turn lists of records into tables".into()),
        Plan::Archive { .. } => steps.push("list what is in it".into()),
        Plan::Known { what, .. } => {
            steps = vec![format!("tell what is known of {}, which is {what}", listing(&names))];
        }
        Plan::Files => steps.push("list the files of the workspace".into()),
    }
    steps
}

fn task_steps(task: &Task) -> Vec<String> {
    let name = |name: &String| human(name);
    match task {
        Task::Overview { .. } => {
            vec!["list the columns with types, gaps and values".into(), "draw the most telling ones".into()]
        }
        Task::Unknown { names, .. } => {
            let names: Vec<String> = names.iter().map(|name| format!("“{}”", plain(name))).collect();
            vec![format!("show which columns there are, since none is called {}", choice(&names))]
        }
        Task::Aggregate { measures, how, by, top, share, .. } => {
            let groups: Vec<String> = by.iter().map(name).collect();
            let mut figure = figure_words(measures, *how);
            figure = figure[..1].to_lowercase() + &figure[1..];
            let mut steps = vec![if by.is_empty() {
                format!("compute the {figure}")
            } else {
                format!("compute the {figure} for each {}", listing(&groups))
            }];
            if *share {
                steps.push("express it as parts of the whole".into());
            }
            if let Some(top) = top {
                steps.push(format!(
                    "keep the {} {}",
                    top.count,
                    if top.order == Order::Ascending { "lowest" } else { "highest" }
                ));
            }
            if !by.is_empty() {
                steps.push("draw it".into());
            }
            steps
        }
        Task::Trend { measures, how, every, by, .. } => {
            let split = by.as_ref().map_or(String::new(), |by| format!(", one line for each {}", human(by)));
            vec![
                format!("compute the {} by {}{split}", figure_words(measures, *how).to_lowercase(), step_words(*every)),
                "draw it".into(),
            ]
        }
        Task::Distribution { column, by, .. } => {
            vec![
                format!(
                    "draw how the values of {} are spread{}",
                    human(column),
                    by.as_ref().map_or(String::new(), |by| format!(", by {}", human(by)))
                ),
                "compute median and quartiles".into(),
            ]
        }
        Task::Relationship { x, y, by } => {
            vec![
                format!(
                    "draw {} against {}{}",
                    human(y),
                    human(x),
                    by.as_ref().map_or(String::new(), |by| format!(", coloured by {}", human(by)))
                ),
                "compute how closely they go together".into(),
            ]
        }
        Task::Correlation { columns } => vec![
            format!("compute the correlation of each pair of {} columns with numbers", columns.len()),
            "draw it as a heatmap".into(),
        ],
        Task::Pivot { measure, how, rows, columns } => {
            let measures: Vec<String> = measure.iter().cloned().collect();
            vec![
                format!(
                    "compute the {} with {} down and {} across",
                    figure_words(&measures, *how).to_lowercase(),
                    human(rows),
                    human(columns)
                ),
                "draw it as a heatmap".into(),
            ]
        }
        Task::Rows { sort, limit, from_end, columns } => {
            let mut steps = Vec::new();
            if let Some((column, order)) = sort {
                steps.push(format!(
                    "sort by {}, {} first",
                    human(column),
                    if *order == Order::Ascending { "lowest" } else { "highest" }
                ));
            }
            let what = if columns.is_empty() {
                String::new()
            } else {
                format!(" with {}", listing(&columns.iter().map(name).collect::<Vec<_>>()))
            };
            steps.push(match limit {
                Some(limit) => format!("show the {} {limit} rows{what}", if *from_end { "last" } else { "first" }),
                None => format!("show the rows{what}"),
            });
            steps
        }
        Task::Missing => vec!["count what is missing in each column".into(), "draw it".into()],
        Task::Duplicates => vec!["find the rows that occur more than once".into()],
        Task::Clean => vec![
            "trim texts and names, remove empty and repeated rows, put dates into one format".into(),
            "write `cleaned.csv` with a report of each change".into(),
        ],
        Task::Outliers { columns } => {
            let names: Vec<String> = columns.iter().take(4).map(name).collect();
            vec![
                format!("find values of {} more than 1.5 times the middle half's width away from it", listing(&names)),
                "draw a box plot of each".into(),
            ]
        }
        Task::Export { format } => vec![format!("write the table as {}", format.to_uppercase())],
    }
}

fn change_words(change: &Change) -> String {
    match change {
        Change::Resize { width: Some(w), height: Some(h) } => format!("resize it to {w} × {h} pixels"),
        Change::Resize { width: Some(w), .. } => format!("resize it to {w} pixels wide, in proportion"),
        Change::Resize { height, .. } => format!("resize it to {} pixels high, in proportion", height.unwrap_or(1)),
        Change::Scale(factor) => format!("scale it to {:.0} %", factor * 100.0),
        Change::Fit(side) => format!("fit it into {side} × {side} pixels"),
        Change::CropCentre(None) => "crop it to the largest square around the centre".into(),
        Change::CropCentre(Some((w, h))) => format!("crop it to {w} × {h} pixels around the centre"),
        Change::CropBox(l, t, r, b) => format!("crop it to the box {l}, {t}, {r}, {b}"),
        Change::Rotate(degrees) => format!("turn it by {degrees} degrees clockwise"),
        Change::Mirror => "swap left and right".into(),
        Change::Flip => "swap top and bottom".into(),
        Change::Grayscale => "make it grey".into(),
        Change::Speed(factor) => format!("play it {factor:.2} times as fast"),
        Change::Reverse => "play it backwards".into(),
        Change::Boomerang => "play it forwards, then backwards".into(),
        Change::FirstFrames(count) => format!("keep the first {count} frames"),
        Change::EveryFrame(step) => format!("keep every {step}. frame"),
        Change::Trim { start, end } => match (start, end) {
            (Some(start), Some(end)) => format!("keep the part from {} s to {} s", py_number(*start), py_number(*end)),
            (Some(start), None) => format!("leave out the first {} s", py_number(*start)),
            (None, end) => format!("keep the first {} s", py_number(end.unwrap_or(0.0))),
        },
        Change::CutEnd(seconds) => format!("leave out the last {} s", py_number(*seconds)),
        Change::Rate(rate) => format!("give it {} pictures in a second", py_number(*rate)),
        Change::Mute => "leave out the sound".into(),
    }
}

/// What the picture that a plan draws shows; `None` if it draws none.
pub fn picture(plan: &Plan) -> Option<String> {
    let Plan::Table(plan) = plan else {
        return match plan {
            Plan::Image(super::plan::ImagePlan { task: ImageTask::ContactSheet, .. })
            | Plan::Media(super::plan::ImagePlan { task: ImageTask::ContactSheet, .. }) => {
                Some("pictures from beginning to end, row by row".into())
            }
            _ => None,
        };
    };
    let lower = |text: String| text[..1].to_lowercase() + &text[1..];
    let shape = |chart: Chart, auto: &'static str| match chart {
        Chart::Auto => auto,
        Chart::Bar => "bars",
        Chart::Line => "lines",
        Chart::Area => "areas",
        Chart::Pie => "slices of a pie",
        Chart::Scatter => "points",
        Chart::Histogram => "a histogram",
        Chart::Box => "a box plot",
        Chart::Violin => "violins",
        Chart::Heatmap => "coloured cells",
        Chart::None => "a table",
    };
    let colours = |by: Option<&String>| by.map_or(String::new(), |by| format!(", a colour for each {}", human(by)));
    Some(match &plan.task {
        Task::Aggregate { measures, how, by, chart, .. } if !by.is_empty() && *chart != Chart::None => {
            let figure = lower(figure_words(measures, *how));
            format!("{} for the {figure} of each {}{}", shape(*chart, "bars"), human(&by[0]), colours(by.get(1)))
        }
        Task::Trend { measures, how, every, by, chart, .. } if *chart != Chart::None => {
            let figure = lower(figure_words(measures, *how));
            format!("{} for the {figure} by {}{}", shape(*chart, "lines"), step_words(*every), colours(by.as_ref()))
        }
        Task::Distribution { column, by, chart } => {
            format!("{} of {}{}", shape(*chart, "a histogram"), human(column), colours(by.as_ref()))
        }
        Task::Relationship { x, y, by } => {
            format!("a point for each row, {} across and {} up{}", human(x), human(y), colours(by.as_ref()))
        }
        Task::Correlation { .. } => "a cell for each pair of columns; 1 and -1 are perfect lines, 0 is none".into(),
        Task::Pivot { rows, columns, .. } => format!("a cell for each {} and {}", human(rows), human(columns)),
        Task::Overview { .. } => "how the values of the most telling columns are spread".into(),
        Task::Missing => "how much is missing in each column".into(),
        Task::Outliers { .. } => {
            "a box for the middle half of each column, and points for what lies far from it".into()
        }
        _ => return None,
    })
}

/// The plan in a sentence or two.
pub fn sentence(plan: &Plan) -> String {
    let steps = steps(plan);
    let mut text = capital(&listing(&steps));
    text.push('.');
    text
}
