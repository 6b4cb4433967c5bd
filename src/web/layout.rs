//! The frame of a page: rail, top bar, command palette, keys, and who is looking.
//!
//! A handler builds it inside its one read, from what the transaction says the actor may do. Whatever has no page
//! yet stands in no table below, so the frame never offers what does not work.

use super::filters::initials;
use super::visit::{Said, Visit};
use crate::kernel::access::{
    AuditView, BackupView, CaseWrite, InProject, Info, InstanceView, MemberView, PeopleView, Permission,
    ProjectAdmin, ProjectAudit, ProjectKeep, ProjectList, ProjectView, RestoreView, StorageView, Tx,
    UploadWrite,
};

/// Who is looking, and at which instance. `people` gathers it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Name of the instance.
    pub instance: String,
    /// Name of the person.
    pub name: String,
    /// Their e-mail address; empty for an account without one.
    pub email: String,
    /// Whether a role in the whole instance lets them see its pages.
    pub sees_instance: bool,
    /// Alarms that are not over, for those who see the instance.
    pub alarms: i64,
}

/// The project of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectHead {
    /// Its key, such as `SHOP`.
    pub key: String,
    /// Its name.
    pub name: String,
}

/// The pages that the rail leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// `/p/KEY`
    Overview,
    /// `/p/KEY/cases` and what lies below.
    Cases,
    /// `/p/KEY/runs` and what lies below.
    Runs,
    /// `/p/KEY/upload`
    Upload,
    /// `/p/KEY/members`
    Members,
    /// `/p/KEY/audit`
    ProjectAudit,
    /// `/p/KEY/trash`
    Trash,
    /// `/p/KEY/settings`
    ProjectSettings,
    /// `/`, the list of projects, and `/projects/new`.
    Projects,
    /// `/instance`
    Instance,
    /// `/instance/people`
    People,
    /// `/instance/backups`
    Backups,
    /// `/instance/keys`
    Keys,
    /// `/instance/certificate`
    Certificate,
    /// `/instance/storage` and what lies below.
    Storage,
    /// `/instance/audit`
    Audit,
    /// `/account`
    Account,
}

/// One line of the rail: where it leads and who sees it.
struct Line {
    at: At,
    word: &'static str,
    icon: &'static str,
    path: &'static str,
    /// The key after `g`.
    go: &'static str,
    needs: Info,
    is_at_foot: bool,
}

#[rustfmt::skip]
const OF_A_PROJECT: [Line; 8] = [
    Line { at: At::Overview,        word: "Overview",         icon: "home",     path: "",          go: "h", needs: ProjectView::INFO,  is_at_foot: false },
    Line { at: At::Cases,           word: "Cases",            icon: "case",     path: "/cases",    go: "c", needs: ProjectView::INFO,  is_at_foot: false },
    Line { at: At::Runs,            word: "Runs",             icon: "run",      path: "/runs",     go: "r", needs: ProjectView::INFO,  is_at_foot: false },
    Line { at: At::Upload,          word: "Upload a report",  icon: "update",   path: "/upload",   go: "u", needs: UploadWrite::INFO,  is_at_foot: false },
    Line { at: At::Members,         word: "Members",          icon: "people",   path: "/members",  go: "m", needs: MemberView::INFO,   is_at_foot: true },
    Line { at: At::ProjectAudit,    word: "Audit trail",      icon: "audit",    path: "/audit",    go: "a", needs: ProjectAudit::INFO, is_at_foot: true },
    Line { at: At::Trash,           word: "Trash",            icon: "trash",    path: "/trash",    go: "t", needs: ProjectView::INFO,  is_at_foot: true },
    Line { at: At::ProjectSettings, word: "Project settings", icon: "settings", path: "/settings", go: "s", needs: ProjectKeep::INFO,  is_at_foot: true },
];

#[rustfmt::skip]
const OF_THE_INSTANCE: [Line; 8] = [
    Line { at: At::Projects, word: "Projects",    icon: "suite",    path: "/",                 go: "h", needs: ProjectList::INFO,  is_at_foot: false },
    Line { at: At::Instance, word: "Overview",    icon: "instance", path: "/instance",         go: "i", needs: InstanceView::INFO, is_at_foot: false },
    Line { at: At::People,   word: "People",      icon: "people",   path: "/instance/people",  go: "p", needs: PeopleView::INFO,   is_at_foot: false },
    Line { at: At::Backups,  word: "Backups",     icon: "backup",   path: "/instance/backups", go: "b", needs: BackupView::INFO,   is_at_foot: false },
    Line { at: At::Keys,     word: "Keys",        icon: "key",      path: "/instance/keys",    go: "k", needs: InstanceView::INFO, is_at_foot: false },
    Line { at: At::Certificate, word: "Certificate", icon: "lock", path: "/instance/certificate", go: "c", needs: InstanceView::INFO, is_at_foot: false },
    Line { at: At::Storage,  word: "Storage",     icon: "shield",   path: "/instance/storage", go: "t", needs: StorageView::INFO,  is_at_foot: false },
    Line { at: At::Audit,    word: "Audit trail", icon: "audit",    path: "/instance/audit",   go: "a", needs: AuditView::INFO,    is_at_foot: false },
];

/// A place that the rail and the palette show.
#[derive(Clone, Debug)]
pub struct Place {
    at: At,
    /// Its word.
    pub word: &'static str,
    /// Its icon.
    pub icon: &'static str,
    /// Where it leads.
    pub href: String,
    /// The key after `g`.
    pub go: &'static str,
    /// A figure at its end; empty for none.
    pub count: String,
    /// Whether this is the page.
    pub is_current: bool,
    /// Whether it stands at the foot of the rail.
    pub is_at_foot: bool,
}

/// Something that can be done from this page: a line of the palette.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its icon.
    pub icon: &'static str,
    /// What it does.
    pub word: String,
    /// The page that does it.
    pub href: String,
    /// Its key on this page; empty for none.
    pub key: &'static str,
}

/// A key of this page and what it does.
#[derive(Clone, Debug)]
pub struct Key {
    /// The keys, one after the other.
    pub keys: Vec<&'static str>,
    /// What they do.
    pub word: String,
}

/// A step of the way from the top to this page.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// Its word.
    pub word: String,
    /// Where it leads; empty for this page itself.
    pub href: String,
}

/// What the page frame shows.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who is looking, and at which instance.
    pub seen: Seen,
    /// Their initials.
    pub initials: String,
    /// The project of the page, if it has one.
    pub project: Option<ProjectHead>,
    /// The lines of the rail.
    pub places: Vec<Place>,
    /// Names of the permissions held here that lead to pages.
    held: Vec<&'static str>,
    /// The way from the top to this page.
    pub crumbs: Vec<Crumb>,
    /// What can be done on this page.
    pub actions: Vec<Action>,
    /// Pages that make something new.
    pub makers: Vec<Action>,
    /// Keys that only this page has.
    pub page_keys: Vec<Key>,
    /// What every form carries as `_csrf`.
    pub csrf: String,
    /// The sentence that the answer before left.
    pub said: Option<Said>,
    /// Whether the rail shows icons only, as working pages want it.
    pub is_narrow: bool,
    /// What the search field holds.
    pub query: String,
    /// Version of the program.
    pub version: &'static str,
}

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Frame {
    /// The frame of a page of the instance, of the list of projects, or of one's own account.
    pub fn instance(tx: impl Tx, visit: Visit, seen: Seen) -> Frame {
        let mut frame = Frame::new(visit, seen);
        frame.held = held(tx);
        frame.places = places("", &OF_THE_INSTANCE, &frame.held);
        if tx.may::<ProjectAdmin>() {
            frame.makers.push(Action::new("plus", "New project", "/projects/new"));
        }
        frame
    }

    /// The frame of a page of a project.
    pub fn project(tx: impl InProject, visit: Visit, seen: Seen, project: ProjectHead) -> Frame {
        let mut frame = Frame::new(visit, seen);
        let base = format!("/p/{}", project.key);
        frame.places = places(&base, &OF_A_PROJECT, &held(tx));
        if tx.may::<CaseWrite>() {
            frame.makers.push(Action::new("plus", "New case", format!("{base}/cases/new")));
        }
        frame.crumbs.push(Crumb { word: project.key.clone(), href: base });
        frame.project = Some(project);
        frame
    }

    fn new(visit: Visit, seen: Seen) -> Frame {
        Frame {
            initials: initials(&seen.name),
            seen,
            project: None,
            places: Vec::new(),
            held: Vec::new(),
            crumbs: Vec::new(),
            actions: Vec::new(),
            makers: Vec::new(),
            page_keys: Vec::new(),
            csrf: visit.csrf,
            said: visit.said,
            is_narrow: false,
            query: String::new(),
            version: VERSION,
        }
    }

    /// Marks the line of the rail that this page belongs to, and puts it on the way from the top.
    pub fn at(mut self, at: At) -> Frame {
        if let Some(place) = self.places.iter_mut().find(|place| place.at == at) {
            place.is_current = true;
            let crumb = Crumb { word: place.word.into(), href: place.href.clone() };
            self.crumbs.push(crumb);
        } else if at == At::Account {
            self.crumbs.push(Crumb { word: "Account".into(), href: "/account".into() });
        }
        self
    }

    /// Adds a step to the way from the top.
    pub fn crumb(mut self, word: impl Into<String>, href: impl Into<String>) -> Frame {
        self.crumbs.push(Crumb { word: word.into(), href: href.into() });
        self
    }

    /// Ends the way from the top with this page.
    pub fn here(self, word: impl Into<String>) -> Frame {
        self.crumb(word, "")
    }

    /// Puts a figure at the end of a line of the rail.
    pub fn count(mut self, at: At, count: impl ToString) -> Frame {
        if let Some(place) = self.places.iter_mut().find(|place| place.at == at) {
            place.count = count.to_string();
        }
        self
    }

    /// Offers something in the palette: a page that does it. `key` is that of the button on the page, or empty.
    pub fn action(
        mut self,
        icon: &'static str,
        word: &str,
        href: impl Into<String>,
        key: &'static str,
    ) -> Frame {
        self.actions.push(Action { key, ..Action::new(icon, word, href) });
        self
    }

    /// Names keys of this page for the `?` dialog.
    pub fn key(mut self, keys: &[&'static str], word: &str) -> Frame {
        self.page_keys.push(Key { keys: keys.to_vec(), word: word.into() });
        self
    }

    /// Leaves the room to the page: the rail shows icons only. For cases and execution.
    pub fn narrow(mut self) -> Frame {
        self.is_narrow = true;
        self
    }

    /// Shows in the search field what was searched for.
    pub fn searching(mut self, query: impl Into<String>) -> Frame {
        self.query = query.into();
        self
    }

    /// Whether to lead to a page that asks for this permission. The door decides for real.
    pub fn leads_to(&self, needs: &Info) -> bool {
        self.held.contains(&needs.name)
    }

    /// The list that the search field searches; empty outside a project.
    pub fn search_url(&self) -> String {
        self.project.as_ref().map(|project| format!("/p/{}/cases", project.key)).unwrap_or_default()
    }

    /// The first letter of the project, for its plate.
    pub fn plate(&self) -> String {
        self.project.iter().flat_map(|project| project.key.chars().next()).collect()
    }

    /// Every key of this page: its own first, then those of every page.
    pub fn keys(&self) -> Vec<Key> {
        let of_actions = self.actions.iter().filter(|action| !action.key.is_empty());
        let of_actions = of_actions.map(|action| Key { keys: vec![action.key], word: action.word.clone() });
        let go = self.places.iter().map(|place| Key { keys: vec!["g", place.go], word: place.word.into() });
        let everywhere = |keys: &[&'static str], word: &str| Key { keys: keys.to_vec(), word: word.into() };
        let search = self.project.as_ref().map(|_| everywhere(&["/"], "Search the cases"));
        of_actions
            .chain(self.page_keys.iter().cloned())
            .chain(search)
            .chain([everywhere(&["Ctrl K"], "Command palette")])
            .chain(go)
            .chain([everywhere(&["["], "Narrow or widen the rail"), everywhere(&["?"], "These keys")])
            .collect()
    }
}

impl Action {
    fn new(icon: &'static str, word: &str, href: impl Into<String>) -> Action {
        Action { icon, word: word.into(), href: href.into(), key: "" }
    }
}

fn places(base: &str, lines: &[Line], held: &[&str]) -> Vec<Place> {
    lines
        .iter()
        .filter(|line| held.contains(&line.needs.name))
        .map(|line| Place {
            at: line.at,
            word: line.word,
            icon: line.icon,
            href: format!("{base}{}", line.path),
            go: line.go,
            count: String::new(),
            is_current: false,
            is_at_foot: line.is_at_foot,
        })
        .collect()
}

/// Names of the permissions that lines of the rail and tabs ask for, as far as the actor holds them here.
fn held(tx: impl Tx) -> Vec<&'static str> {
    macro_rules! held {
        ($($permission:ident)*) => {
            [$(tx.may::<$permission>().then_some($permission::INFO.name)),*].into_iter().flatten().collect()
        };
    }
    held! {
        ProjectView UploadWrite MemberView ProjectAudit ProjectKeep
        ProjectList InstanceView PeopleView BackupView RestoreView StorageView AuditView
    }
}
