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
        checkpoint: None,
        undone: false,
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
    std::fs::write(dir.path().join("tmp/half"), "x").unwrap();
    std::fs::write(storage.aside(&tenant).join("half"), "x").unwrap();
    std::fs::create_dir(storage.workspace(&tenant, "run_1")).unwrap();
    std::fs::create_dir_all(dir.path().join("blobs/local/ab")).unwrap();
    std::fs::write(dir.path().join("blobs/local/ab/abcd"), "no row has this").unwrap();
    storage.close().await;
    drop(storage);
    let storage = Storage::open(dir.path()).await.unwrap();
    let view = storage.run(&tenant, "run_1").await.unwrap();
    assert_eq!((view.run.status, view.run.error_code.as_deref()), (Status::Failed, Some("interrupted")));
    assert_eq!((entries(&storage.tmp()), entries(&storage.work())), (0, 0));
    assert!(storage.blob_path(&tenant, &kept.sha256).exists());
    assert_eq!(entries(&dir.path().join("blobs")), 1);
}

#[tokio::test]
async fn a_run_has_one_end_and_only_the_server_that_took_it_last_writes_it() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let ended = |id: &str| RunRecord { finished_at: Some(now()), status: Status::Done, ..run(id, None) };
    let finish = async |storage: &Storage, id: &str| storage.finish_run(&tenant, ended(id), Vec::new(), &[]).await;
    let key = RequestKey { key: "k".into(), request: "hash".into() };
    storage.accept_run(&tenant, &run("run_1", None), true, Some(&key)).await.unwrap();
    let again = storage.accept_run(&tenant, &run("run_2", None), true, Some(&key)).await.unwrap_err();
    assert_eq!(again.code, Code::Conflict);
    assert_eq!(storage.run(&tenant, "run_2").await.unwrap_err().code, Code::NotFound, "half of it was written");
    assert!(storage.take_over().await.unwrap().is_empty(), "it is not another server's");
    // A server that was thought dead, and is not: its lease is older than that of the one that took over.
    sqlx::query("UPDATE runs SET lease = lease + 1").execute(&storage.0.write).await.unwrap();
    assert_eq!(finish(&storage, "run_1").await.unwrap_err().code, Code::Conflict);
    sqlx::query("UPDATE runs SET lease = lease - 1").execute(&storage.0.write).await.unwrap();
    storage.close().await;
    drop(storage);
    let storage = Storage::open(dir.path()).await.unwrap();
    let taken = storage.take_over().await.unwrap();
    assert_eq!(taken.iter().map(|(of, run)| (of, run.id.as_str())).collect::<Vec<_>>(), [(&tenant, "run_1")]);
    finish(&storage, "run_1").await.unwrap();
    assert_eq!(finish(&storage, "run_1").await.unwrap_err().code, Code::Conflict, "it has ended");
    assert_eq!(storage.known_by(&tenant, &key).await.unwrap().as_deref(), Some("run_1"));
    assert_eq!(storage.known_by(&Tenant::new("other").unwrap(), &key).await.unwrap(), None);
    let other = RequestKey { request: "another".into(), ..key };
    assert_eq!(storage.known_by(&tenant, &other).await.unwrap_err().code, Code::IdempotencyKeyReused);
}

#[tokio::test]
async fn directories_from_before_there_were_tenants_move_to_the_one_there_was() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let session = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    storage.close().await;
    drop(storage);
    std::fs::remove_dir_all(dir.path().join("work")).unwrap();
    for (part, file) in [("workspaces", "kept.csv"), ("scratch", "note")] {
        let place = dir.path().join(part).join(&session.id);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(file), "x").unwrap();
    }
    let storage = Storage::open(dir.path()).await.unwrap();
    assert!(storage.workspace(&tenant, &session.id).join("kept.csv").exists());
    assert!(storage.scratch(&tenant, &session.id).join("note").exists());
    assert!(!dir.path().join("workspaces").exists() && !dir.path().join("scratch").exists());
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

/// A turn that left one file and one layer.
async fn turn(storage: &Storage, session: &str, id: &str, content: &'static [u8], keep: usize) -> CheckpointRecord {
    let tenant = Tenant::local();
    let staged = storage.stage(content, 100).unwrap();
    let node = Node::File { sha256: staged.blob.sha256.clone(), size: 4 };
    let tree = Tree::from([((Area::Data, "x.txt".to_owned()), node)]);
    let layer = storage.new_layer(&tenant);
    std::fs::write(&layer, "pages").unwrap();
    let session = storage.session(&tenant, session).await.unwrap();
    let before = storage.checkpoint(&tenant, &session.id, session.head.unwrap()).await.unwrap();
    let mut layers: Vec<_> =
        storage.layers_of(&tenant, &before).await.unwrap().iter().map(|layer| file_name(layer)).collect();
    layers.push(file_name(&layer));
    let state = NewState { tree: NewTree::New(tree, vec![staged]), layers, added: Some((file_name(&layer), 5)) };
    let mut run = run(id, Some(&session.id));
    let turn = KeptTurn { run: &mut run, left: Vec::new(), events: &[], ask: None, state, keep };
    storage.finish_turn(&tenant, turn).await.unwrap()
}

#[tokio::test]
async fn layers_and_contents_stay_while_any_checkpoint_has_them_and_leave_with_the_last() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let parent = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    turn(&storage, &parent.id, "run_1", b"one!", 50).await;
    let at = turn(&storage, &parent.id, "run_2", b"two!", 50).await;
    assert_eq!((at.number, at.parent, at.bytes), (2, Some(1), 5));
    assert_eq!(storage.checkpoint_bytes(&tenant).await.unwrap(), 2 * 5 + 2 * 4);
    let parent = storage.session(&tenant, &parent.id).await.unwrap();
    storage.fork_session(&tenant, &parent, &at, &[("ses_child".into(), "c".into())]).await.unwrap();
    assert!(storage.delete_session(&tenant, &parent.id).await.unwrap());
    let child = storage.checkpoint(&tenant, "ses_child", 0).await.unwrap();
    let layers = storage.layers_of(&tenant, &child).await.unwrap();
    assert!(layers.len() == 2 && layers.iter().all(|layer| layer.exists()));
    assert_eq!(entries(&dir.path().join("blobs")), 1, "the fork has the second file alone");
    assert_eq!(storage.checkpoint_bytes(&tenant).await.unwrap(), 2 * 5 + 4);
    assert!(storage.delete_session(&tenant, "ses_child").await.unwrap());
    assert_eq!((entries(&storage.layers(&tenant)), entries(&dir.path().join("blobs"))), (0, 0));
    assert_eq!(storage.checkpoint_bytes(&tenant).await.unwrap(), 0);
}

#[tokio::test]
async fn old_checkpoints_are_pruned_but_named_ones_the_first_and_the_head_are_not() {
    let (_dir, storage) = open().await;
    let tenant = Tenant::local();
    let session = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    for number in 1..=6 {
        let made = turn(&storage, &session.id, &format!("run_{number}"), b"same", 2).await;
        if number == 2 {
            storage.name_checkpoint(&made, "keep me").await.unwrap();
        }
    }
    let left = storage.checkpoints(&tenant, &session.id).await.unwrap();
    let left: Vec<_> = left.iter().map(|one| (one.number, one.parent)).collect();
    assert_eq!(left, [(0, None), (2, Some(0)), (5, Some(2)), (6, Some(5))]);
    // Numbers of those that are gone are not given again.
    storage.set_head(&tenant, &session.id, 2).await.unwrap();
    let made = turn(&storage, &session.id, "run_7", b"more", 2).await;
    assert_eq!((made.number, made.parent), (7, Some(2)));
}

#[tokio::test]
async fn a_deleted_upload_is_gone_from_checkpoints_too() {
    let (dir, storage) = open().await;
    let tenant = Tenant::local();
    let upload = keep(&storage, &tenant, "x.txt", b"same").await;
    let session = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    storage.add_session_file(&tenant, &session.id, &upload.id, "x.txt").await.unwrap();
    let made = turn(&storage, &session.id, "run_1", b"same", 50).await;
    assert_eq!(storage.tree(&tenant, &made.tree_id).await.unwrap().len(), 1);
    assert!(storage.delete_file(&tenant, &upload.id).await.unwrap());
    assert!(storage.tree(&tenant, &made.tree_id).await.unwrap().is_empty());
    assert_eq!(entries(&dir.path().join("blobs")), 0);
}

#[tokio::test]
async fn a_turn_that_cannot_be_written_down_leaves_its_session_where_it_was() {
    let (_dir, storage) = open().await;
    let tenant = Tenant::local();
    let session = storage.add_session(&tenant, "t", "python", "default").await.unwrap();
    let mut run = run("run_1", Some(&session.id));
    let before = storage.checkpoint(&tenant, &session.id, 0).await.unwrap();
    // A layer that nobody wrote.
    let state = NewState { tree: NewTree::Same(before.tree_id), layers: vec!["unknown".into()], added: None };
    let turn = KeptTurn { run: &mut run, left: Vec::new(), events: &[], ask: None, state, keep: 50 };
    assert!(storage.finish_turn(&tenant, turn).await.is_err());
    assert_eq!(storage.session(&tenant, &session.id).await.unwrap(), session);
    assert_eq!(storage.run(&tenant, "run_1").await.unwrap_err().code, Code::NotFound);
    assert_eq!(storage.checkpoints(&tenant, &session.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_directory_of_layout_1_is_brought_to_the_present_layout_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("workspaces/ses_1")).unwrap();
    std::fs::write(dir.path().join("workspaces/ses_1/kept.txt"), "kept").unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("glovebox.db"));
    let pool = SqlitePool::connect_with(options.create_if_missing(true)).await.unwrap();
    let first = sqlx::migrate!("./migrations").iter().take(1).cloned().collect();
    sqlx::migrate::Migrator::with_migrations(first).run(&pool).await.unwrap();
    for statement in [
        "INSERT INTO meta VALUES ('data_version', '1'), ('checked', '')",
        "INSERT INTO sessions VALUES ('ses_1', 'local', 't', 'python', 'default', '2026-01-01', '2026-01-01')",
        "INSERT INTO runs (id, tenant, session_id, status, image, policy, code, request, created_at) \
         VALUES ('run_1', 'local', 'ses_1', 'done', 'python', 'default', '1', '{}', '2026-01-01')",
        "INSERT INTO asks (id, tenant, session_id, status, question, model, created_at, explanation, program, suggestions, \
         attempts, usage) VALUES ('ask_1', 'local', 'ses_1', 'done', 'why?', 'm', '2026-01-01', '', '', '[]', '[]', \
         '{\"input_tokens\": 1, \"output_tokens\": 1, \"calls\": 1}')",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let storage = Storage::open(dir.path()).await.unwrap();
    let tenant = Tenant::local();
    let session = storage.session(&tenant, "ses_1").await.unwrap();
    assert_eq!((session.head, session.turns), (None, 0));
    let ask = storage.ask(&tenant, "ask_1").await.unwrap();
    assert_eq!((ask.usage.calls, ask.details), (1, crate::engine::Details::default()));
    let run = storage.run(&tenant, "run_1").await.unwrap().run;
    assert_eq!((run.checkpoint, run.undone), (None, false));
    assert!(storage.workspace(&tenant, "ses_1").join("kept.txt").exists());
    storage.close().await;
    drop(storage);
    Storage::open(dir.path()).await.unwrap();
}

impl Storage {
    /// Makes every session so many days old.
    pub(crate) async fn age_sessions(&self, days: u64) {
        let query = sqlx::query("UPDATE sessions SET created_at = ?").bind(days_ago(days));
        query.execute(&self.0.write).await.unwrap();
    }

    /// Makes every session one that an older Glovebox made.
    pub(crate) async fn forget_checkpoints(&self) {
        sqlx::query("DELETE FROM checkpoints").execute(&self.0.write).await.unwrap();
        sqlx::query("UPDATE sessions SET head = NULL, checkpoints_made = 0").execute(&self.0.write).await.unwrap();
    }
}
