//! Text files, JSON that is no table, and files of unknown kinds.

use super::super::plan::{TextPlan, TextTask};
use super::super::python::{plain, py_str};
use super::Script;

/// Writes the program for a text file.
pub fn render(script: &mut Script, plan: &TextPlan) {
    script.import("import pandas as pd");
    let utf8 = matches!(plan.encoding.to_lowercase().as_str(), "" | "utf-8" | "utf8" | "ascii" | "us-ascii");
    let encoding = if utf8 { "utf-8".to_owned() } else { plan.encoding.clone() };
    script.line(format!(
        "with open({}, encoding={}, errors='replace') as file:",
        py_str(&plan.file),
        py_str(&encoding)
    ));
    script.line("    lines = file.read().splitlines()");
    script.line("print(f'Read {len(lines):,} lines.')");
    match &plan.task {
        TextTask::Overview { .. } => {
            words(script, 15);
            script.lines(
                "
facts = {
    'lines': len(lines),
    'empty lines': sum(not line.strip() for line in lines),
    'words': sum(counts.values()),
    'different words': len(counts),
    'characters': sum(len(line) for line in lines),
    'longest line': max((len(line) for line in lines), default=0),
}
result = pd.DataFrame(facts.items(), columns=['fact', 'value'])
result.to_csv('overview.csv', index=False)
result",
            );
        }
        TextTask::Words { count } => {
            words(script, *count);
            script.line("frequent");
        }
        TextTask::Search { text } => {
            script.step("Lines with the text, without regard to case");
            script.line(format!("wanted = {}", py_str(&text.to_lowercase())));
            script.lines(
                "hits = [(number, line[:300]) for number, line in enumerate(lines, 1) if wanted in line.lower()]
times = sum(line.lower().count(wanted) for line in lines)
print(f'{len(hits):,} lines contain it, {times:,} times altogether.')
result = pd.DataFrame(hits, columns=['line', 'text'])
result.to_csv('matches.csv', index=False)
result",
            );
        }
        TextTask::Lines { count, from_end } => {
            let part = if *from_end {
                format!("list(enumerate(lines, 1))[-{count}:]")
            } else {
                format!("list(enumerate(lines, 1))[:{count}]")
            };
            script.step("The lines with their numbers");
            script.line(format!("result = pd.DataFrame({part}, columns=['line', 'text'])"));
            script.line("result");
        }
    }
}

fn words(script: &mut Script, count: usize) {
    script.import("import re");
    script.import("from collections import Counter");
    script.import("import matplotlib.pyplot as plt");
    script.step("The most frequent words; short everyday words are left out");
    script.lines(
        "common = set('the a an and or of to in is are was were be it that this for on with as at by from not have has had i you he she they we'.split())
counts = Counter(word for line in lines for word in re.findall(r\"[^\\W\\d_]+(?:'[^\\W\\d_]+)?\", line.lower()))
telling = [(word, number) for word, number in counts.most_common() if word not in common and len(word) > 1]",
    );
    script.line(format!("frequent = pd.DataFrame(telling[:{count}], columns=['word', 'count'])"));
    script.lines(
        "frequent.to_csv('words.csv', index=False)
print(f'{sum(counts.values()):,} words, {len(counts):,} different ones.')
if len(frequent):
    print(f\"Most frequent: {frequent['word'].iloc[0]}, {frequent['count'].iloc[0]:,} times.\")
    shown = frequent.head(25).iloc[::-1]
    fig, ax = plt.subplots(figsize=(8, 1.5 + 0.3 * len(shown)))
    bars = ax.barh(shown['word'].str.slice(0, 30), shown['count'], color='#4C78A8')
    ax.bar_label(bars, padding=3, fontsize=9)
    ax.set_title('Most frequent words')
    ax.set_xlabel('Times')
    ax.spines[['top', 'right']].set_visible(False)
    plt.savefig('words.png', dpi=120, bbox_inches='tight')
    plt.show()",
    );
}

/// JSON that is no table: its structure, and the tables inside.
pub fn json(script: &mut Script, file: &str) {
    script.import("import json");
    script.import("import pandas as pd");
    script.line(format!("with open({}, encoding='utf-8-sig') as file:", py_str(file)));
    script.line("    content = json.load(file)");
    script.step(&format!("What is in {}: every place with its type, not too deep", plain(file)));
    script.lines(
        "rows, tables = [], {}
todo = [('', content, 0)]
while todo and len(rows) < 200:
    place, value, depth = todo.pop(0)
    size = len(value) if isinstance(value, (dict, list, str)) else None
    rows.append({'place': place or '(all)', 'type': type(value).__name__, 'size': size, 'example': '' if isinstance(value, (dict, list)) else str(value)[:60]})
    if isinstance(value, dict) and depth < 4:
        todo += [(f'{place}.{key}'.lstrip('.'), item, depth + 1) for key, item in list(value.items())[:50]]
    elif isinstance(value, list) and value:
        if all(isinstance(item, dict) for item in value):
            tables[place or 'all'] = pd.json_normalize(value)
        elif depth < 4:
            todo.append((f'{place}[0]', value[0], depth + 1))
result = pd.DataFrame(rows)
result.to_csv('structure.csv', index=False)
print(f'{len(rows):,} places, {len(tables):,} tables inside.')

# Each list of records is a table
for number, (place, table) in enumerate(list(tables.items())[:10], 1):
    print(f'Table {place}: {len(table):,} rows and {len(table.columns)} columns, written to table-{number}.csv.')
    table.to_csv(f'table-{number}.csv', index=False)
next(iter(tables.values()), result)",
    );
}

/// Nothing is known but that there are files.
pub fn files(script: &mut Script) {
    script.import("from pathlib import Path");
    script.import("import pandas as pd");
    script.lines(
        "# All files of the workspace
files = [path for path in sorted(Path('.').rglob('*')) if path.is_file()]
result = pd.DataFrame([{'file': str(path), 'bytes': path.stat().st_size, 'type': path.suffix} for path in files], columns=['file', 'bytes', 'type'])
print(f'{len(files):,} files.')
result",
    );
}
