//! Carrier: what becomes of each row that comes out of a backup, and where it goes.
//!
//! A thing is the same as one that is there if it has its natural name (key, number, place) and was made in the
//! same moment. Numbers inside the instance are kept where they are free; references that people know always are.
//! Without a transaction that may write it only tells, and what it tells is what it would do.

mod runs;

use super::source::Piece;
use super::sql;
use super::tally::{Changed, Fate, Field, Tally};
use super::what::{Mode, What};
use crate::kernel::access::{Read, RestoreRun, Tx, Write};
use crate::kernel::error::{Error, Result};
use crate::kernel::records::{self, Record};
use std::collections::{HashMap, HashSet};

/// What says whether two cases are alike, besides their newest revision.
const OF_A_CASE: &[&str] = &["title", "kind", "priority", "automation_key", "state"];
const OF_A_REVISION: &[&str] = &["title", "priority", "precondition", "body", "steps"];

/// A transaction to look in, and perhaps to write in.
#[derive(Clone, Copy)]
pub(super) struct At<'t> {
    pub look: Read<'t, RestoreRun>,
    pub write: Option<Write<'t, RestoreRun>>,
}

/// Carries the rows of one thing.
pub(super) struct Carrier {
    what: What,
    mode: Mode,
    project: i64,
    /// Whether this restore makes the project.
    is_new_project: bool,
    pub tally: Tally,
    /// Numbers of then and of now, where they differ.
    moved: HashMap<(&'static str, i64), i64>,
    /// Rows of then that do not come back, so what hangs on them does not either.
    left: HashSet<(&'static str, i64)>,
    /// Rows of then that this restore makes: nothing can hang on them yet.
    fresh: HashSet<(&'static str, i64)>,
    /// People of then who are there now.
    people: HashSet<i64>,
}

impl Carrier {
    /// A carrier with empty hands.
    pub fn new(what: What, mode: Mode, people: HashSet<i64>) -> Carrier {
        Carrier {
            what,
            mode,
            people,
            project: 0,
            is_new_project: false,
            tally: Tally::default(),
            moved: HashMap::new(),
            left: HashSet::new(),
            fresh: HashSet::new(),
        }
    }

    /// Takes a piece, parents before what hangs on them.
    pub fn take(&mut self, at: At<'_>, piece: &Piece) -> Result<()> {
        match piece {
            Piece::Project { row, grants } => self.project(at, row, grants),
            Piece::Suites(rows) => rows.iter().try_for_each(|row| self.suite(at, row)),
            Piece::Cases { cases, revisions, evidence } => {
                for case in cases {
                    let of_it = |row: &&Record| row.number("case_id") == Some(case.id());
                    let revisions: Vec<&Record> = revisions.iter().filter(of_it).collect();
                    self.case(at, case, &revisions)?;
                }
                evidence.iter().try_for_each(|row| self.evidence(at, "cases", "case_id", row))
            }
            Piece::Run(row) => self.run(at, row),
            Piece::Items(rows) => rows.iter().try_for_each(|row| self.item(at, row)),
            Piece::Results { results, evidence } => {
                results.iter().try_for_each(|row| self.result(at, row))?;
                evidence.iter().try_for_each(|row| self.evidence(at, "results", "result_id", row))
            }
            Piece::Uploads(rows) => rows.iter().try_for_each(|row| self.upload(at, row)),
            Piece::Summaries(rows) => rows.iter().try_for_each(|row| self.summary(at, row)),
        }
    }

    /// Puts the counts of the project right once everything is in.
    pub fn settle(&self, write: Write<'_, RestoreRun>) -> Result<()> {
        sql::settle_project(write, self.project)
    }

    fn project(&mut self, at: At<'_>, row: &Record, grants: &[Record]) -> Result<()> {
        let key = row.text("key").to_owned();
        match sql::project(at.look, &key)? {
            Some(now) if now.agrees(row, &["created_at"]) => {
                self.project = now.id();
                self.same("projects", row.id(), now.id());
                if matches!(self.what, What::Project(_)) {
                    self.compare(at, "projects", &key, row, &now, &["name", "description"])?;
                }
                Ok(())
            }
            Some(_) => Err(Error::conflict(format!("The key {key} belongs to another project by now."))
                .hint("A key never changes. Restore the backup into a folder of its own to look at it.")),
            None if matches!(self.what, What::Project(_)) => {
                self.project = self.add(at, "projects", row.clone(), row.id())?;
                self.is_new_project = true;
                self.tally.name_created(key);
                self.tally
                    .note("Roles in the project come back to people who are still there; tokens do not.");
                grants.iter().try_for_each(|row| self.grant(at, row))
            }
            None => Err(Error::conflict(format!("There is no project {key}."))
                .hint(format!("Bring it back first: {key}. All its cases and runs come with it."))),
        }
    }

    fn grant(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let is_there = row.number("user_id").is_some_and(|user| self.people.contains(&user));
        if !is_there {
            self.tally.count("roles", Fate::Left);
            return Ok(());
        }
        let mut new = row.clone();
        new.set("project_id", Some(self.project));
        self.add(at, "grants", new, row.id()).map(drop)
    }

    fn suite(&mut self, at: At<'_>, row: &Record) -> Result<()> {
        let parent = row.number("parent_id").map(|parent| self.now("suites", parent));
        let mut new = row.clone();
        new.set("project_id", Some(self.project));
        new.set("parent_id", parent);
        // Counted once everything is in.
        new.set("cases", Some(0));
        if !self.is_new_project {
            let by_id = sql::row(at.look, "suites", row.id())?;
            let by_id = by_id.filter(|now| {
                now.agrees(row, &["created_at"]) && now.number("project_id") == Some(self.project)
            });
            if let Some(now) = by_id {
                self.same("suites", row.id(), now.id());
                let name = row.text("name").to_owned();
                return self.compare(at, "suites", &name, &new, &now, &["name", "parent_id"]);
            }
            let parent_fresh = row.number("parent_id").is_some_and(|parent| self.is_fresh("suites", parent));
            let named = match parent_fresh {
                true => None,
                false => sql::suite_named(at.look, self.project, parent.unwrap_or(0), row.text("name"))?,
            };
            if let Some(now) = named {
                self.same("suites", row.id(), now.id());
                self.tally.count("suites", Fate::Same);
                return Ok(());
            }
        }
        self.add(at, "suites", new, row.id()).map(drop)
    }

    fn case(&mut self, at: At<'_>, row: &Record, revisions: &[&Record]) -> Result<()> {
        let number = row.number("number").unwrap_or_default();
        let reference = format!("{}-C{number}", self.what.key());
        let known = match self.is_new_project {
            true => None,
            false => sql::case(at.look, self.project, number)?,
        };
        match known {
            Some(now) if now.agrees(row, &["created_at"]) => {
                self.same("cases", row.id(), now.id());
                self.compare_case(at, &reference, row, &now, revisions)
            }
            Some(now) => {
                self.leave("cases", row.id());
                self.tally.conflict(format!("{reference} is another case by now: “{}”.", now.text("title")));
                Ok(())
            }
            None => {
                let mut new = row.clone();
                new.set("project_id", Some(self.project));
                new.set("suite_id", row.number("suite_id").map(|suite| self.now("suites", suite)));
                let key = row.text("automation_key");
                let is_taken = !key.is_empty()
                    && !self.is_new_project
                    && sql::case_by_key(at.look, self.project, key)?.is_some();
                if is_taken {
                    new.set("automation_key", None);
                    self.tally
                        .note("Where an automation key belongs to another case by now, it stays there.");
                }
                let id = self.add(at, "cases", new, row.id())?;
                self.tally.name_created(reference);
                for revision in revisions {
                    self.revision(at, id, revision)?;
                }
                at.write.map_or(Ok(()), |write| sql::index_words(write, id))
            }
        }
    }

    fn revision(&mut self, at: At<'_>, case: i64, row: &Record) -> Result<()> {
        let mut new = row.clone();
        new.set("case_id", Some(case));
        self.known_author(&mut new, "author_id");
        self.tally.count("revisions", Fate::Created);
        at.write.map_or(Ok(()), |write| records::insert(write, "revisions", &new).map(drop))
    }

    fn compare_case(
        &mut self,
        at: At<'_>,
        reference: &str,
        then: &Record,
        now: &Record,
        revisions: &[&Record],
    ) -> Result<()> {
        let newest = revisions.last().map(|row| (*row).clone()).unwrap_or_default();
        let present =
            sql::revision(at.look, now.id(), now.number("revision").unwrap_or(0))?.unwrap_or_default();
        let mut fields: Vec<Field> = Vec::new();
        for (one, other, columns) in [(now, then, OF_A_CASE), (&present, &newest, OF_A_REVISION)] {
            let differing = one.differences(other, columns);
            let new = differing.iter().filter(|field| !fields.iter().any(|known| known.name == field.column));
            let new: Vec<Field> =
                new.map(|field| Field::of(&field.column, &field.one, &field.other)).collect();
            fields.extend(new);
        }
        if fields.is_empty() {
            self.tally.count("cases", Fate::Same);
            return Ok(());
        }
        self.tally.count("cases", Fate::Changed);
        self.tally.name_changed(Changed { reference: reference.to_owned(), fields });
        let Some(write) = at.write else { return Ok(()) };
        let is_asked_for = matches!(self.what, What::Case(..));
        if is_asked_for && now.text("state") == "trashed" {
            records::update(write, "cases", now.id(), then, &["state"])?;
        }
        if self.mode == Mode::Replace { self.replace_case(write, then, now, &newest) } else { Ok(()) }
    }

    /// Makes a case say what it said, as a new revision: what it says now stays the one before.
    fn replace_case(
        &mut self,
        write: Write<'_, RestoreRun>,
        then: &Record,
        now: &Record,
        newest: &Record,
    ) -> Result<()> {
        let next = now.number("revision").unwrap_or(0) + 1;
        let mut revision = newest.clone();
        revision.set("case_id", Some(now.id()));
        revision.set("number", Some(next));
        revision.set("author_id", write.actor().user().map(|user| user.0));
        revision.set("created_at", Some(write.now().0));
        records::insert(write, "revisions", &revision)?;
        let mut case = then.clone();
        case.set("revision", Some(next));
        case.set("updated_at", Some(write.now().0));
        let owner = match then.text("automation_key") {
            "" => None,
            key => sql::case_by_key(write, self.project, key)?,
        };
        if owner.is_some_and(|owner| owner.id() != now.id()) {
            case.take("automation_key", now);
            self.tally.note("Where an automation key belongs to another case by now, it stays there.");
        }
        sql::forget_words(write, now.id())?;
        let columns = ["title", "kind", "priority", "automation_key", "state", "revision", "updated_at"];
        records::update(write, "cases", now.id(), &case, &columns)?;
        sql::index_words(write, now.id())
    }

    /// Tells what differs, and makes it as it was where that was asked for.
    fn compare(
        &mut self,
        at: At<'_>,
        table: &'static str,
        name: &str,
        then: &Record,
        now: &Record,
        columns: &[&str],
    ) -> Result<()> {
        self.told(at, table, name, then, now, columns, columns)
    }

    #[expect(clippy::too_many_arguments, reason = "one row, twice, and what to look at in it")]
    fn told(
        &mut self,
        at: At<'_>,
        table: &'static str,
        name: &str,
        then: &Record,
        now: &Record,
        shown: &[&str],
        put_back: &[&str],
    ) -> Result<()> {
        let differing = now.differences(then, shown);
        if differing.is_empty() {
            self.tally.count(table, Fate::Same);
            return Ok(());
        }
        self.tally.count(table, Fate::Changed);
        let fields =
            differing.iter().map(|field| Field::of(&field.column, &field.one, &field.other)).collect();
        self.tally.name_changed(Changed { reference: name.to_owned(), fields });
        match at.write.filter(|_| self.mode == Mode::Replace) {
            Some(write) => records::update(write, table, now.id(), then, put_back),
            None => Ok(()),
        }
    }

    /// Adds a row, under its own number if that is free.
    fn add(&mut self, at: At<'_>, table: &'static str, mut new: Record, old: i64) -> Result<i64> {
        self.tally.count(table, Fate::Created);
        self.fresh.insert((table, old));
        let Some(write) = at.write else { return Ok(old) };
        if records::is_taken(write, table, old)? {
            new.leave_out("id");
        }
        let id = records::insert(write, table, &new)?;
        self.same(table, old, id);
        Ok(id)
    }

    fn same(&mut self, table: &'static str, then: i64, now: i64) {
        if then != now {
            self.moved.insert((table, then), now);
        }
    }

    fn leave(&mut self, table: &'static str, then: i64) {
        self.tally.count(table, Fate::Left);
        self.left.insert((table, then));
    }

    fn now(&self, table: &'static str, then: i64) -> i64 {
        self.moved.get(&(table, then)).copied().unwrap_or(then)
    }

    fn is_left(&self, table: &'static str, then: i64) -> bool {
        self.left.contains(&(table, then))
    }

    /// Whether this restore makes the row.
    fn is_fresh(&self, table: &'static str, then: i64) -> bool {
        self.fresh.contains(&(table, then))
    }

    /// Somebody who is not there any more leaves their work without a name.
    fn known_author(&self, row: &mut Record, column: &str) {
        if row.number(column).is_some_and(|user| !self.people.contains(&user)) {
            row.set(column, None);
        }
    }
}
