//! Steps of a program from its statements, for a program that is not the plan's own: each statement
//! that reads, changes, draws or writes becomes a sentence. Only names in its own literals appear.

use super::python::{listing, plain};

/// Most steps that are told.
const MAX_STEPS: usize = 14;
/// Longest statement that is looked at, in characters.
const MAX_STATEMENT: usize = 4000;

/// Calls that mean something to a reader, and what they do. `{}` stands for the texts in the call.
const CALLS: &[(&str, &str)] = &[
    ("read_csv(", "read {}"),
    ("read_excel(", "read {}"),
    ("read_json(", "read {}"),
    ("read_parquet(", "read {}"),
    ("read_sql_query(", "read the table that {} names"),
    ("Image.open(", "open {}"),
    ("to_numeric(", "turn {} into numbers; what is none counts as missing"),
    ("to_datetime(", "turn {} into dates; what is none counts as missing"),
    (".dropna(", "leave out rows without a value"),
    (".drop_duplicates(", "leave out repeated rows"),
    (".fillna(", "fill in missing values"),
    (".merge(", "join two tables"),
    (".groupby(", "put the rows into groups"),
    (".pivot_table(", "make a table with groups on both sides"),
    (".resample(", "put the rows into steps of time"),
    (".sort_values(", "sort the rows"),
    (".nlargest(", "keep the largest values"),
    (".nsmallest(", "keep the smallest values"),
    (".corr(", "compute correlations"),
    (".describe(", "compute statistics of the columns"),
    (".hist(", "draw a histogram"),
    (".boxplot(", "draw a box plot"),
    (".scatter(", "draw points"),
    (".barh(", "draw bars"),
    (".bar(", "draw bars"),
    (".plot(", "draw a chart"),
    (".pie(", "draw a pie"),
    (".resize(", "resize the picture"),
    (".crop(", "crop the picture"),
    (".rotate(", "turn the picture"),
];
/// Calls that write a file.
const WRITES: &[&str] = &["savefig(", ".to_csv(", ".to_json(", ".to_excel(", ".to_parquet(", ".save("];

/// What a program does, in order. `files` are those it left: a file that is not among them is not named.
pub fn of_program(program: &str, files: &[String]) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for statement in statements(program) {
        let texts = literals(&statement);
        let bare = without_literals(&statement);
        let mut found: Vec<(usize, String)> = CALLS
            .iter()
            .filter_map(|(call, words)| {
                let at = bare.find(call)?;
                let named = literals(&statement[at..]).into_iter().next().map(|text| format!("`{}`", plain(&text)));
                Some((at, words.replace("{}", named.as_deref().unwrap_or("the data"))))
            })
            .collect();
        if WRITES.iter().any(|call| bare.contains(call)) {
            let left: Vec<String> =
                texts.iter().filter(|text| files.contains(text)).map(|text| format!("`{}`", plain(text))).collect();
            if !left.is_empty() {
                found.push((usize::MAX, format!("write {}", listing(&left))));
            }
        }
        found.sort_by_key(|(at, _)| *at);
        for (_, step) in found {
            if !steps.contains(&step) && steps.len() < MAX_STEPS {
                steps.push(step);
            }
        }
    }
    if steps.len() == MAX_STEPS {
        steps.push("and more, as the program has it".into());
    }
    steps
}

/// The statements of a program, brackets closed, comments left out.
fn statements(program: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let (mut statement, mut depth) = (String::new(), 0_i32);
    let mut quote: Option<char> = None;
    let mut chars = program.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                statement.push(c);
                statement.extend(chars.next());
                continue;
            }
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') => {
                for next in chars.by_ref() {
                    if next == '\n' {
                        break;
                    }
                }
                if depth <= 0 {
                    statements.push(std::mem::take(&mut statement));
                }
                continue;
            }
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, '\n') if depth <= 0 => {
                statements.push(std::mem::take(&mut statement));
                depth = 0;
                continue;
            }
            _ => {}
        }
        if statement.len() < MAX_STATEMENT {
            statement.push(c);
        }
    }
    statements.push(statement);
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

/// A statement with the insides of its literals blanked, byte for byte.
fn without_literals(statement: &str) -> String {
    let mut quote: Option<char> = None;
    let mut out = String::with_capacity(statement.len());
    for c in statement.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {
                out.extend(std::iter::repeat_n(' ', c.len_utf8()));
                continue;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            None => {}
        }
        out.push(c);
    }
    out
}

/// The string literals of a statement that hold no escapes, since those are the ones with plain names.
fn literals(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = if rest[open..].starts_with('\'') { '\'' } else { '"' };
        let body = &rest[open + 1..];
        let Some(close) = body.find(quote) else { break };
        if !body[..close].is_empty() && !body[..close].contains('\\') {
            found.push(body[..close].to_owned());
        }
        rest = &body[close + 1..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_by_its_statements_and_names_only_files_that_exist() {
        let program = "import pandas as pd\n# pd.read_csv('ghost.csv')\ndf = pd.read_csv(\n    'a.csv', sep=';',\n)\n\
                       text = 'not a .merge( call'\ndf.groupby('k').size().to_csv('counts.csv')\nplt.savefig('never.png')\n";
        let steps = of_program(program, &["counts.csv".into()]);
        assert_eq!(steps[0], "read `a.csv`");
        assert!(
            steps.contains(&"put the rows into groups".to_owned()) && steps.contains(&"write `counts.csv`".to_owned())
        );
        assert!(
            !steps.iter().any(|step| ["ghost", "never", "join"].iter().any(|word| step.contains(word))),
            "{steps:?}"
        );
    }
}
