//! The closed list of permissions. Each is a type, so that a signature can say who may call it.

use crate::kernel::access::locate::{Instance, Project, Scope};

/// A permission as a type. Only the list below can make one.
pub trait Permission: sealed::Listed + Copy + Send + Sync + 'static {
    /// Where it applies: the instance or one project.
    type Scope: Scope;
    /// Whether holding it lets one change something.
    type Effect: Effect;
    /// The same permission as a value.
    const INFO: Info;
}

/// `P: Implies<Q>` lets whoever holds `P` do what asks for `Q`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not imply `{Q}`",
    note = "a transaction lends narrower permissions only; see the list in kernel/access/permission.rs"
)]
pub trait Implies<Q> {}
impl<P: Permission> Implies<P> for P {}

/// A permission as a value: what the tables, the pages and the reference show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// The word in tokens, tables and refusals.
    pub name: &'static str,
    /// What its holder may do, in one sentence.
    pub meaning: &'static str,
    /// `instance` or `project`.
    pub scope: &'static str,
    /// `views` or `changes`.
    pub effect: &'static str,
    /// Names of the narrower permissions it includes, to the end.
    pub implies: &'static [&'static str],
}

impl Info {
    /// Whether whoever holds this permission holds the one asked for.
    pub fn covers(&self, asked: &Info) -> bool {
        self.name == asked.name || self.implies.contains(&asked.name)
    }
}

/// Whether holding a permission lets one change something.
pub trait Effect: sealed::Listed + Send + Sync + 'static {
    /// The word in the tables.
    const WORD: &'static str;
}
/// Looks and changes nothing: the only kind that GET accepts.
#[derive(Debug)]
pub struct Views;
/// Changes something, and leaves an entry.
#[derive(Debug)]
pub struct Changes;
impl Effect for Views {
    const WORD: &'static str = "views";
}
impl Effect for Changes {
    const WORD: &'static str = "changes";
}

/// A request that may change things may look as well; never the other way round.
pub trait Admits<E: Effect>: Effect {}
impl Admits<Views> for Views {}
impl<E: Effect> Admits<E> for Changes {}

mod sealed {
    /// Implemented here only, so that nobody adds a permission elsewhere.
    pub trait Listed {}
    impl Listed for super::Views {}
    impl Listed for super::Changes {}
}

macro_rules! permissions {
    ($(#[doc = $meaning:literal] $name:ident = $word:literal, $scope:ident, $effect:ident
       $(, implies $($narrower:ident)+)?;)*) => {
        $(
            #[doc = $meaning]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;
            impl sealed::Listed for $name {}
            impl Permission for $name {
                type Scope = $scope;
                type Effect = $effect;
                const INFO: Info = Info {
                    name: $word,
                    meaning: $meaning,
                    scope: $scope::WORD,
                    effect: $effect::WORD,
                    implies: &[$($($narrower::INFO.name),+)?],
                };
            }
            $($(impl Implies<$narrower> for $name {})+)?
        )*
        /// Every permission there is.
        pub const ALL: &[Info] = &[$($name::INFO),*];
    };
}

permissions! {
    // What any active person may do about themselves; every role includes these.
    /// See one's own account, sessions and tokens.
    AccountView = "account.view", Instance, Views;
    /// Change one's own account: password, factors, sessions, tokens.
    AccountWrite = "account.write", Instance, Changes, implies AccountView;
    /// See which of one's projects there are.
    ProjectList = "project.list", Instance, Views;

    // What only visitors may do: held by nobody who has signed in.
    /// Sign in, or open an account with a one-use link.
    SignIn = "sign_in", Instance, Changes;
    /// Claim an instance that nobody has claimed.
    Claim = "claim", Instance, Changes;

    // What only the runner of jobs may do.
    /// Keep the record of scheduled work.
    JobKeep = "job.keep", Instance, Changes;

    // What only the keeper of sessions may do.
    /// Store when sessions and tokens were last used, clear away what has ended.
    SessionKeep = "session.keep", Instance, Changes;

    // What only the sweeper of uploads may do.
    /// Take away what an upload left that was cut off.
    UploadSweep = "upload.sweep", Instance, Changes;

    // The instance.
    /// See how the instance is doing.
    InstanceView = "instance.view", Instance, Views;
    /// Change the settings of the instance.
    InstanceKeep = "instance.keep", Instance, Changes, implies InstanceView;
    /// Create projects.
    ProjectAdmin = "project.admin", Instance, Changes, implies ProjectList;
    /// See the people of the instance.
    PeopleView = "people.view", Instance, Views;
    /// Invite people, give them roles, make service accounts.
    PeopleManage = "people.manage", Instance, Changes, implies PeopleView;
    /// See backups and their proofs.
    BackupView = "backup.view", Instance, Views;
    /// Make backups, test targets, read backups back and hold drills.
    BackupRun = "backup.run", Instance, Changes, implies BackupView;
    /// Say where backups go, when they are made and how long they stay.
    BackupKeep = "backup.keep", Instance, Changes, implies BackupRun BackupView;
    /// See what restores would bring back or brought back, in words of the cases.
    RestoreView = "restore.view", Instance, Views, implies BackupView;
    /// Bring things back from a backup: a project, a case, a run, the whole instance.
    RestoreRun = "backup.restore", Instance, Changes, implies RestoreView BackupView;
    /// See how space is used, what checks found and what is kept how long.
    StorageView = "storage.view", Instance, Views;
    /// Check and repair what is stored, change retention and holds, purge what has expired.
    StorageKeep = "storage.keep", Instance, Changes, implies StorageView;
    /// Read and check the audit trail.
    AuditView = "audit.view", Instance, Views;
    /// Export what is audited or reveal a secret; leaves an entry.
    AuditExport = "audit.export", Instance, Changes, implies AuditView;

    // A project.
    /// See a project, its cases, runs and results.
    ProjectView = "project.view", Project, Views;
    /// Write and change cases and suites.
    CaseWrite = "case.write", Project, Changes, implies ProjectView;
    /// Start and close runs, assign items.
    RunWrite = "run.write", Project, Changes, implies ProjectView;
    /// Record results and evidence.
    ResultWrite = "result.write", Project, Changes, implies ProjectView;
    /// Upload reports: makes runs, results and missing cases.
    UploadWrite = "upload.write", Project, Changes, implies CaseWrite RunWrite ResultWrite ProjectView;
    /// See who has which role in a project.
    MemberView = "member.view", Project, Views;
    /// Give and take roles in a project, make service tokens for it.
    MemberManage = "member.manage", Project, Changes, implies MemberView;
    /// Read the audit trail of a project.
    ProjectAudit = "project.audit", Project, Views;
    /// Change the settings of a project, archive it.
    ProjectKeep = "project.keep", Project, Changes, implies ProjectView;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_permission_implies_is_listed_to_the_end() {
        for wide in ALL {
            for narrow in ALL.iter().filter(|narrow| wide.covers(narrow)) {
                assert_eq!(wide.scope, narrow.scope, "{} reaches another scope", wide.name);
                for narrowest in ALL.iter().filter(|narrowest| narrow.covers(narrowest)) {
                    assert!(wide.covers(narrowest), "{} lacks {}", wide.name, narrowest.name);
                }
            }
        }
    }
}
