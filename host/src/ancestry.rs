//! Where a session's conversation began: the turns of the sessions that it was forked from, up to each fork.

use std::collections::{HashMap, HashSet};

use crate::error::{Code, Result};
use crate::storage::{SessionRecord, Storage};
use crate::tenants::Tenant;

/// Forks of forks that are followed back.
const GENERATIONS: usize = 100;

/// What came before a fork.
#[derive(Debug, Default)]
pub struct Ancestry {
    /// Sessions, the oldest first, each with the checkpoints that lead to the fork. A run belongs to it if its
    /// checkpoint is one of them.
    pub sessions: Vec<(String, HashSet<i64>)>,
    /// Whether one of the sessions is gone, and what came before with it.
    pub missing: bool,
}

impl Ancestry {
    /// Follows a session back to where it began.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn of(storage: &Storage, tenant: &Tenant, session: &SessionRecord) -> Result<Ancestry> {
        let mut found = Ancestry::default();
        let mut from = origin(session);
        while let Some((id, checkpoint)) = from {
            let parent = match storage.session(tenant, &id).await {
                Err(error) if error.code == Code::NotFound => None,
                other => Some(other?),
            };
            let Some(parent) = parent.filter(|_| found.sessions.len() < GENERATIONS) else {
                found.missing = true;
                break;
            };
            let before: HashMap<i64, Option<i64>> = storage.steps(tenant, &id).await?.into_iter().collect();
            found.sessions.push((id, way(checkpoint, &before)));
            from = origin(&parent);
        }
        found.sessions.reverse();
        Ok(found)
    }

    /// Whether a run of that session that left that checkpoint came before the fork.
    #[must_use]
    pub fn has(&self, session: &str, checkpoint: Option<i64>) -> bool {
        let of = self.sessions.iter().find(|(id, _)| id == session);
        of.zip(checkpoint).is_some_and(|((_, checkpoints), number)| checkpoints.contains(&number))
    }
}

fn origin(session: &SessionRecord) -> Option<(String, i64)> {
    session.forked_from_session.clone().zip(session.forked_from_checkpoint)
}

/// A checkpoint and all that lead to it; `before` has of each the one before it.
fn way(mut at: i64, before: &HashMap<i64, Option<i64>>) -> HashSet<i64> {
    let mut way = HashSet::new();
    while way.insert(at)
        && let Some(Some(parent)) = before.get(&at)
    {
        at = *parent;
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_undone_before_the_fork_does_not_lead_to_it() {
        // 1 ← 2, and 1 ← 3 ← 4 after 2 was undone.
        let before = [(1, Some(0)), (2, Some(1)), (3, Some(1)), (4, Some(3))].into();
        assert_eq!(way(4, &before), [0, 1, 3, 4].into());
        assert_eq!(way(2, &before), [0, 1, 2].into());
        // A database that was tampered with does not keep us forever.
        assert_eq!(way(1, &[(1, Some(2)), (2, Some(1))].into()), [1, 2].into());
    }
}
