//! Storage tested through its public functions, on real directories.

use serde_json::json;

use super::*;
use crate::error::Code;
use crate::tenants::Tenant;

pub(crate) async fn open() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path()).await.unwrap();
    (dir, storage)
}

async fn keep(storage: &Storage, tenant: &Tenant, name: &str, content: &'static [u8]) -> FileRecord {
    let upload = storage.upload();
    upload.push(bytes::Bytes::from_static(content)).await;
    let staged = upload.finish().await.unwrap();
    storage.add_files(tenant, vec![(name.into(), "text/plain".into(), staged)]).await.unwrap().remove(0)
}

fn run(id: &str, session: Option<&str>) -> RunRecord {
    RunRecord {
        id: id.into(),
        session_id: session.map(Into::into),
        ask_id: None,
        status: Status::Running,
        image: "python".into(),
        policy: "default".into(),
        code: "1".into(),
        request: json!({}),
        created_at: now(),
        finished_at: None,
        outcome: None,
        error_code: None,
        error_detail: None,
    }
}

fn entries(path: &Path) -> usize {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { entries(&path) } else { 1 })
        .sum()
}

#[tokio::test]
async fn one_tenant_cannot_see_or_delete_anothers_file() {
    let (_dir, storage) = open().await;
    let (me, other) = (Tenant::local(), Tenant::new("other").unwrap());
    let file = keep(&storage, &me, "a.txt", b"a").await;
    assert!(storage.file(&other, &file.id).await.unwrap().is_none());
    assert!(storage.files(&other).await.unwrap().is_empty());
    assert!(!storage.delete_file(&other, &file.id).await.unwrap());
    assert_eq!(storage.file(&me, &file.id).await.unwrap(), Some(file));
}

#[tokio::test]
async fn a_content_is_stored_once_and_leaves_with_its_last_file() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let first = keep(&storage, &tenant, "a.txt", b"same").await;
    let second = keep(&storage, &tenant, "b.txt", b"same").await;
    let blobs = dir.path().join("blobs");
    assert_eq!((entries(&blobs), entries(&storage.tmp())), (1, 0));
    storage.delete_file(&tenant, &first.id).await.unwrap();
    assert_eq!(entries(&blobs), 1);
    storage.delete_file(&tenant, &second.id).await.unwrap();
    assert_eq!(entries(&blobs), 0);
}

#[tokio::test]
async fn deleting_a_session_deletes_its_runs_events_and_contents() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let session = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    let staged = storage.stage(&b"left"[..], 100).unwrap();
    let events = [StoredEvent { seq: 1, kind: "stdout".into(), data: "{}".into() }];
    let left = vec![("x.txt".to_owned(), "text/plain".to_owned(), staged)];
    let view = storage.finish_run(&tenant, run("run_1", Some(&session.id)), left, &events).await.unwrap();
    assert_eq!(storage.artifact(&tenant, &view.artifacts[0].id).await.unwrap().size, 4);
    assert_eq!(storage.events(&tenant, "run_1", 0).await.unwrap(), events);
    assert!(storage.delete_session(&tenant, &session.id).await.unwrap());
    assert_eq!(storage.run(&tenant, "run_1").await.unwrap_err().code, Code::NotFound);
    assert!(storage.events(&tenant, "run_1", 0).await.unwrap().is_empty());
    assert_eq!(entries(&dir.path().join("blobs")), 0);
}

#[tokio::test]
async fn what_was_under_way_when_the_server_died_is_failed_as_interrupted_and_leftovers_are_gone() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let kept = keep(&storage, &tenant, "a.txt", b"kept").await;
    storage.save_run(&tenant, &run("run_1", None)).await.unwrap();
    storage.close().await;
    drop(storage);
    std::fs::write(dir.path().join("tmp/half"), "x").unwrap();
    std::fs::create_dir(dir.path().join("workspaces/run_1")).unwrap();
    std::fs::create_dir_all(dir.path().join("blobs/local/ab")).unwrap();
    std::fs::write(dir.path().join("blobs/local/ab/abcd"), "no row has this").unwrap();
    let storage = Storage::open(dir.path()).await.unwrap();
    let view = storage.run(&tenant, "run_1").await.unwrap();
    assert_eq!((view.run.status, view.run.error_code.as_deref()), (Status::Failed, Some("interrupted")));
    assert_eq!((entries(&storage.tmp()), entries(&storage.workspaces())), (0, 0));
    assert!(storage.blob_path(&tenant, &kept.sha256).exists());
    assert_eq!(entries(&dir.path().join("blobs")), 1);
}

#[tokio::test]
async fn a_second_server_is_refused() {
    let (dir, _storage) = open().await;
    assert!(matches!(Storage::open(dir.path()).await, Err(OpenError::Locked { .. })));
}

#[tokio::test]
async fn a_directory_of_another_version_is_refused_and_left_alone() {
    let (dir, storage) = open().await;
    sqlx::query("UPDATE meta SET value = '99' WHERE key = 'data_version'").execute(&storage.0.write).await.unwrap();
    storage.close().await;
    drop(storage);
    let error = Storage::open(dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("layout 99"), "{error}");
}

#[tokio::test]
async fn a_file_in_place_of_the_directory_is_a_clear_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Storage::open(file.path()).await.unwrap_err();
    assert!(error.to_string().contains("--data-dir"), "{error}");
}
