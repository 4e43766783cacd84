//! Draws checkpoints as a tree, the newest on top, each branch in a column of its own.

use super::answers::Checkpoint;

/// One line per checkpoint: the drawing, then what `label` says of it. Lines between them join branches.
///
/// The head is drawn as `@`, all others as `*`.
pub(super) fn draw(checkpoints: &[Checkpoint], label: impl Fn(&Checkpoint) -> String) -> String {
    let mut newest_first: Vec<_> = checkpoints.iter().collect();
    newest_first.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.number));
    // Each column waits for the checkpoint with that number, the parent of what is above.
    let mut columns: Vec<Option<u64>> = Vec::new();
    let mut rows: Vec<(String, Option<String>)> = Vec::new();
    for checkpoint in newest_first {
        let at = columns.iter().position(|awaited| *awaited == Some(checkpoint.number));
        let at = at.or_else(|| columns.iter().position(Option::is_none)).unwrap_or_else(|| {
            columns.push(None);
            columns.len() - 1
        });
        let mark = if checkpoint.head { '@' } else { '*' };
        columns[at] = Some(checkpoint.number);
        rows.push((row(&columns, |column| (column == at).then_some(mark)), Some(label(checkpoint))));
        columns[at] = checkpoint.parent.filter(|parent| checkpoints.iter().any(|one| one.number == *parent));
        // Two columns that wait for the same one become one at once.
        let same = |column: &usize| *column != at && columns[at].is_some() && columns[*column] == columns[at];
        if let Some(other) = (0..columns.len()).find(same) {
            let (keep, leave) = (at.min(other), at.max(other));
            rows.push((join(&columns, keep, leave), None));
            columns[leave] = None;
        }
        while columns.last() == Some(&None) {
            columns.pop();
        }
    }
    let width = rows.iter().filter(|(_, label)| label.is_some()).map(|(row, _)| row.len()).max().unwrap_or(0);
    let line = |(row, label): &(String, Option<String>)| match label {
        Some(label) => format!("{row:<width$}  {label}").trim_end().to_owned() + "\n",
        None => format!("{row}\n"),
    };
    rows.iter().map(line).collect()
}

/// A line of columns; `mark` replaces the bar of one.
fn row(columns: &[Option<u64>], mark: impl Fn(usize) -> Option<char>) -> String {
    let cell = |(at, awaited): (usize, &Option<u64>)| mark(at).unwrap_or(if awaited.is_some() { '|' } else { ' ' });
    let cells: Vec<String> = columns.iter().enumerate().map(cell).map(String::from).collect();
    cells.join(" ").trim_end().to_owned()
}

/// The line in which the column `leave` goes over to the column `keep`, left of it: `|/`, or `|_|/` across others.
fn join(columns: &[Option<u64>], keep: usize, leave: usize) -> String {
    let mut line: Vec<char> = row(columns, |_| None).chars().collect();
    line.resize(line.len().max(2 * leave + 1), ' ');
    for cell in &mut line[2 * keep + 1..2 * leave - 1] {
        if *cell == ' ' {
            *cell = '_';
        }
    }
    line[2 * leave - 1] = '/';
    line[2 * leave] = ' ';
    line.into_iter().collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(parents: &[(u64, Option<u64>)], head: u64) -> String {
        let checkpoints: Vec<_> = parents
            .iter()
            .map(|(number, parent)| Checkpoint {
                number: *number,
                parent: *parent,
                name: None,
                run_id: None,
                created_at: String::new(),
                bytes: 0,
                head: *number == head,
            })
            .collect();
        draw(&checkpoints, |checkpoint| checkpoint.number.to_string())
    }

    #[test]
    fn a_line_of_checkpoints_is_one_column() {
        assert_eq!(drawn(&[(0, None), (1, Some(0)), (2, Some(1))], 2), "@  2\n*  1\n*  0\n");
        assert_eq!(drawn(&[], 0), "");
    }

    #[test]
    fn branches_have_columns_and_meet_at_their_parent() {
        let tree = drawn(&[(0, None), (1, Some(0)), (2, Some(1)), (3, Some(1)), (4, Some(3))], 4);
        assert_eq!(tree, "@    4\n*    3\n| *  2\n|/\n*    1\n*    0\n");
        let tree = drawn(&[(0, None), (1, Some(0)), (2, Some(1)), (3, Some(1)), (4, Some(2))], 3);
        assert_eq!(tree, "*    4\n| @  3\n* |  2\n|/\n*    1\n*    0\n");
    }

    #[test]
    fn a_branch_crosses_the_columns_between() {
        let tree =
            drawn(&[(0, None), (1, Some(0)), (2, Some(1)), (3, Some(0)), (4, Some(2)), (5, Some(3)), (6, Some(0))], 6);
        assert_eq!(tree.lines().count(), 7 + 2);
        assert!(tree.contains("|/") && tree.starts_with("@  "), "{tree}");
        // 0 has three children; the one in the third column goes past the second.
        let tree = drawn(&[(0, None), (1, Some(0)), (2, Some(0)), (3, Some(2)), (4, Some(1)), (5, Some(0))], 5);
        for number in 0..=5 {
            assert!(tree.lines().any(|line| line.ends_with(&format!("  {number}"))), "{tree}");
        }
    }

    #[test]
    fn a_checkpoint_whose_parent_was_pruned_begins_a_line_of_its_own() {
        assert_eq!(drawn(&[(7, Some(3)), (8, Some(7)), (5, Some(2))], 8), "@  8\n*  7\n*  5\n");
    }
}
