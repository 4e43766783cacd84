//! Reading: a question with everything found in it, and its columns sorted into groups and measures.

use super::super::columns::{is_group, is_measure, is_numeric, is_time};
use super::super::filters;
use super::super::mentions::{Mention, What};
use super::super::plan::Filter;
use super::super::python::name_words;
use super::super::words::Token;
use crate::engine::sample::Table;

/// Most columns shown side by side.
const MAX_MEASURES: usize = 4;

/// A question with everything found in it.
pub(super) struct Reading<'a> {
    pub(super) table: &'a Table,
    /// Texts of tokens; those that name columns or belong to conditions are empty.
    pub(super) words: Vec<&'a str>,
    pub(super) all_words: Vec<&'a str>,
    /// Numbers that belong to no condition.
    pub(super) numbers: Vec<(usize, f64)>,
    pub(super) groups: Vec<usize>,
    pub(super) measures: Vec<usize>,
    /// A category mentioned without `by` beside another one with it: `sex by island`.
    pub(super) loose: Option<usize>,
    /// Column after `sorted by`.
    pub(super) sort: Option<usize>,
    /// Columns mentioned outside conditions, in order.
    pub(super) columns: Vec<usize>,
    /// Columns with numbers in conditions.
    pub(super) condition_measures: Vec<usize>,
    pub(super) filtered: bool,
    pub(super) compared: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        tokens: &'a [Token],
        table: &'a Table,
        mentions: &[Mention],
        conditions: &filters::Conditions,
    ) -> Self {
        let mut taken = conditions.used.clone();
        for mention in mentions {
            mention.span.clone().for_each(|at| taken[at] = true);
        }
        let all_words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        let words: Vec<&str> =
            all_words.iter().zip(&taken).map(|(word, taken)| if *taken { "" } else { word }).collect();
        let numbers = tokens
            .iter()
            .enumerate()
            .filter(|(at, _)| !taken[*at])
            .filter_map(|(at, token)| Some((at, token.number()?)))
            .collect();
        let mut reading = Reading {
            table,
            words,
            all_words,
            numbers,
            groups: Vec::new(),
            measures: Vec::new(),
            loose: None,
            sort: None,
            columns: Vec::new(),
            condition_measures: Vec::new(),
            filtered: !conditions.filters.is_empty(),
            compared: conditions.compared.is_some(),
        };
        reading.sort_mentions(tokens, mentions, &conditions.used);
        if let Some(column) = conditions.compared
            && reading.has(&["compare", "comparison", "versus", "vs", "between", "difference", "against", "than"])
            && !reading.groups.contains(&column)
        {
            reading.groups.insert(0, column);
        }
        for filter in &conditions.filters {
            if let Filter::Compare { column, .. } = filter
                && let Some(at) = table.columns.iter().position(|other| other.name == *column)
                && is_measure(&table.columns[at])
            {
                reading.condition_measures.push(at);
            }
        }
        reading
    }

    /// Splits the mentioned columns into groups and measures.
    pub(super) fn sort_mentions(&mut self, tokens: &[Token], mentions: &[Mention], used: &[bool]) {
        const MARKERS: &[&str] = &["by", "per", "across", "each", "every", "among", "within", "between"];
        let mut previous: Option<(usize, bool)> = None;
        let mut marked = Vec::new();
        let mut unmarked = Vec::new();
        for mention in mentions {
            let What::Columns(all) = &mention.what else { continue };
            let mut start = mention.span.start;
            while start > 0
                && matches!(
                    tokens[start - 1].text.as_str(),
                    "the"
                        | "different"
                        | "its"
                        | "their"
                        | "a"
                        | "of"
                        | "highest"
                        | "lowest"
                        | "average"
                        | "mean"
                        | "total"
                        | "median"
                )
            {
                start -= 1;
            }
            let before = if start > 0 { tokens[start - 1].text.as_str() } else { "" };
            let sorting = before == "by"
                && start > 1
                && matches!(
                    tokens[start - 2].text.as_str(),
                    "sorted" | "sort" | "ordered" | "order" | "ranked" | "rank" | "ordering"
                );
            let chained = previous.is_some_and(|(end, group)| {
                group
                    && end <= start
                    && tokens[end..start]
                        .iter()
                        .all(|t| matches!(t.text.as_str(), "and" | "," | "&" | "then" | "by" | "the"))
            });
            if used[mention.span.start] {
                continue;
            }
            let group = MARKERS.contains(&before) || chained;
            previous = Some((mention.span.end, group && !sorting));
            if sorting {
                self.sort = all.first().copied();
                continue;
            }
            let asked = matches!(before, "which" | "what" | "whose") && !is_measure(&self.table.columns[all[0]]);
            self.columns.extend(all);
            if group || asked { marked.push(all.clone()) } else { unmarked.push(all.clone()) }
        }
        for all in &marked {
            match all.iter().find(|&&at| is_group(&self.table.columns[at])) {
                Some(&at) => self.groups.push(at),
                // `top 5 species by body mass`: the column after `by` is what is measured
                None => self.measures.extend(all.iter().filter(|&&at| is_measure(&self.table.columns[at]))),
            }
            let text = all.first().filter(|&&at| {
                !is_group(&self.table.columns[at])
                    && !is_numeric(&self.table.columns[at])
                    && !is_time(&self.table.columns[at])
            });
            self.groups.extend(text);
        }
        for all in &unmarked {
            let numeric: Vec<usize> = all.iter().copied().filter(|&at| is_measure(&self.table.columns[at])).collect();
            if numeric.is_empty() {
                continue;
            }
            self.measures.extend(self.preferred(numeric));
        }
        let category = |&&at: &&usize| {
            is_group(&self.table.columns[at]) && !self.measures.contains(&at) && !self.groups.contains(&at)
        };
        let loose: Vec<usize> = unmarked.iter().filter_map(|all| all.iter().find(category)).copied().collect();
        if self.groups.is_empty() {
            self.groups.extend(loose);
        } else if self.measures.is_empty() {
            self.loose = loose.first().copied();
        }
        for list in [&mut self.groups, &mut self.measures, &mut self.columns] {
            let mut seen = std::collections::HashSet::new();
            list.retain(|at| seen.insert(*at));
        }
        let groups = self.groups.clone();
        self.measures.retain(|at| !groups.contains(at));
        self.measures.truncate(MAX_MEASURES);
    }

    /// Of columns that fit equally well, the one that says `max` if the highest is asked for.
    pub(super) fn preferred(&self, all: Vec<usize>) -> Vec<usize> {
        let hint = if self.all_has(&["highest", "max", "maximum", "hottest", "warmest", "largest"]) {
            "max"
        } else if self.all_has(&["lowest", "min", "minimum", "coldest", "coolest", "smallest"]) {
            "min"
        } else {
            return all;
        };
        let fits =
            all.iter().copied().find(|&at| name_words(&self.table.columns[at].name).0.iter().any(|word| word == hint));
        fits.map_or(all, |at| vec![at])
    }

    pub(super) fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(word))
    }

    pub(super) fn all_has(&self, words: &[&str]) -> bool {
        self.all_words.iter().any(|word| words.contains(word))
    }

    pub(super) fn says(&self, phrase: &str) -> bool {
        let length = phrase.split(' ').count();
        self.words.windows(length).any(|window| window.iter().copied().eq(phrase.split(' ')))
    }

    pub(super) fn name(&self, at: usize) -> String {
        self.table.columns[at].name.clone()
    }

    pub(super) fn names(&self, all: &[usize]) -> Vec<String> {
        all.iter().map(|&at| self.name(at)).collect()
    }
}
