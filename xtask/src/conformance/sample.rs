//! A fixed part of the differential test that needs neither network nor a native Python: it is in `cargo xtask test`.
//!
//! What native wheels answer is checked in; `cargo xtask image test python differential --write` writes it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::answers::Answer;
use super::guest::Guest;
use super::misses::Misses;
use super::{differential, programs};
use crate::{images, target_dir};

/// One call in so many, chosen by its digest: new calls leave the choice of the others as it is.
const ONE_IN: u8 = 12;
/// Calls that there must be.
const LEAST: usize = 500;

fn expected() -> PathBuf {
    programs().join("expected.jsonl.zst")
}

/// Keeps some of what native wheels answered.
pub(super) fn write(native: &[Answer]) -> Result<()> {
    let mut text = String::new();
    for answer in native.iter().filter(|answer| Sha256::digest(&answer.call)[0] % ONE_IN == 0) {
        text += &serde_json::to_string(answer)?;
        text.push('\n');
    }
    fs::write(expected(), zstd::encode_all(text.as_bytes(), images::ZSTD_LEVEL)?)?;
    Ok(())
}

/// Fails where the image answers otherwise without a named reason.
pub(super) fn check(guest: &Guest) -> Result<()> {
    let packed = fs::read(expected()).with_context(|| format!("failed to read {}", expected().display()))?;
    let native: Vec<Answer> = serde_json::Deserializer::from_slice(&zstd::decode_all(packed.as_slice())?)
        .into_iter()
        .collect::<Result<_, _>>()?;
    if native.len() < LEAST {
        bail!("there are {} expected answers only", native.len());
    }
    let calls: Vec<String> = native.iter().map(|answer| answer.call.clone()).collect();
    let guest = differential::in_guest(guest, &calls, &target_dir().join("conformance/sample"))?;
    let report = differential::describe(&native, guest, &Misses::read("differential")?);
    if !report.good {
        bail!("the image's numbers are not those of native Python\n{}", report.text);
    }
    Ok(())
}
