//! Patches: some models answer a failure with a diff instead of the whole program. With the program that
//! it is for, and if every hunk fits, it becomes one.

/// Hunks and lines of a hunk that are read; more is no small correction.
const HUNKS: usize = 64;
const LINES: usize = 1000;

/// True for what is tagged as a patch or has the headers of one.
pub(super) fn is_patch(tag: &str, text: &str) -> bool {
    let begins = |start: &str| text.lines().take(LINES).any(|line| line.starts_with(start));
    matches!(tag, "diff" | "patch" | "udiff") || begins("@@ -") || begins("--- ") && begins("+++ ")
}

/// `base` with the patch applied; `None` if a hunk does not fit.
pub(super) fn apply(base: &str, patch: &str) -> Option<String> {
    let mut lines: Vec<&str> = base.lines().collect();
    let mut from = 0;
    let hunks = hunks(patch)?;
    for Hunk { old, new } in &hunks {
        if old.is_empty() {
            return None;
        }
        let fits = |at: &usize| old.iter().zip(&lines[*at..]).all(|(one, other)| one.trim_end() == other.trim_end());
        let last = lines.len().checked_sub(old.len())?;
        let at = (from..=last).find(|at| fits(at)).or_else(|| (0..=last).find(|at| fits(at)))?;
        lines.splice(at..at + old.len(), new.iter().copied());
        from = at + new.len();
    }
    (!hunks.is_empty()).then(|| lines.join("\n") + "\n")
}

#[derive(Default)]
struct Hunk<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

fn hunks(patch: &str) -> Option<Vec<Hunk<'_>>> {
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    for line in patch.lines() {
        let header = ["--- ", "+++ ", "diff ", "index ", "\\ No newline", "*** "];
        if header.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        if line.starts_with("@@") {
            hunks.push(Hunk::default());
            continue;
        }
        if hunks.is_empty() {
            hunks.push(Hunk::default());
        }
        let hunk = hunks.last_mut()?;
        match line.split_at_checked(1) {
            Some(("-", rest)) => hunk.old.push(rest),
            Some(("+", rest)) => hunk.new.push(rest),
            Some((" ", rest)) => {
                hunk.old.push(rest);
                hunk.new.push(rest);
            }
            None => {
                hunk.old.push("");
                hunk.new.push("");
            }
            Some(_) => return None,
        }
        if hunk.old.len() > LINES || hunk.new.len() > LINES {
            return None;
        }
    }
    // Empty lines at the end of a block are no context.
    for hunk in &mut hunks {
        while hunk.old.last() == Some(&"") && hunk.new.last() == Some(&"") {
            hunk.old.pop();
            hunk.new.pop();
        }
    }
    hunks.retain(|hunk| !hunk.old.is_empty() || !hunk.new.is_empty());
    (hunks.len() <= HUNKS).then_some(hunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_that_fits_becomes_a_program_and_another_does_not() {
        let base = "import a\nx = 1\nprint(x)\n";
        let patch = "--- a/main.py\n+++ b/main.py\n@@ -1,3 +1,3 @@\n import a\n-x = 1\n+x = 2\n print(x)\n";
        assert!(is_patch("", patch) && is_patch("diff", "-x"));
        assert_eq!(apply(base, patch).as_deref(), Some("import a\nx = 2\nprint(x)\n"));
        assert_eq!(apply(base, "-x = 1\n+x = 3\n").as_deref(), Some("import a\nx = 3\nprint(x)\n"));
        for wrong in ["-y = 1\n+y = 2\n", "@@ -1 +1 @@\n+x\n", "", "...\n-x = 1\n+x = 3", "@@ @@"] {
            assert_eq!(apply(base, wrong), None, "{wrong}");
        }
        assert_eq!(apply("", patch), None);
    }
}
