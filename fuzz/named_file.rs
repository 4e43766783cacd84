//! Makes a file with a name of any bytes: the first byte chooses the name, the rest is the content.

/// Names that lead the sampler to each of its readers.
const NAMES: &[&str] = &[
    "data.csv",
    "data.tsv",
    "data.json",
    "data.jsonl",
    "data.xlsx",
    "data.xls",
    "data.ods",
    "data.parquet",
    "data.feather",
    "data.sqlite",
    "data.pdf",
    "data.png",
    "data.webp",
    "data.gif",
    "data.jpg",
    "data.zip",
    "data.tar",
    "data.csv.gz",
    "data.csv.zst",
    "notes.md",
    "server.log",
    "noname",
];

/// The name, and the content.
pub fn file_of(data: &[u8]) -> (&'static str, &[u8]) {
    let Some((first, content)) = data.split_first() else { return ("data.csv", data) };
    (NAMES[usize::from(*first) % NAMES.len()], content)
}
