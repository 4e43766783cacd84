//! The shapes of replies that were seen in the wild, and everything that can be cut out of them.

use super::*;

const CODE: &str = "import pandas as pd\ndf = pd.read_csv('a.csv')\ndf.head()\n";

/// A reply and the program expected from it.
fn shapes() -> Vec<(&'static str, String, Option<String>)> {
    let code = || Some(CODE.to_owned());
    let indented: String = CODE.lines().map(|l| format!("   {l}\n")).collect();
    let json = serde_json::json!({"code": CODE, "suggestions": ["Why?"], "explanation": "It reads."}).to_string();
    let arguments = serde_json::json!({ "code": CODE }).to_string();
    let call =
        serde_json::json!({"tool_calls": [{"function": {"name": "python", "arguments": arguments}}]}).to_string();
    let raw_json = format!("{{\"program\": \"{}\"}}", CODE.replace('"', "\\\""));
    let report = "text = \"\"\"\n# Report\n```python\nx = 1\n```\n\"\"\"\nprint(text)\n";
    vec![
        ("one block", format!("I read it.\n\n```python\n{CODE}```\nDone."), code()),
        ("py", format!("```py\n{CODE}```"), code()),
        ("Python3", format!("```Python3\n{CODE}```\n"), code()),
        ("attributes", format!("```python title=\"main.py\"\n{CODE}```\n"), code()),
        ("braces", format!("```{{.python .numberLines}}\n{CODE}```\n"), code()),
        ("a space before the language", format!("``` python\n{CODE}```\n"), code()),
        ("tildes", format!("~~~python\n{CODE}~~~\n"), code()),
        ("four ticks", format!("````python\n{CODE}````\n"), code()),
        ("no language", format!("Here:\n```\n{CODE}```\n"), code()),
        ("indented fence", format!("1. Run\n   ```python\n{indented}   ```\n"), code()),
        ("indented code only", format!("```python\n{indented}```\n"), code()),
        ("no closing fence", format!("Here:\n```python\n{CODE}"), code()),
        ("windows lines", format!("Here:\r\n```python\r\n{}```\r\n", CODE.replace('\n', "\r\n")), code()),
        ("thinking", format!("<think>\n```python\nbad()\n```\n</think>\n```python\n{CODE}```"), code()),
        ("thinking without its opening tag", format!("Let me see.\n```python\nbad()\n```\n</think>\n```python\n{CODE}```"), code()),
        ("thinking without end", format!("<think>\n```python\n{CODE}```"), None),
        ("JSON", json.clone(), code()),
        ("JSON in prose", format!("Sure! {json} Good luck."), code()),
        ("JSON in a fence", format!("```json\n{json}\n```"), code()),
        ("JSON with raw line breaks", raw_json, code()),
        ("JSON with a fence inside", serde_json::json!({ "code": format!("```python\n{CODE}```") }).to_string(), code()),
        ("tool call", call, code()),
        ("tagged tool call", format!("<tool_call>\n{{\"name\": \"python\", \"arguments\": {arguments}}}\n</tool_call>"), code()),
        ("lines in an array", "{\"code\": [\"a = 1\", \"print(a)\"]}".into(), Some("a = 1\nprint(a)\n".into())),
        ("bare code", CODE.into(), code()),
        ("bare code after a comment", format!("# Load the file and show it\n{CODE}"), Some(format!("# Load the file and show it\n{CODE}"))),
        ("a one-line block", "```print(1)```".into(), Some("print(1)\n".into())),
        ("parts", "First:\n```python\nimport pandas as pd\ndf = pd.read_csv('a.csv')\n```\nThen:\n```python\nprint(df.head())\n```".into(),
            Some("import pandas as pd\ndf = pd.read_csv('a.csv')\n\nprint(df.head())\n".into())),
        ("correction", format!("```python\nimport os\nos.remove('a.csv')\n```\nNo, better:\n```python\n{CODE}```"), code()),
        ("an example of use at the end", format!("```python\n{CODE}```\nTry also:\n```python\nprint(1)\n```"), code()),
        ("shell first", format!("```bash\npip install pandas\n```\n```python\n{CODE}```"), code()),
        ("output after", format!("```python\n{CODE}```\n```\n   a\n0  1\n```"), code()),
        ("forgotten closing fence", format!("```python\nimport os\n```python\n{CODE}```"), code()),
        ("fences inside a string", format!("```python\n{report}```\nDone."), Some(report.into())),
        ("a call first", "```\nsns.set_theme()\nprint(1)\n```".into(), Some("sns.set_theme()\nprint(1)\n".into())),
        ("prompts", "```pycon\n>>> a = 1\n>>> print(a)\n1\n```".into(), Some("a = 1\nprint(a)\n".into())),
        ("magics", format!("```python\n%matplotlib inline\n!pip install x\n{CODE}```"),
            Some(format!("# left out: %matplotlib inline\n# left out: !pip install x\n{CODE}"))),
        ("prose", "There is nothing to compute here.".into(), None),
        ("prose that begins like code", "From what I see, the file is empty.\nImport it again.".into(), None),
        ("a heading is no comment", "# Result\nThe mean is 4 (see above).".into(), None),
        ("bare code that ends in an expression", "a = 1\na + a + a\n".into(), Some("a = 1\na + a + a\n".into())),
        ("a note with a colon", "# Note\nNote: the mean(s) differ a lot.\nNothing else to say here.".into(), None),
        ("a wrong tag", format!("```text\n{CODE}```"), code()),
        ("the tag of another language", format!("```r\n{CODE}```"), code()),
        ("channels", format!("<|channel|>analysis<|message|>```python\nbad()\n```<|end|><|start|>assistant<|channel|>final<|message|>```python\n{CODE}```<|return|>"), code()),
        ("brackets around thinking", format!("[THINK]\n```python\nbad()\n```\n[/THINK]\n```python\n{CODE}```"), code()),
        ("a list of programs", serde_json::json!({"programs": [{"title": "A", "code": CODE}, {"title": "B", "code": "b()"}]}).to_string(), code()),
        ("javascript under the tag of python", "```python\nconst x = 1;\nconsole.log(x);\n```".into(), None),
        ("a patch without its program", "```diff\n--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n```".into(), None),
        ("replacement characters", format!("\u{fffd}\u{fffd}\n```python\n{CODE}```\u{fffd}"), code()),
        ("a query in a string", "```python\nimport x\nq = 'a'\nSELECT = 1\n```".into(), Some("import x\nq = 'a'\nSELECT = 1\n".into())),
        ("another language", "```sql\nselect 1\n```".into(), None),
        ("JSON without a program", "{\"explanation\": \"Nothing to do.\"}".into(), None),
        ("empty block", "```python\n```".into(), None),
        ("empty", String::new(), None),
    ]
}

#[test]
fn the_program_is_found_in_every_shape() {
    let wrong: Vec<String> = shapes()
        .into_iter()
        .map(|(name, reply, expected)| (name, extract(&reply).program, expected))
        .filter(|(_, found, expected)| found != expected)
        .map(|(name, found, expected)| format!("{name}: {found:?} instead of {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_cut_or_mangled_reply_panics() {
    for (_, reply, _) in shapes() {
        let reply = format!("{reply}\n## Next questions\n- Warum größer? 🦆\n");
        for (at, c) in reply.char_indices() {
            let _ = extract(&reply[..at]);
            let _ = extract(&reply[at..]);
            let _ = explanation(&reply[..at]);
            let _ = extract(&format!("{}\u{1F986}\"'''`{{{}", &reply[..at], &reply[at + c.len_utf8()..]));
        }
    }
}

#[test]
fn hostile_replies_are_read_in_bounded_time() {
    let start = std::time::Instant::now();
    for piece in [
        "```\n",
        "```python\n'''\n",
        "{",
        "{\"code\":\"",
        "<think>",
        "</think>\n",
        "- a?\n",
        "'",
        "\\",
        "[",
        "a=(",
        "a ",
        "a, ",
        "a.",
        "~~~x\n",
        "for ",
        "\r",
    ] {
        let reply = piece.repeat(3 * 1024 * 1024 / piece.len());
        let _ = extract(&reply);
        let _ = extract(&format!("```python\n{}", &reply[..MAX_REPLY_BYTES]));
        let _ = explanation(&reply);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_program_above_its_limit_is_named_and_left_out() {
    let reply = format!("```python\nx = '{}'\n```", "a".repeat(MAX_PROGRAM_BYTES));
    let found = extract(&reply);
    assert!(found.too_long && found.program.is_none());
}

#[test]
fn suggestions_leave_the_text() {
    let cases = [
        "It is 4.\n\n## Next questions\n- Which **year**?\n- \"And by sex?\"\n",
        "It is 4.\n\n**Suggestions:**\n1. Which **year**?\n2) And by sex?\n",
        "It is 4.\n\nNext questions:\n\n* Which **year**?\n* And by sex?\n* And by sex?\n",
    ];
    for case in cases {
        let (text, suggestions) = explanation(case);
        assert_eq!(text, "It is 4.", "{case}");
        assert_eq!(suggestions, ["Which **year**?", "And by sex?"], "{case}");
    }
    let (text, suggestions) = explanation("A.\n## Next questions\n- B?\n\n## Notes\nC.\n");
    assert_eq!((text.as_str(), suggestions.len()), ("A.\n## Notes\nC.", 1));
    assert_eq!(explanation("a\n## Suggestions\n- 2024?\n- 2?\n- 3?\n- 4?\n- 5?\n- 6?").1, ["2024?", "2?", "3?", "4?"]);
    assert_eq!(explanation("My suggestions are below.").1.len(), 0);
}

#[test]
fn json_replies_carry_text_and_suggestions() {
    let found = extract("{\"code\": \"print(1)\", \"explanation\": \"Prints.\", \"next_questions\": [\"Why?\", 3]}");
    assert_eq!(found.text, "Prints.");
    assert_eq!(found.suggestions, ["Why?"]);
    assert_eq!(
        explanation("{\"explanation\": \"**Four.**\", \"suggestions\": [\"Why?\"]}"),
        ("**Four.**".into(), vec!["Why?".into()])
    );
    assert_eq!(explanation("```markdown\nFour.\n```").0, "Four.");
}

#[test]
fn code_that_cannot_be_run_is_named() {
    let reason = |reply: &str, language: &Language| extract_for(reply, language, None).refused.map(|one| one.reason);
    for (reply, name) in [
        ("```r\nlibrary(dplyr)\n```", "R"),
        ("```julia\nusing CSV\n```", "Julia"),
        ("```sql\nselect 1\n```", "SQL"),
        ("```python\nconst a = 1;\nconsole.log(a)\n```", "JavaScript"),
        ("```c\nint x;\n```", "C"),
    ] {
        let expected = format!("the reply holds {name} code, and only Python runs here");
        assert_eq!(reason(reply, &Language::Python), Some(expected), "{reply}");
    }
    assert!(reason("```python\nimport os\n```", &Language::JavaScript).is_some());
    assert_eq!(reason("```js\nconst a = 1\n```", &Language::JavaScript), None);
    assert_eq!(
        extract_for("const a = 1\nconsole.log(a)", &Language::JavaScript, None).program.as_deref(),
        Some("const a = 1\nconsole.log(a)\n")
    );
    assert_eq!(reason("Use `pip`:\n```bash\npip install x\n```", &Language::Python), None);
    assert_eq!(
        reason("```diff\n-x\n+y\n```", &Language::Python).as_deref(),
        Some("the reply holds a patch, and a whole program is needed")
    );
}

#[test]
fn other_programs_are_kept_with_their_titles() {
    let reply =
        "### Fast way\n```python\nprint('the fast way')\n```\nMore exact:\n```python\nprint('the exact way')\n```";
    let found = extract(reply);
    assert_eq!(found.program.as_deref(), Some("print('the exact way')\n"));
    assert_eq!(
        found.alternatives,
        [Alternative { title: "Fast way".into(), program: "print('the fast way')\n".into() }]
    );
    let list = serde_json::json!({"code": "a()", "alternatives": ["b()", {"title": "C", "code": "c()"}, "a()"]});
    let titles: Vec<_> = extract(&list.to_string()).alternatives.into_iter().map(|one| one.title).collect();
    assert_eq!(titles, ["Alternative 1", "C"]);
}
