//! PDF: pages, title, the text of the first pages. Streams are unpacked within a limit; nothing in the file is run.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lopdf::{Document, LoadOptions, Object, decode_text_string};

use super::sniff::magic;
use super::{Finding, Input, clip};
use crate::engine::sample::{Content, DocumentFacts};

/// Bytes of a document that is looked into.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Bytes that one stream may unpack to.
const MAX_UNPACKED: usize = 32 * 1024 * 1024;
/// Pages whose text is looked for.
const PAGES: usize = 3;
/// Bytes of text that are shown.
const PREVIEW: usize = 4_000;
const TITLE: usize = 200;
const PDF: &str = "application/pdf";

/// Samples a PDF document.
pub fn sample(input: &Input) -> io::Result<Finding> {
    let unread = |why: String| {
        let content = Content::Binary { magic: magic(&input.start) };
        Ok(Finding { media_type: PDF, content, notes: vec![why] })
    };
    if input.size > MAX_FILE {
        return unread("a PDF document larger than 64 MiB: not read ahead".to_owned());
    }
    let bytes = input.read_all(MAX_FILE)?;
    // The reader is foreign code facing anybody's file.
    match catch_unwind(AssertUnwindSafe(|| read(&bytes))) {
        Ok(Ok((facts, notes))) => Ok(Finding { media_type: PDF, content: Content::Document(facts), notes }),
        Ok(Err(why)) => unread(format!("a PDF document that cannot be read: {why}")),
        Err(_) => unread("a PDF document that cannot be read: it is malformed".to_owned()),
    }
}

fn read(bytes: &[u8]) -> Result<(DocumentFacts, Vec<String>), String> {
    let options = LoadOptions { max_decompressed_size: Some(MAX_UNPACKED), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(bytes, options).map_err(|error| words(&error))?;
    if document.is_encrypted() {
        return Err("it is encrypted; save it without a password".to_owned());
    }
    let pages = document.get_pages();
    let mut notes = Vec::new();
    let mut text = String::new();
    for number in pages.keys().take(PAGES) {
        match document.extract_text_with_limit(&[*number], MAX_UNPACKED) {
            Ok(page) => {
                text.push_str(page.trim());
                text.push('\n');
            }
            Err(error) => notes.push(format!("page {number} cannot be read: {}", words(&error))),
        }
        if text.len() > PREVIEW {
            break;
        }
    }
    let text = text.trim();
    if text.is_empty() {
        notes.push("no text on the first pages: they may be pictures".to_owned());
    }
    let facts = DocumentFacts {
        format: "pdf".to_owned(),
        pages: pages.len() as u64,
        title: title(&document),
        preview: clip(text.as_bytes(), PREVIEW, text.len() > PREVIEW),
    };
    Ok((facts, notes))
}

fn title(document: &Document) -> Option<String> {
    let info = document.trailer.get(b"Info").ok()?;
    let info = match info {
        Object::Reference(id) => document.get_object(*id).ok()?,
        object => object,
    };
    let title = decode_text_string(info.as_dict().ok()?.get(b"Title").ok()?).ok()?;
    let title = title.trim();
    (!title.is_empty()).then(|| clip(title.as_bytes(), TITLE, title.len() > TITLE))
}

fn words(error: &lopdf::Error) -> String {
    clip(error.to_string().as_bytes(), 200, false)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use lopdf::content::{Content as Drawing, Operation};
    use lopdf::{Stream, dictionary};

    use super::*;
    use crate::engine::sample::Sample;

    fn document(pages: usize) -> Vec<u8> {
        let mut document = Document::with_version("1.5");
        let tree = document.new_object_id();
        let font = document.add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier" });
        let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
        let kids: Vec<Object> = (1..=pages)
            .map(|number| {
                let drawing = Drawing {
                    operations: vec![
                        Operation::new("BT", vec![]),
                        Operation::new("Tf", vec!["F1".into(), 12.into()]),
                        Operation::new("Tj", vec![Object::string_literal(format!("Revenue of page {number}"))]),
                        Operation::new("ET", vec![]),
                    ],
                };
                let drawn = document.add_object(Stream::new(dictionary! {}, drawing.encode().unwrap()));
                let page = dictionary! { "Type" => "Page", "Parent" => tree, "Contents" => drawn };
                document.add_object(page).into()
            })
            .collect();
        let count = i64::try_from(pages).unwrap();
        let pages = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources };
        document.objects.insert(tree, Object::Dictionary(pages));
        let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
        let info = document.add_object(dictionary! { "Title" => Object::string_literal("Annual report") });
        document.trailer.set("Root", catalog);
        document.trailer.set("Info", info);
        document.compress();
        let mut bytes = Vec::new();
        document.save_to(&mut bytes).unwrap();
        bytes
    }

    fn sample_of(bytes: &[u8]) -> Sample {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        super::super::read("report.pdf", file, bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_document_has_its_pages_title_and_text() {
        let sample = sample_of(&document(5));
        let Content::Document(facts) = &sample.content else { panic!("{sample:?}") };
        assert_eq!((facts.pages, facts.title.as_deref()), (5, Some("Annual report")));
        assert!(facts.preview.contains("Revenue of page 1"), "{facts:?}");
        assert!(!facts.preview.contains("page 5"), "{facts:?}");
    }

    #[test]
    fn a_document_cut_anywhere_is_read_in_part_or_named() {
        let whole = document(3);
        for part in 1..20 {
            let sample = sample_of(&whole[..whole.len() * part / 20]);
            assert_eq!(sample.media_type, PDF);
        }
    }
}
