//! Code in a language that the image does not run: found by the tag of its block or by its first lines.

use crate::engine::Language;

/// Lines of a program that are looked at.
const LINES: usize = 60;

/// The language that a tag of a fenced block names, if programs are written in it.
pub(super) fn tagged(tag: &str) -> Option<&'static str> {
    Some(match tag {
        "python" | "py" | "python3" => "Python",
        "javascript" | "js" | "mjs" | "node" => "JavaScript",
        "typescript" | "ts" => "TypeScript",
        "r" | "rlang" => "R",
        "julia" | "jl" => "Julia",
        "java" => "Java",
        "scala" => "Scala",
        "kotlin" | "kt" => "Kotlin",
        "c" => "C",
        "cpp" | "c++" | "cxx" => "C++",
        "csharp" | "c#" | "cs" => "C#",
        "go" | "golang" => "Go",
        "rust" | "rs" => "Rust",
        "ruby" | "rb" => "Ruby",
        "perl" | "pl" => "Perl",
        "php" => "PHP",
        "swift" => "Swift",
        "matlab" | "octave" => "MATLAB",
        "sql" | "sqlite" | "postgresql" | "mysql" => "SQL",
        "stata" => "Stata",
        "sas" => "SAS",
        "vba" | "vb" => "Visual Basic",
        _ => return None,
    })
}

/// The language that a program is surely written in, if that is another one than `wanted`.
pub(super) fn written_in(text: &str, wanted: &Language) -> Option<&'static str> {
    let mut marks = [("R", 0), ("JavaScript", 0), ("C or C++", 0), ("SQL", 0), ("Python", 0), ("Julia", 0)];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES) {
        let starts = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
        let found = if starts(&["library(", "suppressPackageStartupMessages("]) || line.contains(" <- ") {
            0
        } else if starts(&["const ", "let ", "var "]) && line.contains('=')
            || starts(&["console.log(", "function "]) && !line.ends_with(':')
        {
            1
        } else if starts(&["#include <", "#include \"", "int main(", "using namespace "]) {
            2
        } else if is_query(line) {
            3
        } else if is_import_of_python(line) || starts(&["def "]) && line.ends_with(':') {
            4
        } else if starts(&["using "]) && !line.ends_with(';') {
            5
        } else {
            continue;
        };
        marks[found].1 += 1;
    }
    let mine = match wanted {
        Language::Python => "Python",
        Language::JavaScript => "JavaScript",
        // Nothing is known of it.
        Language::Other(_) => return None,
    };
    // One mark of the wanted language outweighs all others: a query can stand in a string.
    if marks.iter().any(|(name, count)| *name == mine && *count > 0) {
        return None;
    }
    marks.into_iter().filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count).map(|(name, _)| name)
}

fn is_query(line: &str) -> bool {
    let upper = line.get(..12).unwrap_or(line).to_ascii_uppercase();
    ["SELECT ", "WITH ", "INSERT INTO", "CREATE TABLE"].iter().any(|start| upper.starts_with(start))
        && !line.ends_with(':')
        && !line.contains('(')
        || upper.starts_with("SELECT ") && !line.contains('=')
}

/// True for an import as only Python has it.
pub(super) fn is_import_of_python(line: &str) -> bool {
    let path = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ',' | ' '))
    };
    if let Some(rest) = line.strip_prefix("import ") {
        return path(rest) && !rest.contains(" from ");
    }
    let from = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "));
    from.is_some_and(|(module, _)| path(module) && !module.contains(' '))
}
