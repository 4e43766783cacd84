//! Prompt: turns a template file and values into messages. Values are put in once and never read
//! again as templates, and foreign text is fenced, so that no file can write a prompt of its own.

use crate::llm::{Message, MessageRole};

/// Renders a template of `prompts/`: a version line, then sections that start with `--- system`,
/// `--- user` or `--- assistant`. `{{name}}` is replaced by its value; an unknown name stays as it is.
pub(crate) fn render(template: &str, values: &[(&str, &str)]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for line in template.lines() {
        let role = match line {
            "--- system" => Some(MessageRole::System),
            "--- user" => Some(MessageRole::User),
            "--- assistant" => Some(MessageRole::Assistant),
            _ => None,
        };
        if let Some(role) = role {
            messages.push(Message { role, content: String::new() });
        } else if let Some(message) = messages.last_mut() {
            message.content.push_str(line);
            message.content.push('\n');
        }
    }
    for message in &mut messages {
        message.content = fill(&message.content, values).trim().to_owned();
    }
    messages
}

/// The versions of the templates, as an answer keeps them.
pub(super) fn versions() -> String {
    let of = |name: &str, template: &str| {
        format!("{name} {}", template.lines().next().and_then(|line| line.strip_prefix("version: ")).unwrap_or("?"))
    };
    [
        of("generate", include_str!("prompts/generate.md")),
        of("repair", include_str!("prompts/repair.md")),
        of("explain", include_str!("prompts/explain.md")),
    ]
    .join(", ")
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let known = after
            .split_once("}}")
            .and_then(|(name, tail)| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (value, tail)));
        if let Some((value, tail)) = known {
            out.push_str(value);
            rest = tail;
        } else {
            out.push_str("{{");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Puts foreign text into a code fence that it cannot close: one backtick longer than its longest run.
pub(super) fn fence(text: &str, language: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat((longest + 1).max(3));
    let text = text.trim_end_matches('\n');
    format!("{ticks}{language}\n{text}\n{ticks}")
}

/// At most about `max` bytes of a text: its first quarter and its end, where tracebacks and totals
/// are, with a note of what is missing between them.
pub(super) fn clip(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(max / 4);
    let tail = text.ceil_char_boundary(text.len() - (max - max / 4));
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

/// The first line of a text, at most `max` bytes of it, without control characters.
pub(super) fn one_line(text: &str, max: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    if line.len() <= max {
        return line;
    }
    format!("{}…", &line[..line.floor_char_boundary(max)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_read_as_a_template() {
        let messages =
            render("version: 1\n--- system\na {{x}}\n--- user\n{{y}} {{z}}\n", &[("x", "{{y}}"), ("y", "--- system")]);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].content, "a {{y}}");
        assert_eq!(messages[1].content, "--- system {{z}}");
    }

    #[test]
    fn every_template_has_a_version() {
        assert!(!versions().contains('?'), "{}", versions());
    }

    #[test]
    fn text_cannot_close_its_fence() {
        let fenced = fence("a\n```\n````\nb", "text");
        assert!(fenced.starts_with("`````text\n") && fenced.ends_with("\n`````"), "{fenced}");
        assert_eq!(fence("", "text"), "```text\n\n```");
    }

    #[test]
    fn a_clipped_text_keeps_its_beginning_and_its_end_at_any_size() {
        let text = "ä".repeat(500) + "END";
        for max in 0..1100 {
            let clipped = clip(&text, max);
            assert!(clipped.len() <= max + 48 || clipped == text, "{max}");
        }
        assert!(clip(&text, 100).ends_with("END"));
        assert_eq!(one_line("\n  a\u{7}b \nc", 10), "ab");
        assert_eq!(one_line("ääää", 3), "ä…");
    }
}
