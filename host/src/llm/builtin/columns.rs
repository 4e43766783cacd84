//! What a column is good for, and the tables that the samples hold.

use super::plan::{Agg, Join, Source};
use super::python::name_words;
use crate::engine::sample::{Column, ColumnType, Content, Role, Sample, Table};

/// More columns than this are not searched for names.
const MAX_COLUMNS: usize = 300;
/// More tables than this are not looked at.
const MAX_TABLES: usize = 40;
/// A column with more different values is not used for groups unless it says it is a category.
const MAX_GROUPS: u64 = 60;

/// All tables of all files with their places.
pub fn tables(samples: &[Sample]) -> Vec<(Source, &Table)> {
    let mut found = Vec::new();
    for sample in samples {
        match &opened(sample).content {
            Content::Table(table) => found.push((Source { file: sample.name.clone(), sheet: None }, table)),
            Content::Workbook { sheets } | Content::Database { tables: sheets } => found.extend(
                sheets
                    .iter()
                    .map(|sheet| (Source { file: sample.name.clone(), sheet: Some(sheet.name.clone()) }, &sheet.table)),
            ),
            _ => {}
        }
    }
    found.retain(|(_, table)| !table.columns.is_empty());
    found.truncate(MAX_TABLES);
    found
}

/// What a compressed file holds if it holds one table, else the sample itself.
pub fn opened(sample: &Sample) -> &Sample {
    match &sample.content {
        Content::Archive(archive) => {
            archive.inner.as_deref().filter(|inner| matches!(inner.content, Content::Table(_))).unwrap_or(sample)
        }
        _ => sample,
    }
}

/// The columns that are searched.
pub fn searched(table: &Table) -> &[Column] {
    &table.columns[..table.columns.len().min(MAX_COLUMNS)]
}

/// A column by its name.
pub fn column<'a>(table: &'a Table, name: &str) -> Option<&'a Column> {
    table.columns.iter().find(|column| column.name == name)
}

/// A table as it is after a join: the second table's columns follow, its key and names already taken left out.
pub fn joined(left: &Table, right: &Table, join: &Join) -> Table {
    let mut table = left.clone();
    table.head.clear();
    for column in &right.columns {
        if column.name != join.right && !left.columns.iter().any(|other| other.name == column.name) {
            table.columns.push(column.clone());
        }
    }
    table
}

/// A key that both tables have: the same name, few enough missing values, not a quantity.
pub fn common_key(left: &Table, right: &Table) -> Option<(String, String)> {
    let key =
        |column: &Column| column.kind != ColumnType::Float && column.kind != ColumnType::Empty && !is_time(column);
    let same = |a: &Column, b: &Column| a.name.trim().to_lowercase() == b.name.trim().to_lowercase();
    searched(right)
        .iter()
        // The more different values, the more a column says about which rows belong together.
        .filter(|b| key(b))
        .filter_map(|b| searched(left).iter().find(|a| key(a) && same(a, b)).map(|a| (b.distinct, a, b)))
        .max_by_key(|(distinct, _, _)| *distinct)
        .map(|(_, a, b)| (a.name.clone(), b.name.clone()))
}

/// True for columns with numbers.
pub fn is_numeric(column: &Column) -> bool {
    matches!(column.kind, ColumnType::Integer | ColumnType::Float)
}

/// True for dates.
pub fn is_time(column: &Column) -> bool {
    matches!(column.kind, ColumnType::Date | ColumnType::Datetime)
}

/// True for whole numbers that are years.
pub fn is_year(column: &Column) -> bool {
    let within = |value: &Option<serde_json::Value>| {
        value.as_ref().and_then(serde_json::Value::as_f64).is_none_or(|v| (1500.0..2200.0).contains(&v))
    };
    let named = name_words(&column.name).0.iter().any(|word| matches!(word.as_str(), "year" | "yr" | "jahr"));
    column.kind == ColumnType::Integer && named && within(&column.min) && within(&column.max)
}

/// True for numbers worth averaging.
pub fn is_measure(column: &Column) -> bool {
    is_numeric(column) && !is_year(column) && column.role != Role::Id
}

/// True for columns that put rows into groups.
pub fn is_group(column: &Column) -> bool {
    match column.kind {
        ColumnType::Boolean => true,
        ColumnType::Text => {
            column.role == Role::Category || (column.distinct <= MAX_GROUPS && column.role != Role::Text)
        }
        ColumnType::Integer => {
            is_year(column) || matches!(column.role, Role::Category | Role::Geo) || column.distinct <= 12
        }
        _ => false,
    }
}

/// The figure that suits a column when the question names none: quantities that add up are added.
pub fn default_agg(name: &str) -> Agg {
    const ADDITIVE: &[&str] = &[
        "sales",
        "sale",
        "revenue",
        "amount",
        "quantity",
        "qty",
        "units",
        "cost",
        "costs",
        "profit",
        "total",
        "orders",
        "population",
        "precipitation",
        "rainfall",
        "views",
        "clicks",
        "visits",
        "spend",
        "spending",
        "expenses",
        "income",
        "volume",
        "deaths",
        "cases",
        "passengers",
        "downloads",
        "donations",
        "turnover",
        "sold",
        "births",
        "budget",
        "count",
        "hours",
        "goals",
    ];
    let (words, _) = name_words(name);
    let rate = words
        .iter()
        .any(|word| matches!(word.as_str(), "rate" | "ratio" | "per" | "avg" | "mean" | "price" | "unit" | "percent"));
    if !rate && words.iter().any(|word| ADDITIVE.contains(&word.as_str())) { Agg::Sum } else { Agg::Mean }
}

/// The first time column.
pub fn time_column(table: &Table) -> Option<&Column> {
    searched(table).iter().find(|column| is_time(column))
}

/// Days from the first to the last date, if the sampler knew both.
pub fn span_days(column: &Column) -> Option<f64> {
    let days = |value: &Option<serde_json::Value>| {
        let text = value.as_ref()?.as_str()?;
        let mut parts = text.get(..10)?.split('-').map(str::parse::<f64>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) => Some(year * 365.25 + month * 30.44 + day),
            _ => None,
        }
    };
    Some(days(&column.max)? - days(&column.min)?)
}
