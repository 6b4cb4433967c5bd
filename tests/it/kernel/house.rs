//! A house without rooms: the kernel alone on a temporary file, with a clock that stands still.
//!
//! Its cases are the smallest that the tables allow, so that these tests need no slice.

use testkeep::kernel::access::*;
use testkeep::kernel::audit::{ChainKey, Event, Head, Quiet, Verdict, verify};
use testkeep::kernel::error::{Kind, Result};
use testkeep::kernel::id::{CaseId, ProjectId, UserId};
use testkeep::kernel::sql::{self, FromRow, Row, named_params};
use testkeep::kernel::time::{Clock, Timestamp};

pub struct House {
    pub door: Door,
    pub shell: Shell,
    pub clock: Clock,
    folder: tempfile::TempDir,
}

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
pub const HOUR_MS: i64 = 3_600_000;
pub const ADDED: Event = Event::new("case.created", "A case was written.");

pub fn keys() -> Keys {
    Keys::new(DatabaseKey([7; 32]), ChainKey([8; 32]), [9; 32])
}

impl House {
    pub fn start() -> House {
        House::with(&Tuning::default())
    }

    pub fn with(tuning: &Tuning) -> House {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::fixed(NOW));
        let path = folder.path().join("instance.db");
        let (door, shell) = Door::create(&path, keys(), clock.clone(), tuning).unwrap();
        House { door, shell, clock, folder }
    }

    /// Closes the instance and opens the same file again.
    pub async fn restart(self) -> House {
        self.door.shut_down().await;
        let path = self.folder.path().join("instance.db");
        let (door, shell) = Door::open(&path, keys(), self.clock.clone(), &Tuning::default()).unwrap();
        House { door, shell, ..self }
    }

    /// The file of the database.
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("instance.db")
    }

    pub fn operator<P: Permission>(&self, place: <P::Scope as Scope>::Place) -> Gate<P> {
        self.shell.operator().gate(place)
    }

    pub async fn project(&self, key: &'static str) -> ProjectId {
        project(&self.shell, key).await
    }

    /// A person with one role; their token is their name.
    pub async fn person(&self, name: &'static str, role: Option<(Role, Option<ProjectId>)>) -> UserId {
        self.person_with(name, role, None, None).await
    }

    /// A person whose token is good for a scope or a project only.
    pub async fn person_with(
        &self,
        name: &'static str,
        role: Option<(Role, Option<ProjectId>)>,
        scope: Option<&'static str>,
        project: Option<ProjectId>,
    ) -> UserId {
        let gate = self.operator::<PeopleManage>(());
        let inviting = gate.write(move |tx| {
            let Number(user) = tx.only(
                "INSERT INTO users (name, created_at) VALUES (:name, :now) RETURNING id",
                named_params! { ":name": name, ":now": tx.now() },
            )?;
            if let Some((role, place)) = role {
                tx.run(
                    "INSERT INTO grants (user_id, project_id, role, created_at) VALUES (:user, :place, :role, :now)",
                    named_params! { ":user": user, ":place": place, ":role": role.word(), ":now": tx.now() },
                )?;
            }
            tx.run(
                "INSERT INTO tokens (user_id, project_id, name, prefix, digest, scope, created_at, expires_at)
                 VALUES (:user, :project, :name, '', :digest, :scope, :now, :until)",
                named_params! {
                    ":user": user, ":project": project, ":name": name, ":digest": tx.digest(name),
                    ":scope": scope, ":now": tx.now(), ":until": Timestamp(NOW.0 + HOUR_MS),
                },
            )?;
            Ok(tx.quiet(Quiet::LastSeen, UserId(user)))
        });
        inviting.await.unwrap()
    }

    pub fn gate<P: Permission>(&self, token: &str, place: <P::Scope as Scope>::Place) -> Gate<P> {
        self.door.token::<Changes>(token, Origin::default()).gate(place)
    }

    pub async fn verdict(&self, anchor: Option<Head>) -> Verdict {
        let gate = self.operator::<AuditView>(());
        gate.read(move |tx| verify(tx, anchor.as_ref())).await.unwrap()
    }
}

/// A row of one number, or of nothing that anybody looks at.
pub struct Number(pub i64);

impl FromRow for Number {
    fn from_row(row: &Row<'_>) -> sql::Result<Number> {
        row.get(0).map(Number)
    }
}

struct Title(String);

impl FromRow for Title {
    fn from_row(row: &Row<'_>) -> sql::Result<Title> {
        row.get(0).map(Title)
    }
}

pub fn at(key: &str) -> Place {
    Place::Project(key.to_owned())
}

pub async fn project(shell: &Shell, key: &'static str) -> ProjectId {
    let gate = shell.operator().gate::<ProjectAdmin>(());
    let opening = gate.write(move |tx| {
        let Number(project) = tx.only(
            "INSERT INTO projects (key, name, created_at) VALUES (:key, :key, :now) RETURNING id",
            named_params! { ":key": key, ":now": tx.now() },
        )?;
        tx.run(
            "INSERT INTO suites (project_id, name, position, created_at) VALUES (:project, 'Cases', 0, :now)",
            named_params! { ":project": project, ":now": tx.now() },
        )?;
        const OPENED: Event = Event::new("project.created", "A project was opened.");
        tx.audited(OPENED.of(ProjectId(project)), ProjectId(project))
    });
    opening.await.unwrap()
}

/// Adds a case; answers its number in the project.
pub fn create<'t>(
    tx: Write<'t, CaseWrite>,
    title: &str,
) -> Result<testkeep::kernel::audit::Audited<'t, (CaseId, i64)>> {
    let Number(number) = tx.only(
        "UPDATE projects SET last_case = last_case + 1 WHERE id = :project RETURNING last_case",
        named_params! { ":project": tx.project() },
    )?;
    let Number(case) = tx.only(
        "INSERT INTO cases (project_id, number, suite_id, position, title, kind, revision, created_at, updated_at)
         SELECT :project, :number, id, :number, :title, 'text', 1, :now, :now FROM suites WHERE project_id = :project
         RETURNING id",
        named_params! { ":project": tx.project(), ":number": number, ":title": title, ":now": tx.now() },
    )?;
    tx.audited(ADDED.of(CaseId(case)), (CaseId(case), number))
}

pub async fn add(gate: &Gate<CaseWrite>, title: &str) -> Result<(CaseId, i64)> {
    let title = title.to_owned();
    gate.write(move |tx| create(tx, &title)).await
}

pub async fn titles(gate: &Gate<ProjectView>) -> Vec<String> {
    let titles = gate.read(|tx| {
        tx.rows::<Title>(
            "SELECT title FROM cases WHERE project_id = :project ORDER BY number",
            named_params! { ":project": tx.project() },
        )
    });
    titles.await.unwrap().into_iter().map(|Title(title)| title).collect()
}

pub fn outcome<T>(answer: &Result<T>) -> Option<Kind> {
    answer.as_ref().err().map(testkeep::kernel::error::Error::kind)
}
