//! Language: what the programs of an image are written in, and how models call it.

/// The language of an image's programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Python.
    #[default]
    Python,
    /// JavaScript.
    JavaScript,
    /// Another one, by its name in lower case.
    Other(String),
}

impl Language {
    /// The language that an image names, such as `python`.
    #[must_use]
    pub fn of(name: &str) -> Language {
        match name.trim().to_lowercase().as_str() {
            "python" => Language::Python,
            "javascript" => Language::JavaScript,
            other => Language::Other(other.to_owned()),
        }
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Language::Python => "Python",
            Language::JavaScript => "JavaScript",
            Language::Other(name) => name,
        }
    }

    /// What follows the marks of a fenced block.
    #[must_use]
    pub fn tag(&self) -> &str {
        match self {
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::Other(name) => name,
        }
    }

    /// True for the tags that models give to blocks of this language. `tag` is in lower case.
    pub(super) fn is(&self, tag: &str) -> bool {
        let stem = tag.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        match self {
            Language::Python => {
                matches!(stem, "python" | "py" | "ipython" | "pycon" | "jupyter" | "tool_code" | "code" | "python-repl")
            }
            Language::JavaScript => matches!(stem, "javascript" | "js" | "mjs" | "cjs" | "node" | "nodejs" | "jsx"),
            Language::Other(name) => tag == name,
        }
    }
}
