//! The one pure function that answers yes or no, with its reason.

use super::actor::{Bearer, Power};
use super::locate::Found;
use super::permission::{
    AccountWrite, AuditExport, AuditView, BackupKeep, BackupRun, Info, InstanceKeep, InstanceView,
    MemberManage, MemberView, PeopleManage, PeopleView, Permission, ProjectAdmin, ProjectAudit, ProjectKeep,
    ProjectList, ProjectView, RestoreRun, RestoreView, StorageKeep, StorageView, UploadWrite,
};
use crate::kernel::error::Error;

/// A named set of permissions, given in one project or in the whole instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// In the instance: its administrator. In a project: the one who answers for it.
    Owner,
    /// Runs a project day by day: members, cases, runs.
    Manager,
    /// Writes cases, starts runs and executes them.
    Tester,
    /// A pipeline: uploads reports.
    Automation,
    /// Looks and changes nothing.
    Viewer,
    /// Looks, and reads the audit trail.
    Auditor,
    /// Makes and checks backups, and reads nothing of what they hold. In the instance only.
    BackupOperator,
}

/// What every active person may do, whatever their roles.
const ANYBODY: &[Info] = &[AccountWrite::INFO, ProjectList::INFO];

impl Role {
    /// All roles, widest first.
    pub const ALL: [Role; 7] = [
        Role::Owner,
        Role::Manager,
        Role::Tester,
        Role::Automation,
        Role::Viewer,
        Role::Auditor,
        Role::BackupOperator,
    ];

    /// The word in tables, forms and the API.
    pub fn word(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Manager => "manager",
            Role::Tester => "tester",
            Role::Automation => "automation",
            Role::Viewer => "viewer",
            Role::Auditor => "auditor",
            Role::BackupOperator => "backup_operator",
        }
    }

    /// The word as a page shows it.
    pub fn title(self) -> &'static str {
        match self {
            Role::Owner => "Owner",
            Role::Manager => "Manager",
            Role::Tester => "Tester",
            Role::Automation => "Automation",
            Role::Viewer => "Viewer",
            Role::Auditor => "Auditor",
            Role::BackupOperator => "Backup operator",
        }
    }

    /// What the role is for, in one sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Role::Owner => "Everything in the project, its members and settings included.",
            Role::Manager => "Members, cases and runs of the project.",
            Role::Tester => "Writes cases, starts runs and executes them.",
            Role::Automation => "A pipeline that uploads reports.",
            Role::Viewer => "Looks and changes nothing.",
            Role::Auditor => "Looks, and reads the audit trail.",
            Role::BackupOperator => {
                "Makes and checks backups; sees no project and nothing that backups hold."
            }
        }
    }

    /// The role of this word.
    pub fn of_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }

    /// What the role may do where it is given.
    pub fn permissions(self) -> &'static [Info] {
        match self {
            Role::Owner => &[
                InstanceKeep::INFO,
                ProjectAdmin::INFO,
                PeopleManage::INFO,
                BackupKeep::INFO,
                RestoreRun::INFO,
                StorageKeep::INFO,
                AuditExport::INFO,
                UploadWrite::INFO,
                MemberManage::INFO,
                ProjectAudit::INFO,
                ProjectKeep::INFO,
            ],
            Role::Manager => &[UploadWrite::INFO, MemberManage::INFO, ProjectAudit::INFO, ProjectKeep::INFO],
            Role::Tester => &[UploadWrite::INFO, MemberView::INFO],
            Role::Automation => &[UploadWrite::INFO],
            Role::Viewer => &[ProjectView::INFO],
            Role::Auditor => &[
                InstanceView::INFO,
                PeopleView::INFO,
                RestoreView::INFO,
                StorageView::INFO,
                AuditView::INFO,
                ProjectView::INFO,
                MemberView::INFO,
                ProjectAudit::INFO,
            ],
            Role::BackupOperator => &[BackupRun::INFO],
        }
    }

    /// Whether it may be given in a project.
    pub fn is_of_projects(self) -> bool {
        self != Role::BackupOperator
    }

    fn reaches(self, asked: &Info) -> bool {
        covers(self.permissions(), asked)
    }
}

/// Why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No such credential, or it has expired, or its owner is suspended.
    NotSignedIn,
    /// The place does not exist, or the actor may not know that it does.
    NothingThere,
    /// Their roles do not reach that far.
    Role,
    /// They may, but this token may not.
    TokenScope,
}

/// May the bearer, who has these roles at the place, do what is asked?
pub fn decide(asked: &Info, bearer: &Bearer, found: Found, roles: &[Role]) -> Result<(), Refusal> {
    if found == Found::Nothing {
        return Err(Refusal::NothingThere);
    }
    match &bearer.power {
        Power::Everything => Ok(()),
        Power::Only(list) => covers(list, asked).then_some(()).ok_or(Refusal::Role),
        Power::Roles { scope, project } => {
            // A role of the instance alone says nothing about its projects, not even that they exist.
            let sees_projects = roles.iter().any(|role| role.reaches(&ProjectView::INFO));
            let is_foreign = !sees_projects && found != Found::Instance;
            let is_outside = project.is_some_and(|only| matches!(found, Found::Project(at) if at != only));
            if is_foreign || is_outside {
                return Err(Refusal::NothingThere);
            }
            if !covers(ANYBODY, asked) && !roles.iter().any(|role| role.reaches(asked)) {
                return Err(Refusal::Role);
            }
            // A token for one project says nothing about the instance, its owner's account included.
            let is_too_wide =
                project.is_some() && found == Found::Instance && asked.name != ProjectList::INFO.name;
            let in_scope = scope.as_ref().is_none_or(|names| allows(names, asked));
            (in_scope && !is_too_wide).then_some(()).ok_or(Refusal::TokenScope)
        }
    }
}

/// Whether a scope, names of permissions with one space between, reaches what is asked.
fn allows(scope: &str, asked: &Info) -> bool {
    scope
        .split(' ')
        .any(|name| super::permission::ALL.iter().any(|held| held.name == name && held.covers(asked)))
}

fn covers(list: &[Info], asked: &Info) -> bool {
    list.iter().any(|held| held.covers(asked))
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::NotSignedIn => Error::unauthenticated("Sign in first.")
                .hint("The token may have expired; make a new one under your profile."),
            Refusal::NothingThere => Error::not_found("There is nothing here that you can see."),
            Refusal::Role => Error::forbidden("Your role does not allow this.")
                .hint("Ask an owner or a manager of the project."),
            Refusal::TokenScope => Error::forbidden("This token does not allow this.")
                .hint("Make a token with a wider scope, or sign in as a person."),
        }
    }
}
