//! Statements of the overview.

use crate::kernel::access::InProject;
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::sql::{self, FromRow, Row, named_params};

/// Untested items of open runs that are given to somebody.
pub(super) fn given_to(tx: impl InProject, user: UserId) -> Result<i64> {
    let Count(count) = tx.only(
        "SELECT count(*)
           FROM runs CROSS JOIN items ON items.run_id = runs.id AND items.status = 'untested'
          WHERE project_id = :project AND state <> 'closed' AND state = 'open' AND assignee_id = :user",
        named_params! { ":project": tx.project(), ":user": user },
    )?;
    Ok(count)
}

struct Count(i64);

impl FromRow for Count {
    fn from_row(row: &Row<'_>) -> sql::Result<Count> {
        Ok(Count(row.get(0)?))
    }
}
