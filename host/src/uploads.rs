//! Uploads in parts: what arrived stays when the connection breaks, and the client goes on from there. They live in
//! memory with a file in the staging area each, so a restart of the server forgets them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::files::{media_type, safe_name};
use crate::storage::{FileRecord, Upload, new_id};
use crate::tenants::Tenant;

/// Uploads that a tenant may have under way.
pub const UNDER_WAY: usize = 16;

/// After this long without a byte or a question an upload is forgotten.
const IDLE: Duration = Duration::from_secs(3600);

/// Uploads under way.
#[derive(Debug, Default)]
pub struct Uploads(Mutex<HashMap<String, Arc<Part>>>);

/// An upload of which a part has arrived.
#[derive(Debug)]
pub struct Part {
    tenant: Tenant,
    /// `upl_…`
    pub id: String,
    /// Safe name.
    pub name: String,
    /// Bytes that it will have.
    pub size: u64,
    received: AtomicU64,
    used: Mutex<Instant>,
    /// Where the bytes go; taken when all are there. Locked by the one request that sends.
    content: tokio::sync::Mutex<Option<Upload>>,
    file: Mutex<Option<FileRecord>>,
}

impl Part {
    /// Bytes that have arrived.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    /// The file, once all has arrived.
    pub fn file(&self) -> Option<FileRecord> {
        lock(&self.file).clone()
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }
}

/// Begins an upload of `size` bytes.
///
/// # Errors
///
/// `file_too_large`, `quota`.
pub fn begin(app: &App, tenant: &Tenant, name: &str, size: u64) -> Result<Arc<Part>> {
    let name = safe_name(name);
    if size > app.config.upload_limit() {
        let limit = app.config.upload_limit_mib;
        let detail = format!("{name} is larger than {limit} MiB, the limit `upload_limit_mib` of this server");
        return Err(Error::new(Code::FileTooLarge, detail));
    }
    let mut all = lock(&app.uploads.0);
    all.retain(|_, part| lock(&part.used).elapsed() < IDLE);
    // Those that are complete hold nothing but their answer.
    if all.values().filter(|part| part.tenant == *tenant && part.file().is_none()).count() >= UNDER_WAY {
        let detail = format!("{UNDER_WAY} uploads are under way; finish or delete one first");
        return Err(Error::new(Code::Quota, detail));
    }
    let part = Arc::new(Part {
        tenant: tenant.clone(),
        id: new_id("upl"),
        name,
        size,
        received: AtomicU64::new(0),
        used: Mutex::new(Instant::now()),
        content: tokio::sync::Mutex::new(Some(app.storage.upload())),
        file: Mutex::new(None),
    });
    all.insert(part.id.clone(), part.clone());
    Ok(part)
}

/// The upload of that id, of this tenant.
///
/// # Errors
///
/// `not_found`.
pub fn find(app: &App, tenant: &Tenant, id: &str) -> Result<Arc<Part>> {
    let part = lock(&app.uploads.0).get(id).filter(|part| part.tenant == *tenant).cloned();
    let part = part.ok_or_else(|| Error::not_found("upload", id))?;
    part.touch();
    Ok(part)
}

/// Forgets an upload and what arrived of it.
///
/// # Errors
///
/// `not_found`.
pub fn delete(app: &App, tenant: &Tenant, id: &str) -> Result<()> {
    find(app, tenant, id)?;
    lock(&app.uploads.0).remove(id);
    Ok(())
}

/// The one who sends the next bytes of an upload.
#[derive(Debug)]
pub struct Sender<'a> {
    part: &'a Part,
    content: tokio::sync::MutexGuard<'a, Option<Upload>>,
}

impl<'a> Sender<'a> {
    /// Goes on after `from` bytes.
    ///
    /// # Errors
    ///
    /// `conflict` if another request is sending, or if another number of bytes has arrived.
    pub fn new(part: &'a Part, from: u64) -> Result<Sender<'a>> {
        let conflict = |detail| Err(Error::new(Code::Conflict, detail));
        let Ok(content) = part.content.try_lock() else {
            return conflict("another request is sending this upload".to_owned());
        };
        let received = part.received();
        if from != received {
            return conflict(format!("{received} bytes have arrived; go on with `from={received}`"));
        }
        Ok(Sender { part, content })
    }

    /// Adds a piece. If the caller goes away while it waits, the piece counts as not arrived.
    ///
    /// # Errors
    ///
    /// `invalid_request` if there are more bytes than were announced.
    pub async fn push(&self, piece: Bytes) -> Result<()> {
        let length = piece.len() as u64;
        if self.part.received() + length > self.part.size {
            let detail = format!("{} was announced with {} bytes, and more came", self.part.name, self.part.size);
            return Err(Error::invalid(detail));
        }
        if let Some(content) = self.content.as_ref() {
            content.push(piece).await;
            self.part.received.fetch_add(length, Ordering::AcqRel);
            self.part.touch();
        }
        Ok(())
    }

    /// Keeps the file if everything has arrived.
    ///
    /// # Errors
    ///
    /// The disk or the database failed; the upload is then gone.
    pub async fn finish(mut self, app: &App) -> Result<()> {
        if self.part.received() < self.part.size {
            return Ok(());
        }
        let Some(content) = self.content.take() else { return Ok(()) };
        let kept = async {
            let staged = content.finish().await?;
            let kind = media_type(&staged.blob.head, &self.part.name);
            app.storage.add_files(&self.part.tenant, vec![(self.part.name.clone(), kind, staged)]).await
        };
        match kept.await {
            Ok(mut files) => {
                *lock(&self.part.file) = files.pop();
                Ok(())
            }
            Err(error) => {
                lock(&app.uploads.0).remove(&self.part.id);
                Err(error)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
