//! Rows of trees: the files of a session at some moment, by the hashes of their contents.

use std::collections::BTreeMap;

use sqlx::{Sqlite, Transaction};

use super::{Staged, Storage};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// Which of a guest's directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// `/mnt/data`.
    Data,
    /// `/tmp`.
    Tmp,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Of its content, lower-case hex.
        sha256: String,
        /// Bytes.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link, with its text.
    Link(String),
}

/// Everything in a session's directories, by area and path.
pub type Tree = BTreeMap<(Area, String), Node>;

/// The files of a checkpoint that is about to be written down.
#[derive(Debug)]
pub enum NewTree {
    /// Nothing changed: a tree that is there already.
    Same(String),
    /// Another one, with those of its contents that may not be kept yet.
    New(Tree, Vec<Staged>),
}

impl Area {
    fn name(self) -> &'static str {
        match self {
            Area::Data => "data",
            Area::Tmp => "tmp",
        }
    }
}

impl Storage {
    /// A tree by id.
    ///
    /// # Errors
    ///
    /// The database failed, or holds a tree that no version of ours wrote.
    pub async fn tree(&self, tenant: &Tenant, id: &str) -> Result<Tree> {
        let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
            "SELECT f.area, f.path, f.kind, f.content, f.size FROM tree_files f JOIN trees t ON t.id = f.tree_id \
             WHERE t.tenant = ? AND t.id = ?",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&self.0.read)
        .await?;
        let mut tree = Tree::new();
        for (area, path, kind, content, size) in rows {
            let area = if area == "tmp" { Area::Tmp } else { Area::Data };
            let node = match kind.as_str() {
                "file" => Node::File { sha256: content, size: size.unsigned_abs() },
                "dir" => Node::Dir,
                "link" => Node::Link(content),
                other => return Err(Error::internal(anyhow::anyhow!("tree {id} has a node of kind {other}"))),
            };
            tree.insert((area, path), node);
        }
        Ok(tree)
    }
}

/// Writes a tree's rows.
pub(super) async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    id: &str,
    tree: &Tree,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO trees (id, tenant) VALUES (?, ?)")
        .bind(id)
        .bind(tenant.as_str())
        .execute(&mut **transaction)
        .await?;
    if tree.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = tree
        .iter()
        .map(|((area, path), node)| match node {
            Node::File { sha256, size } => (area.name(), path.as_str(), "file", sha256.as_str(), *size),
            Node::Dir => (area.name(), path.as_str(), "dir", "", 0),
            Node::Link(text) => (area.name(), path.as_str(), "link", text.as_str(), 0),
        })
        .collect();
    sqlx::query(
        "INSERT INTO tree_files (tree_id, area, path, kind, content, size) \
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2)",
    )
    .bind(id)
    .bind(sqlx::types::Json(rows))
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        "INSERT OR IGNORE INTO tree_blobs (tenant, sha256, bytes) \
         SELECT ?1, content, max(size) FROM tree_files WHERE tree_id = ?2 AND kind = 'file' GROUP BY content",
    )
    .bind(tenant.as_str())
    .bind(id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets those of the trees that no checkpoint has any more. Returns the contents that they named.
pub(super) async fn drop_unused(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    trees: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    let trees = sqlx::types::Json(trees);
    let contents: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT content FROM tree_files WHERE kind = 'file' AND tree_id IN (SELECT value FROM json_each(?)) \
         AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.tree_id = tree_files.tree_id)",
    )
    .bind(trees)
    .fetch_all(&mut **transaction)
    .await?;
    sqlx::query(
        "DELETE FROM trees WHERE id IN (SELECT value FROM json_each(?)) \
         AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE c.tree_id = trees.id)",
    )
    .bind(trees)
    .execute(&mut **transaction)
    .await?;
    drop_unused_blobs(transaction, tenant, &contents).await?;
    Ok(contents)
}

/// Forgets that trees name these contents, where none does any more.
pub(super) async fn drop_unused_blobs(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    contents: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM tree_blobs WHERE tenant = ?1 AND sha256 IN (SELECT value FROM json_each(?2)) AND NOT EXISTS \
         (SELECT 1 FROM tree_files f JOIN trees t ON t.id = f.tree_id \
          WHERE f.kind = 'file' AND f.content = tree_blobs.sha256 AND t.tenant = ?1)",
    )
    .bind(tenant.as_str())
    .bind(sqlx::types::Json(contents))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
