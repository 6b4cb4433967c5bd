//! Runs: their items, results, files and uploads, and what is known of cases from them.

use super::{At, Carrier};
use crate::keeping::restores::sql;
use crate::keeping::restores::tally::Fate;
use crate::kernel::error::Result;
use crate::kernel::records::{self, Record};

impl Carrier {
    pub(super) fn run(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let number = row.number("number").unwrap_or_default();
        let reference = format!("{}-R{number}", self.what.key());
        let known = match self.is_new_project {
            true => None,
            false => sql::run(at.look, self.project, number)?,
        };
        match known {
            Some(now) if now.agrees(row, &["created_at"]) => {
                self.same("runs", row.id(), now.id());
                self.tally.note(
                    "Results that a run got since the backup stay: they are never changed or taken away.",
                );
                let shown =
                    ["title", "state", "passed", "failed", "errored", "blocked", "skipped", "untested"];
                // Its counts belong to results that stay, so only its title is ever put back.
                self.told(at, "runs", &reference, row, &now, &shown, &["title"])
            }
            Some(now) => {
                self.leave("runs", row.id());
                self.tally.conflict(format!("{reference} is another run by now: “{}”.", now.text("title")));
                Ok(())
            }
            None => {
                let mut new = row.clone();
                new.set("project_id", Some(self.project));
                self.known_author(&mut new, "author_id");
                self.add(at, "runs", new, row.id())?;
                self.tally.name_created(reference);
                Ok(())
            }
        }
    }

    pub(super) fn item(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let (run, case) = (row.number("run_id").unwrap_or(0), row.number("case_id").unwrap_or(0));
        if self.is_left("runs", run) || self.is_left("cases", case) {
            self.leave("items", row.id());
            return Ok(());
        }
        let (mut new, now_run, now_case) = (row.clone(), self.now("runs", run), self.now("cases", case));
        let known = match self.is_fresh("runs", run) {
            true => None,
            false => sql::item(at.look, now_run, now_case)?,
        };
        if let Some(now) = known {
            self.same("items", row.id(), now.id());
            self.tally.count("items", Fate::Same);
            return Ok(());
        }
        new.set("run_id", Some(now_run));
        new.set("case_id", Some(now_case));
        self.known_author(&mut new, "assignee_id");
        self.add(at, "items", new, row.id()).map(drop)
    }

    pub(super) fn result(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let (run, item) = (row.number("run_id").unwrap_or(0), row.number("item_id").unwrap_or(0));
        if self.is_left("runs", run) || self.is_left("items", item) {
            self.leave("results", row.id());
            return Ok(());
        }
        let (now_run, now_item) = (self.now("runs", run), self.now("items", item));
        let mut new = row.clone();
        new.set("run_id", Some(now_run));
        new.set("item_id", Some(now_item));
        self.known_author(&mut new, "author_id");
        if !self.is_fresh("runs", run) && !self.is_fresh("items", item) {
            let like = ["run_id", "item_id", "attempt"];
            let by_id = sql::row(at.look, "results", row.id())?.filter(|now| now.agrees(&new, &like));
            let attempt = row.number("attempt").unwrap_or(0);
            let known = match by_id {
                Some(known) => Some(known),
                None => sql::result_of(at.look, now_run, now_item, attempt)?,
            };
            if let Some(now) = known {
                self.same("results", row.id(), now.id());
                self.tally.count("results", Fate::Same);
                return Ok(());
            }
        }
        let id = self.add(at, "results", new, row.id())?;
        match at.write.filter(|_| id != row.id()) {
            Some(write) => sql::renumber_latest(write, now_item, row.id(), id),
            None => Ok(()),
        }
    }

    /// `kind` and `column` say what the file is attached to.
    pub(super) fn evidence(
        &mut self,
        at: At<'_>,
        kind: &'static str,
        column: &'static str,
        row: &Record,
    ) -> Result<()> {
        let Some(owner) = row.number(column) else { return Ok(()) };
        if self.is_left(kind, owner) {
            self.leave("evidence", row.id());
            return Ok(());
        }
        let mut new = row.clone();
        let now = self.now(kind, owner);
        if !self.is_fresh(kind, owner) && sql::evidence_like(at.look, (column, now), row)?.is_some() {
            self.tally.count("evidence", Fate::Same);
            return Ok(());
        }
        new.set("project_id", Some(self.project));
        new.set(column, Some(now));
        self.known_author(&mut new, "author_id");
        if let Some(write) = at.write {
            let blob = match sql::blob(write, row.text("blob_name"))? {
                Some(blob) => blob.id(),
                None => sql::add_blob(write, row)?,
            };
            new.set("blob_id", Some(blob));
        }
        for column in ["blob_name", "blob_sha256", "blob_bytes", "blob_stored_at"] {
            new.leave_out(column);
        }
        self.add(at, "evidence", new, row.id()).map(drop)
    }

    pub(super) fn upload(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let run = row.number("run_id").unwrap_or(0);
        if self.is_left("runs", run) {
            self.leave("uploads", row.id());
            return Ok(());
        }
        if !self.is_new_project && sql::upload_like(at.look, self.project, row)?.is_some() {
            self.tally.count("uploads", Fate::Same);
            return Ok(());
        }
        let mut new = row.clone();
        new.set("project_id", Some(self.project));
        new.set("run_id", Some(self.now("runs", run)));
        self.known_author(&mut new, "author_id");
        let id = self.add(at, "uploads", new, row.id())?;
        if id != row.id() && at.write.is_some() {
            self.tally.note("Some uploads have other numbers now, because theirs were given to others.");
        }
        Ok(())
    }

    /// What is known of a case that is still there counts all its results already.
    pub(super) fn summary(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let case = row.number("case_id").unwrap_or(0);
        if self.is_left("cases", case) || !self.is_fresh("cases", case) {
            return Ok(());
        }
        let Some(write) = at.write else { return Ok(()) };
        let mut new = row.clone();
        new.set("project_id", Some(self.project));
        for (column, kind) in [("case_id", "cases"), ("run_id", "runs"), ("result_id", "results")] {
            new.set(column, row.number(column).map(|number| self.now(kind, number)));
        }
        let is_there = sql::row(write, "runs", new.number("run_id").unwrap_or(0))?.is_some()
            && sql::row(write, "results", new.number("result_id").unwrap_or(0))?.is_some();
        if is_there { records::insert(write, "case_summaries", &new).map(drop) } else { Ok(()) }
    }
}
