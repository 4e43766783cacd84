//! The builtin planner over many phrasings: each question runs in the real sandbox of a real server, and a number that
//! this test computes from the file by itself must be in what comes out.

use std::collections::BTreeMap;

use glovebox_tests::{Client, Server, here};
use serde_json::{Value, json};

/// A question, endings of files that must be left, and what must be in the output.
struct Case {
    question: &'static str,
    leaves: &'static [&'static str],
    expects: Expects,
}

enum Expects {
    /// A number, to two decimals.
    Number(f64),
    /// A part of a sentence.
    Says(&'static str),
    /// Both.
    Both(f64, &'static str),
}
use Expects::{Both, Number, Says};

fn case(question: &'static str, leaves: &'static [&'static str], expects: Expects) -> Case {
    Case { question, leaves, expects }
}

type Row = BTreeMap<String, String>;

/// The rows of a file of `tests/data` that has no quotes.
fn rows(name: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(here().join("data").join(name)).expect("in tests/data");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row =
        |line: &str| names.iter().map(|name| (*name).to_owned()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

fn where_is<'a>(rows: &'a [Row], column: &str, value: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row[column].starts_with(value)).collect()
}

/// Numbers of a column; what is missing is left out.
fn numbers<'a>(rows: impl IntoIterator<Item = &'a Row>, column: &str) -> Vec<f64> {
    rows.into_iter().filter_map(|row| row[column].parse().ok()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

/// Pearson's coefficient over rows that have both values.
fn correlation(rows: &[Row], one: &str, other: &str) -> f64 {
    let pairs: Vec<(f64, f64)> =
        rows.iter().filter_map(|row| Some((row[one].parse().ok()?, row[other].parse().ok()?))).collect();
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let (mx, my) = (mean(&x), mean(&y));
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

/// Days of the weather file that are a Saturday; its first day, 2012-01-01, is a Sunday, and no day is left out.
fn saturdays(all: &[Row]) -> Vec<&Row> {
    all.iter().enumerate().filter(|(day, _)| day % 7 == 6).map(|(_, row)| row).collect()
}

fn ask(client: &Client, session: &str, question: &str) -> Value {
    client.post(&format!("/api/v1/sessions/{session}/asks"), &json!({ "question": question })).json(201)
}

/// Everything of an answer that a person reads.
fn output(answer: &Value) -> String {
    let outcome = &answer["run"]["outcome"];
    let mut text =
        format!("{}\n{}", answer["explanation"].as_str().unwrap_or(""), outcome["stdout"].as_str().unwrap_or(""));
    for display in outcome["displays"].as_array().into_iter().flatten() {
        text.push('\n');
        text += display["data"]["text/plain"].as_str().unwrap_or("");
        text += &display["chart"].to_string();
    }
    text
}

fn says_number(text: &str, wanted: f64) -> bool {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | 'e');
    text.split(|c| !part(c))
        .filter_map(|word| word.replace(',', "").trim_end_matches('.').parse::<f64>().ok())
        .any(|found| (found - wanted).abs() <= 0.0051)
}

/// What is wrong with an answer.
fn faults(case: &Case, answer: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let outcome = &answer["run"]["outcome"];
    if answer["status"] != "done" || outcome["ending"] != json!({ "kind": "exited", "code": 0 }) {
        wrong.push(format!("ended {} {}", outcome["ending"], answer["error"]));
    }
    if answer["attempts"].as_array().is_some_and(|attempts| attempts.len() > 1) {
        wrong.push(format!("needed a repair: {}", answer["attempts"][0]["error"]));
    }
    let left: Vec<&str> = answer["run"]["artifacts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["path"].as_str().or(one["name"].as_str()))
        .collect();
    for ending in case.leaves {
        if !left.iter().any(|name| name.ends_with(ending)) {
            wrong.push(format!("left no {ending}, but {left:?}"));
        }
    }
    let text = output(answer);
    let (number, words) = match case.expects {
        Number(number) => (Some(number), None),
        Says(words) => (None, Some(words)),
        Both(number, words) => (Some(number), Some(words)),
    };
    if number.is_some_and(|number| !says_number(&text, number)) {
        wrong.push(format!("does not say {}", number.unwrap_or_default()));
    }
    if words.is_some_and(|words| !text.to_lowercase().contains(&words.to_lowercase())) {
        wrong.push(format!("does not say {:?}", words.unwrap_or_default()));
    }
    if wrong.is_empty() {
        return wrong;
    }
    let program = answer["program"].as_str().unwrap_or("");
    vec![format!("«{}»: {}\n{program}\n{text:.1500}", case.question, wrong.join("; "))]
}

/// Asks all questions in one session and reports every answer that is wrong.
fn check(file: &str, cases: &[Case]) {
    let server = Server::start(&[]);
    let client = server.client();
    let session = client.session(&[&client.upload_data(file)]);
    let wrong: Vec<String> =
        cases.iter().flat_map(|case| faults(case, &ask(&client, &session, case.question))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n----\n"));
}

const PNG: &[&str] = &[".png"];
const CSV: &[&str] = &[".csv"];

#[test]
fn figures_of_groups_are_right_in_many_words() {
    let all = rows("penguins.csv");
    let of = |column: &str, value: &str, measure: &str| numbers(where_is(&all, column, value), measure);
    let gentoo = of("species", "Gentoo", "body_mass_g");
    let males: Vec<&Row> = where_is(&all, "sex", "male").into_iter().filter(|row| row["species"] == "Gentoo").collect();
    let gentoo_males = mean(&numbers(males, "body_mass_g"));
    check(
        "penguins.csv",
        &[
            case("average body mass by species and sex, as a bar chart", PNG, Number(gentoo_males)),
            case("mean weight per species", PNG, Number(mean(&of("species", "Gentoo", "body_mass_g").clone()))),
            case(
                "What is the typical flipper lenght for each island?",
                PNG,
                Number(mean(&of("island", "Dream", "flipper_length_mm"))),
            ),
            case("median beak length per islands", PNG, Number(median(of("island", "Dream", "bill_length_mm")))),
            case("compare bill depth between species", PNG, Number(mean(&of("species", "Chinstrap", "bill_depth_mm")))),
            case("maximum body mass by gender", PNG, Number(largest(&of("sex", "female", "body_mass_g")))),
            case(
                "How many penguins are there on each island?",
                PNG,
                Number(where_is(&all, "island", "Biscoe").len() as f64),
            ),
            case("how many penguins on Torgersen", &[], Number(where_is(&all, "island", "Torgersen").len() as f64)),
            case("what is the average body mass?", &[], Number(mean(&numbers(&all, "body_mass_g")))),
            case("which species has the highest body mass?", &[], Both(mean(&gentoo), "Gentoo")),
            case("top 3 heaviest penguins", CSV, Number(largest(&numbers(&all, "body_mass_g")))),
            case("share of species as a pie chart", PNG, Number((1000.0 * 152.0 / all.len() as f64).round() / 10.0)),
            case("total body mass of female penguins", &[], Number(of("sex", "female", "body_mass_g").iter().sum())),
            case("standard deviation of flipper length by species", PNG, Says("standard deviation")),
            case("body mass per species in 2008", PNG, Says("2008")),
            case(
                "average bodymass of only Adelie penguins",
                &[],
                Number(mean(&of("species", "Adelie", "body_mass_g"))),
            ),
            case(
                "average flipper length by year as a line chart",
                PNG,
                Number(mean(&of("year", "2009", "flipper_length_mm"))),
            ),
            case("average wingspan by species", &[], Says("no column for “wingspan”")),
            case("average body mass by habitat", &[], Says("no column for “habitat”")),
        ],
    );
}

#[test]
fn rows_shapes_and_relations_are_right_in_many_words() {
    let all = rows("penguins.csv");
    let related = correlation(&all, "flipper_length_mm", "body_mass_g");
    let missing = all.iter().filter(|row| row["sex"].parse::<f64>().is_err() && !row["sex"].contains("male")).count();
    let heavy = where_is(&all, "species", "Gentoo")
        .into_iter()
        .filter(|row| row["body_mass_g"].parse::<f64>().is_ok_and(|mass| mass > 6000.0))
        .count();
    check(
        "penguins.csv",
        &[
            case("what is in this file?", PNG, Number(all.len() as f64)),
            case("give me an overview", PNG, Says("rows")),
            case("list penguins where species is gentoo and body mass above 6,000", CSV, Number(heavy as f64)),
            case("show the 5 rows with the longest bill", CSV, Number(largest(&numbers(&all, "bill_length_mm")))),
            case("show rows where sex is missing", CSV, Number(missing as f64)),
            case("sorted by bill length descending", CSV, Number(largest(&numbers(&all, "bill_length_mm")))),
            case("histogram of body mass", PNG, Number(mean(&numbers(&all, "body_mass_g")))),
            case("distribution of flipper length by species", PNG, Says("Gentoo")),
            case(
                "box plot of bill length per island",
                PNG,
                Number(median(numbers(where_is(&all, "island", "Dream"), "bill_length_mm"))),
            ),
            case("relationship between flipper length and body mass", PNG, Number((related * 100.0).round() / 100.0)),
            case("scatter plot of body mass vs flipper length coloured by species", PNG, Says("Chinstrap")),
            case("correlation matrix", PNG, Number((related * 100.0).round() / 100.0)),
            case(
                "pivot of body mass by species and island",
                &[],
                Number(mean(&numbers(where_is(&all, "species", "Gentoo"), "body_mass_g"))),
            ),
            case("crosstab of species and island", &[], Number(where_is(&all, "species", "Gentoo").len() as f64)),
            case("stacked bar of species by island in percent", PNG, Says("Dream")),
            case("which values are missing?", PNG, Number(missing as f64)),
            case("are there duplicate rows?", &[], Says("row")),
            case("clean the data", &["cleaned.csv"], Says("rows")),
            case("any outliers?", PNG, Says("body mass")),
            case("convert to excel", &[".xlsx"], Says("344")),
            case("convert it to json", &[".json"], Says("344")),
            case("correlation between body mass and happiness", &[], Says("no column for “happiness”")),
        ],
    );
}

#[test]
fn figures_over_time_are_right_in_many_words() {
    let all = rows("seattle-weather.csv");
    let in_time = |prefix: &str, column: &str| numbers(where_is(&all, "date", prefix), column);
    let total = |prefix: &str| in_time(prefix, "precipitation").iter().sum::<f64>();
    let july: Vec<f64> = (2012..=2015).flat_map(|year| in_time(&format!("{year}-07"), "temp_max")).collect();
    let rainy = where_is(&all, "date", "2013").into_iter().filter(|row| row["weather"] == "rain").count();
    check(
        "seattle-weather.csv",
        &[
            case(
                "monthly total precipitation",
                PNG,
                Number(largest(
                    &(2012..=2015)
                        .flat_map(|y| (1..=12).map(move |m| (y, m)))
                        .map(|(y, m)| total(&format!("{y}-{m:02}")))
                        .collect::<Vec<_>>(),
                )),
            ),
            case("total rainfall in 2013", &[], Number(total("2013"))),
            case("total precipitation per year as a bar chart", PNG, Number(total("2014"))),
            case("average wind over time", PNG, Says("wind")),
            case("average maximum temperature in July", &[], Number(mean(&july))),
            case("how many rainy days were there in 2013?", &[], Number(rainy as f64)),
            case("average temp_max by month of the year", PNG, Number(mean(&july))),
            case("average wind by weekday as a bar chart", PNG, Both(mean(&numbers(saturdays(&all), "wind")), "Sat")),
            case("what were the 10 hottest days", CSV, Number(largest(&numbers(&all, "temp_max")))),
            case("list days with wind above 9", CSV, Number(largest(&numbers(&all, "wind")))),
            case("share of weather types as a donut", PNG, Says("rain")),
            case(
                "compare temp_max between sun and rain",
                PNG,
                Number(mean(&numbers(where_is(&all, "weather", "sun"), "temp_max"))),
            ),
            case(
                "quarterly precipitation as bars",
                PNG,
                Number(total("2012-01") + total("2012-02") + total("2012-03")),
            ),
            case("temp_max and temp_min per month as a line chart", PNG, Says("temp")),
            case("average humidity by month", &[], Says("no column for “humidity”")),
        ],
    );
}

#[test]
fn a_follow_up_changes_the_question_before() {
    let all = rows("penguins.csv");
    let of = |column: &str, value: &str, measure: &str| numbers(where_is(&all, column, value), measure);
    let females: Vec<&Row> =
        where_is(&all, "sex", "female").into_iter().filter(|row| row["species"] == "Gentoo").collect();
    let year: Vec<&Row> = where_is(&all, "sex", "female").into_iter().filter(|row| row["year"] == "2007").collect();
    check(
        "penguins.csv",
        &[
            case(
                "average body mass by species as a bar chart",
                PNG,
                Number(mean(&of("species", "Gentoo", "body_mass_g"))),
            ),
            case("and the median?", PNG, Number(median(of("species", "Gentoo", "body_mass_g")))),
            case("only females", PNG, Number(median(numbers(females.clone(), "body_mass_g")))),
            case("by year instead", PNG, Number(median(numbers(year.clone(), "body_mass_g")))),
            case("now as a line chart", PNG, Says("lines")),
            case("what about flipper length?", PNG, Number(median(numbers(year, "flipper_length_mm")))),
            case("how many penguins per island?", PNG, Number(where_is(&all, "island", "Dream").len() as f64)),
            case(
                "in percent",
                PNG,
                Number((1000.0 * where_is(&all, "island", "Dream").len() as f64 / all.len() as f64).round() / 10.0),
            ),
        ],
    );
}

#[test]
fn animations_are_changed_in_many_words() {
    check(
        "orbit.gif",
        &[
            case("how many frames does it have?", &[], Both(36.0, "240 x 180")),
            case("how long is it?", &[], Number(2.16)),
            case("resize to 120 px wide", &[".gif"], Says("120 x 90 pixels, 36 frames")),
            case("make it half the size", &[".gif"], Says("120 x 90")),
            case("crop it to a square", &[".gif"], Says("180 x 180")),
            case("rotate by 90 degrees", &[".gif"], Says("180 x 240")),
            case("play it twice as fast", &[".gif"], Says("1.08 seconds")),
            case("slow it down", &[".gif"], Says("4.32 seconds")),
            case("speed up 2x", &[".gif"], Says("1.08 seconds")),
            case("first frame as PNG", PNG, Says("240 x 180 pixels, 1 frames")),
            case("make a contact sheet", &["contact-sheet.png"], Says("contact-sheet.png")),
            case("trim the first 1 second", &[".gif"], Says("it now lasts 1.14 seconds")),
            case("keep only the first 10 frames", &[".gif"], Says("10 frames")),
            case("extract every 12th frame", &["frames.zip"], Says("Wrote 3 pictures")),
            case("reverse it and make it grayscale", &[".gif"], Says("36 frames")),
            case("turn this GIF into a video", &[".mp4"], Says("240 x 180 pixels in h264")),
            case("turn this into an mp4 at half speed", &[".mp4"], Says("4.32 seconds")),
            case("convert to jpg", PNG, Says("JPEG cannot be written")),
            case("what are its main colours?", PNG, Says("most frequent colour")),
        ],
    );
}
