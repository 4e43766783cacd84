//! What a column is likely used for, guessed from its name and its values.

pub use crate::engine::sample::Role;
use crate::engine::sample::{Column, ColumnType};

/// Facts that a [`Column`] does not hold.
#[derive(Debug)]
pub struct Facts {
    /// Rows with a value.
    pub present: u64,
    /// Mean length of a value.
    pub mean_bytes: f64,
    /// Smallest and largest whole number.
    pub range: Option<(i64, i64)>,
    /// True if numbers have zeros in front.
    pub padded: bool,
}

/// Words that say what a column is, in the languages that headers are commonly written in.
const ID: [&str; 14] =
    ["id", "ids", "uuid", "guid", "key", "index", "idx", "nr", "no", "rowid", "pk", "hash", "isbn", "sku"];
const YEAR: [&str; 9] = ["year", "years", "yr", "jahr", "annee", "année", "año", "anno", "ano"];
const CODE: [&str; 22] = [
    "month", "weekday", "day", "hour", "quarter", "week", "class", "grade", "level", "type", "group", "code",
    "cluster", "category", "zone", "region", "floor", "rating", "rank", "label", "status", "flag",
];
/// Words of quantities: few different values make no category of them.
const QUANTITY: [&str; 20] = [
    "quantity",
    "qty",
    "count",
    "amount",
    "units",
    "sales",
    "price",
    "total",
    "sum",
    "age",
    "children",
    "score",
    "points",
    "visits",
    "clicks",
    "orders",
    "population",
    "revenue",
    "cost",
    "n",
];

const LATITUDE: [&str; 3] = ["lat", "latitude", "breitengrad"];
const LONGITUDE: [&str; 5] = ["lon", "lng", "long", "longitude", "längengrad"];
const POSTAL: [&str; 6] = ["zip", "zipcode", "postcode", "postal", "postleitzahl", "plz"];
const COUNTRY: [&str; 7] = ["country", "countries", "nation", "land", "pays", "país", "iso3166"];

/// True for coordinates by name and range, postal codes and countries by name and length.
fn place(column: &Column, words: &[String], facts: &Facts) -> bool {
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let within = |most: f64| {
        let number = |value: &Option<serde_json::Value>| value.as_ref().and_then(serde_json::Value::as_f64);
        number(&column.min).is_some_and(|low| low >= -most) && number(&column.max).is_some_and(|high| high <= most)
    };
    match column.kind {
        ColumnType::Float => (any(&LATITUDE) && within(90.0)) || (any(&LONGITUDE) && within(180.0)),
        ColumnType::Integer => any(&POSTAL),
        ColumnType::Text => (any(&POSTAL) && facts.mean_bytes <= 10.0) || (any(&COUNTRY) && facts.mean_bytes <= 40.0),
        _ => false,
    }
}

/// Guesses the role of a column whose other fields are filled in.
pub fn role(column: &Column, facts: &Facts) -> Role {
    let words = words(&column.name);
    let any = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    if place(column, &words, facts) {
        return Role::Geo;
    }
    match column.kind {
        ColumnType::Empty => Role::Text,
        ColumnType::Date | ColumnType::Datetime => Role::Time,
        ColumnType::Boolean => Role::Category,
        ColumnType::Float => Role::Measure,
        ColumnType::Integer if column.date_format.is_some() => Role::Time,
        ColumnType::Integer => {
            let (low, high) = facts.range.unwrap_or((0, 0));
            let unnamed = column.name.starts_with("Unnamed: ");
            if year_like(column, low, high, any(&YEAR), any(&QUANTITY)) {
                Role::Time
            } else if any(&ID) || (unnamed && unique(column, facts)) || facts.padded {
                if column.distinct <= 50 && !unique(column, facts) { Role::Category } else { Role::Id }
            } else if any(&QUANTITY) {
                Role::Measure
            } else if any(&CODE)
                || (column.distinct <= 10 && facts.present >= 10 * column.distinct && high.saturating_sub(low) < 100)
            {
                Role::Category
            } else {
                Role::Measure
            }
        }
        ColumnType::Text => {
            let few = column.distinct <= 50 || (!column.distinct_capped && column.distinct * 5 <= facts.present);
            if any(&ID) && unique(column, facts) {
                Role::Id
            } else if facts.mean_bytes > 50.0 {
                Role::Text
            } else if few {
                Role::Category
            } else if unique(column, facts) && facts.mean_bytes <= 40.0 {
                Role::Id
            } else {
                Role::Text
            }
        }
    }
}

/// Unique or nearly so. A capped count says nothing against it.
fn unique(column: &Column, facts: &Facts) -> bool {
    (column.distinct_capped && column.top.is_empty()) || column.distinct * 10 >= facts.present * 9
}

fn year_like(column: &Column, low: i64, high: i64, named: bool, quantity: bool) -> bool {
    if named {
        return low >= 1000 && high <= 3000;
    }
    // Without a telling name, years are recognised by following each other.
    let recent = low >= 1900 && high <= 2100;
    recent && !quantity && column.distinct >= 3 && (high - low + 1) as u64 * 10 <= column.distinct * 13
}

/// The words of a name such as `customer_id`, `customerId` or `Customer ID`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for c in name.chars().take(200) {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && before_lower);
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sampler::column::ColumnStats;

    fn check(name: &str, cells: impl Iterator<Item = String>, expected: Role) {
        let mut stats = ColumnStats::new(b'.', 10_000);
        for cell in cells {
            stats.push(cell.as_bytes());
        }
        assert_eq!(stats.finish(name.to_owned()).0.role, expected, "{name}");
    }

    #[test]
    fn roles_follow_name_and_values() {
        check("customerId", (0..100).map(|i| i.to_string()), Role::Id);
        check("user_id", (0..1000).map(|i| (i % 5).to_string()), Role::Category);
        check("year", (0..100).map(|i| (2000 + i % 7).to_string()), Role::Time);
        check("calories", (0..100).map(|i| (1900 + i * 37 % 200).to_string()), Role::Measure);
        check("body_mass_g", (0..100).map(|i| (3000 + i * 25).to_string()), Role::Measure);
        check("quantity", (0..100).map(|i| (i % 4).to_string()), Role::Measure);
        check("cyl", (0..100).map(|i| (4 + i % 3 * 2).to_string()), Role::Category);
        check("month", (0..24).map(|i| (1 + i % 12).to_string()), Role::Category);
        check("price", (0..100).map(|i| format!("{i}.5")), Role::Measure);
        check("species", (0..100).map(|i| format!("kind {}", i % 3)), Role::Category);
        check("email", (0..100).map(|i| format!("a{i}@example.com")), Role::Id);
        check("Latitude", (0..100).map(|i| format!("{}.25", i - 50)), Role::Geo);
        check("lat", (0..100).map(|i| format!("{i}.5")), Role::Measure);
        check("birth_country", (0..100).map(|i| ["Chile", "Kenya"][i % 2].to_owned()), Role::Geo);
        check("plz", (0..100).map(|i| (10_115 + i * 7).to_string()), Role::Geo);
        check("comment", (0..100).map(|i| format!("{i} {}", "many words ".repeat(10))), Role::Text);
    }
}
