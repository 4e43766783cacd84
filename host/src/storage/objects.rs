//! Objects: where contents are kept beside this machine's disk, such as a bucket of S3.
//!
//! The disk has a copy of each content that was made or used here, which everything works on: guests need files. With
//! objects, a content is in the store before a row names it, and a copy that is missing is fetched. So a machine can be
//! lost: a backup of the database and the store together hold everything but the memory of sessions.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, WriteMultipart};
use tokio::io::AsyncReadExt;

use super::{Storage, Upload};
use crate::tenants::Tenant;

/// Larger contents are sent in parts of this size, in bytes.
const PART: usize = 8 << 20;
/// Parts under way at once.
const PARALLEL: usize = 3;
/// What one request may take with its repetitions.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store of contents.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Above all keys.
    prefix: Key,
    /// What the configuration calls it.
    name: String,
}

impl Objects {
    /// Opens the store that an address names: `s3://BUCKET/PREFIX`, with credentials, region and endpoint from the usual
    /// variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` …), or
    /// `file:///DIRECTORY`, such as one of another machine.
    ///
    /// # Errors
    ///
    /// A sentence: it is no such address, or what it names cannot be used.
    pub fn open(address: &str) -> Result<Objects, String> {
        let failed = |error: object_store::Error| format!("objects: `{address}` cannot be used: {error}");
        let name = address.trim_end_matches('/').to_owned();
        let (scheme, rest) = name.split_once("://").ok_or_else(|| wrong(address))?;
        match scheme {
            "s3" => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(wrong(address));
                }
                let retry = RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..RetryConfig::default() };
                let store = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_retry(retry)
                    // The store looks at what it got before it says that it has it.
                    .with_checksum_algorithm(Checksum::SHA256)
                    .build()
                    .map_err(failed)?;
                let prefix = Key::parse(prefix).map_err(|error| failed(error.into()))?;
                Ok(Objects { store: Arc::new(store), prefix, name })
            }
            "file" => {
                let root = Path::new(rest);
                if !root.is_absolute() {
                    return Err(wrong(address));
                }
                std::fs::create_dir_all(root).map_err(|error| format!("objects: `{address}`: {error}"))?;
                let store = LocalFileSystem::new_with_prefix(root).map_err(failed)?.with_fsync(true);
                Ok(Objects { store: Arc::new(store), prefix: Key::default(), name })
            }
            _ => Err(wrong(address)),
        }
    }

    /// What the configuration calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes, reads and removes something, so that wrong credentials are found before anything relies on them.
    ///
    /// # Errors
    ///
    /// What the store said.
    pub async fn try_out(&self) -> io::Result<()> {
        let key = self.prefix.clone().join("tried").join(uuid::Uuid::new_v4().simple().to_string());
        self.store.put(&key, PutPayload::from_static(b"glovebox")).await.map_err(failed)?;
        let read = self.store.get(&key).await.map_err(failed)?.bytes().await.map_err(failed)?;
        self.store.delete(&key).await.map_err(failed)?;
        if &read[..] == b"glovebox" { Ok(()) } else { Err(io::Error::other("it gave back something else")) }
    }

    fn key(&self, tenant: &str, sha256: &str) -> Key {
        self.prefix.clone().join("blobs").join(tenant).join(sha256)
    }

    /// Sends a content, unless it is there with as many bytes.
    pub(super) async fn ensure(&self, tenant: &str, sha256: &str, path: &Path) -> io::Result<()> {
        let key = self.key(tenant, sha256);
        let mut file = tokio::fs::File::open(path).await?;
        let size = file.metadata().await?.len();
        match self.store.head(&key).await {
            Ok(there) if there.size == size => return Ok(()),
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
        if size <= PART as u64 {
            let mut content = Vec::new();
            file.read_to_end(&mut content).await?;
            self.store.put(&key, PutPayload::from(content)).await.map_err(failed)?;
            return Ok(());
        }
        let mut writer =
            WriteMultipart::new_with_chunk_size(self.store.put_multipart(&key).await.map_err(failed)?, PART);
        let sent = async {
            let mut piece = vec![0; PART];
            loop {
                let read = file.read(&mut piece).await?;
                if read == 0 {
                    return Ok(());
                }
                writer.wait_for_capacity(PARALLEL).await.map_err(failed)?;
                writer.write(&piece[..read]);
            }
        };
        match sent.await {
            Ok(()) => writer.finish().await.map(drop).map_err(failed),
            Err(error) => {
                // What was sent of it would be kept, and paid for.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Forgets a content; one that is not there is forgotten already.
    pub(super) async fn remove(&self, tenant: &str, sha256: &str) -> io::Result<()> {
        match self.store.delete(&self.key(tenant, sha256)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Receives a content into `upload`; whether there is one.
    async fn receive(&self, tenant: &str, sha256: &str, upload: &Upload) -> io::Result<bool> {
        let mut pieces = match self.store.get(&self.key(tenant, sha256)).await {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(failed(error)),
        };
        while let Some(piece) = pieces.next().await {
            upload.push(piece.map_err(failed)?).await;
        }
        Ok(true)
    }
}

fn wrong(address: &str) -> String {
    format!("objects: `{address}` is neither `s3://BUCKET/PREFIX` nor `file:///DIRECTORY`")
}

fn failed(error: object_store::Error) -> io::Error {
    io::Error::other(format!("the object store failed: {error}"))
}

impl Storage {
    /// Where a content is on this machine; fetched from the store of objects if it is only there. If it is nowhere, its
    /// place is empty.
    ///
    /// # Errors
    ///
    /// The store failed, or what it has is another content; the disk failed.
    pub async fn content(&self, tenant: &Tenant, sha256: &str) -> io::Result<PathBuf> {
        let path = self.blob_path(tenant, sha256);
        if let Some(objects) = &self.0.objects
            && !tokio::fs::try_exists(&path).await?
        {
            let upload = self.upload();
            if objects.receive(tenant.as_str(), sha256, &upload).await? {
                let staged = upload.finish().await?;
                if staged.blob.sha256 != sha256 {
                    let detail = format!("{} has another content under the name of {sha256}", objects.name());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
                }
                // Two who fetch it at once put the same content in the same place.
                self.place(tenant, staged).await?;
            }
        }
        Ok(path)
    }

    /// The same for threads that may wait.
    ///
    /// # Errors
    ///
    /// As [`Self::content`].
    pub fn content_blocking(&self, tenant: &Tenant, sha256: &str) -> io::Result<PathBuf> {
        match &self.0.objects {
            None => Ok(self.blob_path(tenant, sha256)),
            Some(_) => tokio::runtime::Handle::current().block_on(self.content(tenant, sha256)),
        }
    }

    /// Brings the contents to where the configuration wants them from now on. Contents that are used stay used.
    ///
    /// # Errors
    ///
    /// A sentence: the store cannot be reached, or contents are only in a store that is not configured any more.
    pub(super) async fn settle(&self) -> Result<(), String> {
        let told = |error: sqlx::Error| format!("objects: the database failed: {error}");
        let before: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'objects'")
            .fetch_optional(&self.0.write)
            .await
            .map_err(told)?;
        let wanted = self.0.objects.as_ref();
        if before.as_deref() == wanted.map(Objects::name) {
            return Ok(());
        }
        let used = self.used().await.map_err(told)?;
        if let Some(before) = &before {
            let away = used.iter().filter(|(tenant, sha256)| !self.blob_path_of(tenant, sha256).exists()).count();
            if away > 0 {
                return Err(format!(
                    "objects: {away} contents of this data directory are in {before} and not on this machine; \
                     configure it again, or copy them to blobs/TENANT/FIRST-TWO-DIGITS/SHA256 of the data directory"
                ));
            }
        }
        let Some(objects) = wanted else {
            sqlx::query("DELETE FROM meta WHERE key = 'objects'").execute(&self.0.write).await.map_err(told)?;
            return Ok(());
        };
        let name = objects.name();
        objects.try_out().await.map_err(|error| format!("objects: {name}: {error}"))?;
        tracing::info!(contents = used.len(), to = name, "sending what is here to the store of objects");
        for (tenant, sha256) in used {
            let path = self.blob_path_of(&tenant, &sha256);
            // What is gone already is no reason to do without the rest.
            if path.exists() {
                objects.ensure(&tenant, &sha256, &path).await.map_err(|error| format!("objects: {name}: {error}"))?;
            }
        }
        sqlx::query("INSERT INTO meta (key, value) VALUES ('objects', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .bind(name)
            .execute(&self.0.write)
            .await
            .map_err(told)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Staged;

    async fn with(dir: &Path, objects: Option<&Path>) -> Result<Storage, crate::storage::OpenError> {
        let objects = objects.map(|path| Objects::open(&format!("file://{}", path.display())).unwrap());
        Storage::open_with(dir, objects).await
    }

    async fn staged(storage: &Storage, content: &[u8]) -> Staged {
        let upload = storage.upload();
        upload.push(content.to_vec().into()).await;
        upload.finish().await.unwrap()
    }

    async fn add(storage: &Storage, name: &str, content: &[u8]) -> crate::storage::FileRecord {
        let file = (name.to_owned(), "text/plain".to_owned(), staged(storage, content).await);
        storage.add_files(&Tenant::local(), vec![file]).await.unwrap().remove(0)
    }

    #[test]
    fn what_is_no_store_is_refused_with_the_two_forms() {
        for address in ["", "bucket", "s3://", "s3:///x", "http://a/b", "file://relative", "file:"] {
            let error = Objects::open(address).unwrap_err();
            assert!(error.contains("s3://BUCKET/PREFIX") || error.contains("cannot be used"), "{address}: {error}");
        }
    }

    #[tokio::test]
    async fn a_content_is_in_the_store_before_its_row_and_comes_back_from_it() {
        let (dir, objects) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = with(dir.path(), Some(objects.path())).await.unwrap();
        let large: Vec<u8> = (0..2 * PART + 7).map(|n| (n % 251) as u8).collect();
        let (small, large) = (add(&storage, "a", b"small").await, add(&storage, "b", &large).await);
        for file in [&small, &large] {
            let kept = objects.path().join("blobs/local").join(&file.sha256);
            assert_eq!(kept.metadata().unwrap().len(), file.size.unsigned_abs());
            let path = storage.blob_path(&Tenant::local(), &file.sha256);
            let content = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert_eq!(storage.content(&Tenant::local(), &file.sha256).await.unwrap(), path);
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        // Deleted is deleted in both.
        assert!(storage.delete_file(&Tenant::local(), &small.id).await.unwrap());
        assert!(!objects.path().join("blobs/local").join(&small.sha256).exists());
        assert!(!storage.blob_path(&Tenant::local(), &small.sha256).exists());
        // What somebody else put there is not believed.
        let path = storage.blob_path(&Tenant::local(), &large.sha256);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(objects.path().join("blobs/local").join(&large.sha256), "something else").unwrap();
        let error = storage.content(&Tenant::local(), &large.sha256).await.unwrap_err();
        assert!(error.to_string().contains("another content") && !path.exists(), "{error}");
    }

    #[tokio::test]
    async fn contents_move_into_a_store_and_are_not_left_behind_in_one() {
        let (dir, objects) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = with(dir.path(), None).await.unwrap();
        let file = add(&storage, "a", b"made before").await;
        storage.close().await;
        drop(storage);
        let storage = with(dir.path(), Some(objects.path())).await.unwrap();
        assert!(objects.path().join("blobs/local").join(&file.sha256).exists());
        let path = storage.blob_path(&Tenant::local(), &file.sha256);
        storage.close().await;
        drop(storage);
        std::fs::rename(&path, dir.path().join("away")).unwrap();
        let error = with(dir.path(), None).await.unwrap_err().to_string();
        assert!(error.contains("1 contents") && error.contains("file://"), "{error}");
        std::fs::rename(dir.path().join("away"), &path).unwrap();
        with(dir.path(), None).await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_fails_keeps_the_row_from_being_written() {
        let (dir, objects) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let storage = with(dir.path(), Some(objects.path())).await.unwrap();
        // A file in the place of the directory: nothing can be put below it.
        std::fs::write(objects.path().join("blobs"), "").unwrap();
        let content = staged(&storage, b"lost?").await;
        let refused =
            storage.add_files(&Tenant::local(), vec![("a".into(), "text/plain".into(), content)]).await.unwrap_err();
        assert!(format!("{refused:?}").contains("object store"), "{refused:?}");
        assert!(storage.files(&Tenant::local()).await.unwrap().is_empty());
    }
}
