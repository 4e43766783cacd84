//! Links to artifacts that work without a key for a few minutes, signed so that nobody can make one or change one.
//!
//! A link says tenant, artifact and when it ends, and carries an HMAC-SHA256 of the three. The key is made at the first
//! start and stays in the data directory; with another key all links end.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// Seconds that a link works.
pub const LIFE_S: u64 = 300;
/// File with the key in the data directory.
pub const KEY_FILE: &str = "links.key";
/// Block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// What signs links and checks them. Empty until the server knows where artifacts are served.
#[derive(Default)]
pub struct Links(OnceLock<Signer>);

struct Signer {
    key: Zeroizing<[u8; 32]>,
    origin: String,
}

impl Links {
    /// From now on, links begin with this origin and are signed with the key of this data directory.
    ///
    /// # Errors
    ///
    /// The key cannot be read or made.
    pub fn open(&self, data_dir: &Path, origin: &str) -> std::io::Result<()> {
        let key = read_or_make(&data_dir.join(KEY_FILE))?;
        let _ = self.0.set(Signer { key, origin: origin.to_owned() });
        Ok(())
    }

    /// Where artifacts are served.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.0.get().map(|signer| signer.origin.as_str())
    }

    /// A link to this artifact, and when it ends in seconds since 1970.
    ///
    /// # Errors
    ///
    /// This server serves no artifacts through links.
    pub fn make(&self, tenant: &Tenant, artifact: &str) -> Result<(String, u64)> {
        let signer = self.0.get().ok_or_else(|| Error::internal(anyhow::anyhow!("links are not open")))?;
        let ends = now() + LIFE_S;
        let mark = hex(&signer.sign(tenant.as_str(), artifact, ends));
        Ok((format!("{}/{tenant}/{artifact}/{ends}/{mark}", signer.origin), ends))
    }

    /// Whose artifact a link is to; `None` if it is not one of ours or has ended.
    #[must_use]
    pub fn check(&self, tenant: &str, artifact: &str, ends: u64, mark: &str) -> Option<Tenant> {
        let signed = hex(&self.0.get()?.sign(tenant, artifact, ends));
        // Every byte is looked at, so that the time tells nothing of how many are right.
        let differing = signed.bytes().zip(mark.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        (mark.len() == signed.len() && differing == 0 && now() < ends).then(|| Tenant::new(tenant))?
    }
}

impl Signer {
    fn sign(&self, tenant: &str, artifact: &str, ends: u64) -> [u8; 32] {
        // Names of tenants and ids hold no line ends, so no two links have the same text.
        hmac(&self.key[..], format!("glovebox artifact 1\n{tenant}\n{artifact}\n{ends}").as_bytes())
    }
}

/// HMAC-SHA256 (RFC 2104) with a key of at most one block.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Only the user of the server may read it.
fn read_or_make(path: &Path) -> std::io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    match std::fs::File::open(path) {
        Ok(mut file) => {
            file.read_exact(&mut key[..])?;
            return Ok(key);
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    *key = rand::random();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key[..])?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let mark = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&mark), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let mark = hmac(&[0x0b; 20], b"Hi There");
        assert_eq!(hex(&mark), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    #[test]
    fn a_link_is_good_for_one_artifact_of_one_tenant_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let links = Links::default();
        assert!(links.make(&Tenant::local(), "art_1").is_err());
        links.open(dir.path(), "http://127.0.0.1:1").unwrap();
        let (url, ends) = links.make(&Tenant::local(), "art_1").unwrap();
        let mark = url.rsplit('/').next().unwrap();
        assert_eq!(links.check("local", "art_1", ends, mark), Some(Tenant::local()));
        let other = format!("{}{}", if mark.starts_with('0') { '1' } else { '0' }, &mark[1..]);
        for (tenant, artifact, ends, mark) in [
            ("other", "art_1", ends, mark),
            ("local", "art_2", ends, mark),
            ("local", "art_1", ends + 1, mark),
            ("local", "art_1", ends, &other),
            ("local", "art_1", ends, &mark[..63]),
            ("local", "art_1", ends, ""),
        ] {
            assert_eq!(links.check(tenant, artifact, ends, mark), None, "{tenant} {artifact} {ends} {mark}");
        }
        let signer = links.0.get().unwrap();
        let past = now() - 1;
        let mark = hex(&signer.sign("local", "art_1", past));
        assert_eq!(links.check("local", "art_1", past, &mark), None, "it has ended");
    }

    #[test]
    fn the_key_outlives_the_server_and_another_key_ends_all_links() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let open = |dir: &Path| {
            let links = Links::default();
            links.open(dir, "http://127.0.0.1:1").unwrap();
            links
        };
        let (url, ends) = open(dir.path()).make(&Tenant::local(), "art_1").unwrap();
        let mark = url.rsplit('/').next().unwrap();
        assert!(open(dir.path()).check("local", "art_1", ends, mark).is_some());
        assert!(open(other.path()).check("local", "art_1", ends, mark).is_none());
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read the key");
    }
}
