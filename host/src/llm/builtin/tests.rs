//! Questions with the plans they should give, over samples made from the real test files.

mod recordings;

use super::*;
use crate::engine::sample::{Column, ColumnType, Content, Dialect, ImageFacts, Role, Sheet, Table};
use crate::llm::builtin::plan::*;

const PENGUINS: &str = include_str!("../../../../tests/data/penguins.csv");
const WEATHER: &str = include_str!("../../../../tests/data/seattle-weather.csv");

/// A sample as the sampler makes them, simple enough to be trusted.
fn table(text: &str, delimiter: &str) -> Table {
    let rows: Vec<Vec<String>> = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter.as_bytes()[0])
        .from_reader(text.as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let (head, body) = rows.split_first().unwrap();
    let columns = head
        .iter()
        .enumerate()
        .map(|(at, name)| column(name, &body.iter().map(|row| row[at].as_str()).collect::<Vec<_>>()))
        .collect();
    let cell = |text: &String| Some(text.clone()).filter(|text| !text.is_empty() && text != "NA");
    Table {
        rows: body.len() as u64,
        rows_estimated: false,
        dialect: Some(Dialect {
            delimiter: delimiter.into(),
            header: true,
            encoding: "utf-8".into(),
            decimal: ".".into(),
        }),
        columns,
        head: body.iter().take(8).map(|row| row.iter().map(cell).collect()).collect(),
    }
}

fn column(name: &str, cells: &[&str]) -> Column {
    let values: Vec<&str> = cells.iter().copied().filter(|cell| !cell.is_empty() && *cell != "NA").collect();
    let mut counts: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    values.iter().for_each(|value| *counts.entry(value).or_default() += 1);
    let mut top: Vec<(String, u64)> = counts.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
    top.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    top.truncate(8);
    let date = |value: &str| value.len() == 10 && value.as_bytes()[4] == b'-';
    let kind = if values.is_empty() {
        ColumnType::Empty
    } else if values.iter().all(|value| value.parse::<i64>().is_ok()) {
        ColumnType::Integer
    } else if values.iter().all(|value| value.parse::<f64>().is_ok()) {
        ColumnType::Float
    } else if values.iter().all(|value| date(value)) {
        ColumnType::Date
    } else if values.iter().all(|value| matches!(*value, "true" | "false")) {
        ColumnType::Boolean
    } else {
        ColumnType::Text
    };
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
    let numeric = matches!(kind, ColumnType::Integer | ColumnType::Float);
    let end = |larger: bool| {
        if numeric {
            numbers.iter().copied().reduce(|a, b| if (a > b) == larger { a } else { b }).map(serde_json::Value::from)
        } else {
            if larger { values.iter().max() } else { values.iter().min() }.map(|value| serde_json::Value::from(*value))
        }
    };
    let role = match kind {
        ColumnType::Date => Role::Time,
        ColumnType::Float => Role::Measure,
        ColumnType::Integer if counts.len() > 12 => Role::Measure,
        ColumnType::Text if counts.len() == values.len() && values.len() > 20 => Role::Id,
        _ => Role::Category,
    };
    Column {
        name: name.into(),
        kind,
        role,
        missing: (cells.len() - values.len()) as u64,
        distinct: counts.len() as u64,
        distinct_capped: false,
        min: end(false),
        max: end(true),
        mean: numeric.then(|| numbers.iter().sum::<f64>() / numbers.len() as f64),
        quartiles: None,
        top: if kind == ColumnType::Text || kind == ColumnType::Boolean { top } else { Vec::new() },
        histogram: Vec::new(),
        date_format: (kind == ColumnType::Date).then(|| "%Y-%m-%d".into()),
    }
}

fn sample(name: &str, content: Content) -> Sample {
    Sample { name: name.into(), size: 1000, media_type: "text/csv".into(), content, notes: Vec::new() }
}

fn penguins() -> Vec<Sample> {
    vec![sample("penguins.csv", Content::Table(table(PENGUINS, ",")))]
}

fn weather() -> Vec<Sample> {
    vec![sample("seattle-weather.csv", Content::Table(table(WEATHER, ",")))]
}

fn orbit() -> Vec<Sample> {
    let facts = ImageFacts {
        format: "gif".into(),
        width: 240,
        height: 180,
        frames: 36,
        duration_ms: 2160,
        color: "palette of 64 colours".into(),
    };
    vec![sample("orbit.gif", Content::Image(facts))]
}

const HOSTILE: &str = r##""na'me""),x";`a b`;$p$ ${x}_usd;class
"'); import os #";1;2.5;$5-$10
```;3;4.5;{x}
{0}\;5;6.25;"a
b"
"'); import os #";7;8;$5-$10
"##;
const ORDERS: &str =
    "order_id,customer_id,amount,status\n1,10,20.5,paid\n2,11,30,open\n3,10,12.25,paid\n4,12,99,paid\n5,11,1,void\n";
const CUSTOMERS: &str = "customer_id,name,country\n10,Ann,France\n11,Bob,Spain\n12,Cid,France\n";

fn hostile() -> Vec<Sample> {
    vec![sample("it's {x}.csv", Content::Table(table(HOSTILE, ";")))]
}

fn shop() -> Vec<Sample> {
    vec![
        sample("orders.csv", Content::Table(table(ORDERS, ","))),
        sample("customers.csv", Content::Table(table(CUSTOMERS, ","))),
    ]
}

fn log() -> Vec<Sample> {
    vec![sample("server.log", Content::Text { lines: 4, encoding: "utf-8".into(), preview: "GET / 200".into() })]
}

fn book() -> Vec<Sample> {
    let sheets = vec![
        Sheet { name: "Orders".into(), table: Table { dialect: None, ..table(ORDERS, ",") } },
        Sheet { name: "Customers".into(), table: Table { dialect: None, ..table(CUSTOMERS, ",") } },
    ];
    vec![sample("shop.xlsx", Content::Workbook { sheets })]
}

fn tree() -> Vec<Sample> {
    vec![sample("tree.json", Content::Json { structure: "object".into(), preview: "{}".into() })]
}

fn table_plan(question: &str, samples: &[Sample]) -> TablePlan {
    match question::plan(question, samples) {
        Plan::Table(plan) => plan,
        other => panic!("{question}: {other:?}"),
    }
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn aggregate(measures: &[&str], how: Agg, by: &[&str], chart: Chart) -> Task {
    Task::Aggregate { measures: names(measures), how, by: names(by), chart, top: None, share: false }
}

#[track_caller]
fn check(samples: &[Sample], question: &str, expected: Task) {
    assert_eq!(table_plan(question, samples).task, expected, "{question}");
}

#[track_caller]
fn check_filters(samples: &[Sample], question: &str, expected: &[Filter]) {
    assert_eq!(table_plan(question, samples).filters, expected, "{question}");
}

#[test]
fn the_headline_question_gives_grouped_bars() {
    let expected = aggregate(&["body_mass_g"], Agg::Mean, &["species", "sex"], Chart::Bar);
    for question in [
        "average body mass by species and sex as a bar chart",
        "Average Body Mass by Species and Sex, as a bar chart!",
        "mean body_mass_g per species and sex bar chart",
        "bar chart of the average weight by species and gender",
        "avg body mass for each species and sex (bars)",
        "average boddy mass by specie and sex as bar chart",
    ] {
        check(&penguins(), question, expected.clone());
    }
}

#[test]
fn figures_per_group_are_aggregated() {
    let p = penguins();
    check(&p, "How many penguins per island?", aggregate(&[], Agg::Count, &["island"], Chart::Auto));
    check(&p, "number of rows by species and island", aggregate(&[], Agg::Count, &["species", "island"], Chart::Auto));
    check(
        &p,
        "median flipper length per island",
        aggregate(&["flipper_length_mm"], Agg::Median, &["island"], Chart::Auto),
    );
    check(
        &p,
        "compare bill depth between species",
        aggregate(&["bill_depth_mm"], Agg::Mean, &["species"], Chart::Auto),
    );
    check(&p, "how many species per island", aggregate(&["species"], Agg::Distinct, &["island"], Chart::Auto));
    check(&p, "maximum body mass by sex", aggregate(&["body_mass_g"], Agg::Max, &["sex"], Chart::Auto));
    check(&p, "what is the average body mass?", aggregate(&["body_mass_g"], Agg::Mean, &[], Chart::Auto));
    check(
        &p,
        "average bill length by year as a line chart",
        aggregate(&["bill_length_mm"], Agg::Mean, &["year"], Chart::Line),
    );
    check(&p, "how many rows are there", aggregate(&[], Agg::Count, &[], Chart::None));
    check(
        &weather(),
        "total precipitation by weather",
        aggregate(&["precipitation"], Agg::Sum, &["weather"], Chart::Auto),
    );
}

#[test]
fn shares_and_pies_are_parts_of_a_whole() {
    let share = |by: &[&str], chart| Task::Aggregate {
        measures: vec![],
        how: Agg::Count,
        by: names(by),
        chart,
        top: None,
        share: true,
    };
    check(&penguins(), "share of species as a pie chart", share(&["species"], Chart::Pie));
    check(&penguins(), "percentage of sex by island", share(&["island", "sex"], Chart::Auto));
    check(&weather(), "proportion of each weather", share(&["weather"], Chart::Auto));
}

#[test]
fn superlatives_rank_groups_or_rows() {
    let p = penguins();
    let ranked = |measures: &[&str], how, by: &[&str], count, order| Task::Aggregate {
        measures: names(measures),
        how,
        by: names(by),
        chart: Chart::Auto,
        top: Some(Top { count, order }),
        share: false,
    };
    check(
        &p,
        "which species has the highest body mass?",
        aggregate(&["body_mass_g"], Agg::Mean, &["species"], Chart::Auto),
    );
    check(&p, "highest body mass by species", aggregate(&["body_mass_g"], Agg::Max, &["species"], Chart::Auto));
    check(&p, "top 2 islands by number of penguins", ranked(&[], Agg::Count, &["island"], 2, Order::Descending));
    check(&p, "top 3 species by body mass", ranked(&["body_mass_g"], Agg::Mean, &["species"], 3, Order::Descending));
    let rows = |column: &str, order, limit| Task::Rows {
        sort: Some((column.into(), order)),
        limit: Some(limit),
        from_end: false,
        columns: vec![],
    };
    check(&p, "top 5 heaviest penguins", rows("body_mass_g", Order::Descending, 5));
    check(&p, "the 3 smallest flipper lengths", rows("flipper_length_mm", Order::Ascending, 3));
    check(&weather(), "what were the 10 hottest days", rows("temp_max", Order::Descending, 10));
}

#[test]
fn values_and_numbers_become_filters() {
    let p = penguins();
    let one =
        |column: &str, value: &str| Filter::OneOf { column: column.into(), values: vec![value.into()], not: false };
    let number = |column: &str, operator, value| Filter::Compare { column: column.into(), operator, value };
    check_filters(&p, "average body mass of only Adelie penguins by sex", &[one("species", "Adelie")]);
    check_filters(&p, "how many penguins on Biscoe", &[one("island", "Biscoe")]);
    check_filters(
        &p,
        "list rows where species is gentoo and body mass above 4,000",
        &[number("body_mass_g", ">", 4000.0), one("species", "Gentoo")],
    );
    check_filters(&p, "body mass per species in 2007", &[number("year", "==", 2007.0)]);
    check_filters(
        &p,
        "show rows with flipper length between 200 and 210",
        &[number("flipper_length_mm", ">=", 200.0), number("flipper_length_mm", "<=", 210.0)],
    );
    check_filters(
        &p,
        "count rows not on Dream",
        &[Filter::OneOf { column: "island".into(), values: vec!["Dream".into()], not: true }],
    );
    check_filters(&p, "show rows where sex is missing", &[Filter::Missing { column: "sex".into() }]);
    check_filters(
        &p,
        "list penguins where island is Atlantis",
        &[Filter::Text { column: "island".into(), text: "Atlantis".into(), part: false, not: false }],
    );
    let date = |operator, date: &str| Filter::Date { column: "date".into(), operator, date: date.into() };
    check_filters(&weather(), "total precipitation in 2013", &[date(">=", "2013-01-01"), date("<", "2014-01-01")]);
    check_filters(
        &weather(),
        "precipitation between 2013 and 2014 by month",
        &[date(">=", "2013-01-01"), date("<", "2015-01-01")],
    );
    check_filters(&weather(), "average wind since 2014-02", &[date(">=", "2014-02-01")]);
    check_filters(&weather(), "mean temp_max in July", &[Filter::Month { column: "date".into(), month: 7 }]);
    check_filters(&weather(), "how many rainy days per year", &[one("weather", "rain")]);
}

#[test]
fn two_values_of_a_column_are_compared() {
    let plan = table_plan("compare body mass between males and females", &penguins());
    assert_eq!(plan.task, aggregate(&["body_mass_g"], Agg::Mean, &["sex"], Chart::Auto));
    let plan = table_plan("Adelie vs Gentoo flipper length", &penguins());
    assert_eq!(plan.task, aggregate(&["flipper_length_mm"], Agg::Mean, &["species"], Chart::Auto));
    assert_eq!(
        plan.filters,
        [Filter::OneOf { column: "species".into(), values: names(&["Adelie", "Gentoo"]), not: false }]
    );
}

#[test]
fn words_of_time_make_trends() {
    let trend = |measures: &[&str], how, every, by: Option<&str>, chart| Task::Trend {
        time: "date".into(),
        measures: names(measures),
        how,
        every,
        by: by.map(str::to_owned),
        chart,
    };
    let w = weather();
    check(&w, "average wind over time", trend(&["wind"], Agg::Mean, Every::Month, None, Chart::Auto));
    check(&w, "monthly total precipitation", trend(&["precipitation"], Agg::Sum, Every::Month, None, Chart::Auto));
    check(
        &w,
        "temp_max and temp_min per week as a line chart",
        trend(&["temp_max", "temp_min"], Agg::Mean, Every::Week, None, Chart::Line),
    );
    check(&w, "how many rainy days per year", trend(&[], Agg::Count, Every::Year, None, Chart::Auto));
    check(
        &w,
        "average temperature by month of the year",
        trend(&["temp_max", "temp_min"], Agg::Mean, Every::MonthOfYear, None, Chart::Auto),
    );
    check(&w, "number of days per year and weather", trend(&[], Agg::Count, Every::Year, Some("weather"), Chart::Auto));
    check(
        &w,
        "which month is the wettest?",
        trend(&["precipitation"], Agg::Sum, Every::MonthOfYear, None, Chart::Auto),
    );
    check(&penguins(), "body mass over time", aggregate(&["body_mass_g"], Agg::Mean, &["year"], Chart::Line));
}

#[test]
fn spreads_relations_and_pivots_are_told_apart() {
    let p = penguins();
    let distribution = |column: &str, by: Option<&str>, chart| Task::Distribution {
        column: column.into(),
        by: by.map(str::to_owned),
        chart,
    };
    check(&p, "distribution of flipper length", distribution("flipper_length_mm", None, Chart::Auto));
    check(&p, "histogram of body mass by species", distribution("body_mass_g", Some("species"), Chart::Histogram));
    check(&p, "box plot of bill length per island", distribution("bill_length_mm", Some("island"), Chart::Box));
    let relation =
        |x: &str, y: &str, by: Option<&str>| Task::Relationship { x: x.into(), y: y.into(), by: by.map(str::to_owned) };
    check(&p, "relationship between flipper length and body mass", relation("flipper_length_mm", "body_mass_g", None));
    check(
        &p,
        "scatter plot of body mass vs flipper length coloured by species",
        relation("flipper_length_mm", "body_mass_g", Some("species")),
    );
    let all = names(&["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]);
    check(&p, "correlation matrix", Task::Correlation { columns: all.clone() });
    check(&p, "correlation heatmap", Task::Correlation { columns: all });
    let pivot = |measure: Option<&str>, how| Task::Pivot {
        measure: measure.map(str::to_owned),
        how,
        rows: "species".into(),
        columns: "island".into(),
    };
    check(&p, "pivot of body mass by species and island", pivot(Some("body_mass_g"), Agg::Mean));
    check(&p, "crosstab of species and island", pivot(None, Agg::Count));
}

#[test]
fn housekeeping_is_understood() {
    let p = penguins();
    check(&p, "missing values", Task::Missing);
    check(&p, "clean the data", Task::Clean);
    check(&p, "remove duplicates", Task::Clean);
    check(&p, "are there duplicate rows?", Task::Duplicates);
    check(&p, "outliers in body mass", Task::Outliers { columns: names(&["body_mass_g"]) });
    check(&p, "convert to json", Task::Export { format: "json" });
    check(&p, "first 10 rows", Task::Rows { sort: None, limit: Some(10), from_end: false, columns: vec![] });
    for question in ["overview", "describe the data", "summarise this file", ""] {
        check(&p, question, Task::Overview { understood: true });
    }
    for question in ["predict the body mass", "write a poem about the sea", "qwertz uiop"] {
        check(&p, question, Task::Overview { understood: false });
    }
}

#[test]
fn two_tables_are_joined_when_both_are_needed() {
    let plan = table_plan("total amount by country", &shop());
    assert_eq!(plan.task, aggregate(&["amount"], Agg::Sum, &["country"], Chart::Auto));
    assert!(plan.join.is_some_and(|join| join.left == "customer_id" && join.right == "customer_id"));
    assert_eq!(table_plan("how many customers per country", &shop()).source.file, "customers.csv");
    let plan = table_plan("total amount per status", &book());
    assert_eq!((plan.source.sheet.as_deref(), plan.join), (Some("Orders"), None));
}

#[test]
fn images_are_probed_cut_and_sped_up() {
    let task = |question: &str| match question::plan(question, &orbit()) {
        Plan::Image(plan) => plan.task,
        other => panic!("{question}: {other:?}"),
    };
    let edit = |changes: Vec<Change>, format| ImageTask::Edit { changes, format };
    assert_eq!(task("how many frames does it have?"), ImageTask::Facts { understood: true });
    assert_eq!(task("extract all frames"), ImageTask::Frames { step: 1 });
    assert_eq!(task("extract every 3rd frame"), ImageTask::Frames { step: 3 });
    assert_eq!(task("make a contact sheet"), ImageTask::ContactSheet);
    assert_eq!(task("resize to 120 px wide"), edit(vec![Change::Resize { width: Some(120), height: None }], None));
    assert_eq!(task("resize to 100x80"), edit(vec![Change::Resize { width: Some(100), height: Some(80) }], None));
    assert_eq!(task("make it half the size"), edit(vec![Change::Scale(0.5)], None));
    assert_eq!(task("play it twice as fast"), edit(vec![Change::Speed(2.0)], None));
    assert_eq!(task("slow down 2x"), edit(vec![Change::Speed(0.5)], None));
    assert_eq!(task("reverse it and make it grayscale"), edit(vec![Change::Grayscale, Change::Reverse], None));
    assert_eq!(task("convert to png"), edit(vec![], Some("png")));
    assert_eq!(task("rotate by 90 degrees"), edit(vec![Change::Rotate(90.0)], None));
    assert_eq!(task("crop to a square"), edit(vec![Change::CropCentre(None)], None));
    assert_eq!(task("sing me a song"), ImageTask::Facts { understood: false });
}

#[test]
fn notes_of_the_sampler_change_the_reading() {
    let mut samples = vec![sample("p.csv", Content::Table(table("shop,price\nA,$1\nB,\"$1,200\"\nA,$3\nB,-\n", ",")))];
    samples[0].notes = vec![
        "column `price` holds numbers written like `$1`: strip the signs (or pass `thousands`) before calculating"
            .into(),
        "column `price` marks missing values with `-`: pass it as na_values".into(),
        "the table begins below a preamble: read it with skiprows=2".into(),
    ];
    let context = PlanContext { question: "average price by shop".into(), samples, ..Default::default() };
    let text = reply(Purpose::Generate, &context);
    assert!(text.contains("pd.read_csv('p.csv', skiprows=2, na_values=['-'])"), "{text}");
    assert!(text.contains("pd.to_numeric(df['price'].astype(str).str.replace("), "{text}");
    assert!(text.contains("mean_price=('price', 'mean')"), "{text}");
}

#[test]
fn every_suggestion_is_understood() {
    for samples in [penguins(), weather(), orbit(), shop(), book(), log(), hostile()] {
        let suggestions = suggestions(&samples);
        assert!((1..=4).contains(&suggestions.len()), "{suggestions:?}");
        for question in suggestions {
            assert!(describe::understood(&question::plan(&question, &samples)), "{question}");
        }
    }
    assert_eq!(suggestions(&penguins()).len(), 4);
}

#[test]
fn a_reply_has_one_program_and_next_questions() {
    for samples in [penguins(), weather(), orbit(), hostile(), vec![]] {
        for question in ["overview", "average body mass by species", "resize to 20 px", "how many ``` by na'me"] {
            let context = PlanContext { question: question.into(), samples: samples.clone(), ..Default::default() };
            let text = reply(Purpose::Generate, &context);
            assert_eq!(text.matches("```").count(), 2, "{text}");
            assert!(text.contains("```python\n"), "{text}");
            assert!(samples.is_empty() || text.contains("Next questions:\n- "), "{text}");
        }
    }
}

#[test]
fn an_explanation_repeats_printed_figures_and_signs() {
    let context = PlanContext {
        question: "average body mass by species".into(),
        samples: penguins(),
        result: Some("Read 344 rows.\nHighest average body mass: Gentoo with 5,076.02 g.\n<img src=x> and [a](b).\nname   rows\n".into()),
        artifacts: vec!["result.csv".into()],
        ..Default::default()
    };
    let text = reply(Purpose::Explain, &context);
    assert!(text.contains("Gentoo with 5,076.02 g."), "{text}");
    assert!(text.contains("`result.csv`") && text.contains("body mass (2)"), "{text}");
    assert!(!text.contains("<img") && !text.contains("[a](b)"), "{text}");
    assert!(text.ends_with(explain::SIGNATURE), "{text}");
}

#[test]
fn a_repair_differs_from_what_failed() {
    let mut context =
        PlanContext { question: "average body mass by species".into(), samples: penguins(), ..Default::default() };
    let plan = question::plan(&context.question, &context.samples);
    let first = program::render(&plan, &context.samples);
    context.program = Some(first.clone());
    context.result = Some("ValueError".into());
    let second = repair::repair(&plan, &context.samples, &first, "ValueError: x");
    let third = repair::repair(&plan, &context.samples, &second, "ValueError: x");
    assert!(first != second && second != third && first != third);
    assert!(second.contains("on_bad_lines='skip'") && third.contains("assumes nothing"));
}

#[test]
fn no_question_and_no_sample_is_too_odd() {
    let odd = [
        "",
        " ",
        "\0",
        "by by by by",
        "top",
        "between 5 and",
        "in 2013 in 2013",
        "average",
        "'",
        "\"\"\"",
        "where is",
        "é".repeat(5000).leak(),
        "body ".repeat(3000).leak(),
        "1e999 > < = -",
        "select * from penguins; drop table x",
        "top 99999999999 species",
        "above above 3",
        "month",
        "per per",
        "most",
    ];
    for samples in [penguins(), weather(), orbit(), hostile(), shop(), book(), log(), tree(), vec![]] {
        for question in odd {
            for purpose in [Purpose::Generate, Purpose::Repair, Purpose::Explain] {
                let context = PlanContext { question: question.into(), samples: samples.clone(), ..Default::default() };
                assert!(!reply(purpose, &context).is_empty());
            }
        }
    }
}

#[tokio::test]
async fn the_pieces_make_up_the_reply() {
    let context =
        PlanContext { question: "average body mass by species".into(), samples: penguins(), ..Default::default() };
    let request = Completion { purpose: Purpose::Generate, messages: vec![], context };
    let mut pieces = Vec::new();
    let reply = Builtin::new().complete(&request, &mut |piece: &str| pieces.push(piece.to_owned())).await.unwrap();
    assert!(pieces.len() > 10);
    assert_eq!(pieces.concat(), reply.text);
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.calls), (0, 0, 1));
}

/// With `GLOVEBOX_PROGRAMS` set to a directory, the programs and their inputs are written there too, to be
/// run by a native Python.
#[test]
fn each_of_many_questions_gives_a_program_that_a_repair_changes() {
    let directory = std::env::var_os("GLOVEBOX_PROGRAMS").map(std::path::PathBuf::from);
    let write = |name: String, text: &str| {
        if let Some(directory) = &directory {
            std::fs::write(directory.join(name), text).unwrap();
        }
    };
    let sets: [(&str, Vec<Sample>); 8] = [
        ("penguins", penguins()),
        ("weather", weather()),
        ("orbit", orbit()),
        ("hostile", hostile()),
        ("shop", shop()),
        ("log", log()),
        ("book", book()),
        ("tree", tree()),
    ];
    let inputs = [("it's {x}.csv", HOSTILE), ("orders.csv", ORDERS), ("customers.csv", CUSTOMERS)];
    for (name, text) in inputs {
        write(name.into(), text);
    }
    for (number, line) in include_str!("questions.txt").lines().filter(|line| !line.is_empty()).enumerate() {
        let (set, question) = line.split_once(": ").unwrap();
        let samples = &sets.iter().find(|(name, _)| *name == set).unwrap().1;
        let plan = question::plan(question, samples);
        let program = program::render(&plan, samples);
        let repaired = repair::repair(&plan, samples, &program, "ValueError");
        let last = repair::repair(&plan, samples, &repaired, "ValueError");
        assert!(program.contains("import "), "{line}: no program: {program}");
        assert_ne!(program, repaired, "{line}: the repair is what failed");
        write(format!("{number:03}.py"), &program);
        write(format!("{number:03}.plan"), &format!("{line}\n{plan:?}\n{}\n", describe::sentence(&plan)));
        write(format!("{number:03}r.py"), &repaired);
        write(format!("{number:03}s.py"), &last);
    }
}
