//! Columns of numbers that the file writes as text, such as `$1,200` or `12` beside `unknown`. The
//! sampler notes them; the planner counts with them, and its programs convert them first.

use super::columns::opened;
use crate::engine::sample::{ArchiveFacts, ColumnType, Content, Role, Sample};

/// How a column of text holds numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerals {
    /// With signs and separators: `$1,200`, `12 %`.
    Dressed,
    /// Among other words.
    Mixed,
}

/// What the sampler noted about a column.
pub fn numerals(sample: &Sample, column: &str) -> Option<Numerals> {
    let dressed = format!("column `{column}` holds numbers written like ");
    let mixed = format!("column `{column}`: ");
    sample.notes.iter().find_map(|note| {
        if note.starts_with(&dressed) {
            Some(Numerals::Dressed)
        } else {
            (note.starts_with(&mixed) && note.contains("values are not numbers")).then_some(Numerals::Mixed)
        }
    })
}

/// The samples with such columns as the numbers that they are.
pub fn understood(samples: &[Sample]) -> Vec<Sample> {
    let mut samples = samples.to_vec();
    for sample in
        samples.iter_mut().map(opened_mut).filter(|sample| sample.notes.iter().any(|note| note.starts_with("column `")))
    {
        let known = sample.clone();
        if let Content::Table(table) = &mut sample.content {
            for column in table.columns.iter_mut().filter(|column| column.kind == ColumnType::Text) {
                if numerals(&known, &column.name).is_some() {
                    column.kind = ColumnType::Float;
                    column.role = Role::Measure;
                    (column.min, column.max) = (None, None);
                    column.top.clear();
                }
            }
        }
    }
    samples
}

/// What a compressed file holds if it holds one table, else the sample itself.
fn opened_mut(sample: &mut Sample) -> &mut Sample {
    if std::ptr::eq(opened(sample), sample) {
        return sample;
    }
    match sample {
        Sample { content: Content::Archive(ArchiveFacts { inner: Some(inner), .. }), .. } => inner,
        sample => sample,
    }
}
