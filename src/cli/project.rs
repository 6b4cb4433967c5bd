//! `testkeep project`: makes projects and shows them.

use super::output::{Output, table};
use crate::app::House;
use crate::kernel::access::{Place, ProjectAdmin, ProjectKeep, ProjectList, ProjectView};
use crate::kernel::error::Result;
use crate::library::projects::{self, Key, NewProject};
use crate::library::text::Title;
use clap::Subcommand;
use serde::Serialize;

/// What to do with projects.
#[derive(Subcommand, Debug)]
pub enum Project {
    /// Make a project; its key stands in every reference, such as SHOP-C12, and never changes.
    Create {
        /// 2 to 10 letters and digits, a letter first, such as SHOP.
        key: String,
        /// What it is called; its key if left out.
        #[arg(long)]
        name: Option<String>,
        /// What it is for; Markdown.
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
    },
    /// Show all projects.
    List,
    /// Show one project.
    Show {
        /// Its key, such as SHOP.
        key: String,
    },
    /// Put a project away: it stays readable and takes no change.
    Archive {
        /// Its key, such as SHOP.
        key: String,
    },
    /// Take an archived project up again.
    Reopen {
        /// Its key, such as SHOP.
        key: String,
    },
}

#[derive(Serialize)]
struct Shown {
    id: i64,
    key: String,
    name: String,
    description: String,
    state: &'static str,
    cases: i64,
    created_at: String,
}

/// A project by its key, as people type it.
pub fn place(key: &str) -> Result<Place> {
    Key::new(key).map(|key| Place::Project(key.as_str().to_owned()))
}

/// Runs one of the commands.
pub async fn run(command: Project, house: &House, output: Output) -> Result<()> {
    let operator = house.shell.operator();
    let project = match command {
        Project::Create { key, name, description } => {
            let key = Key::new(&key)?;
            let name = Title::new("project", name.as_deref().unwrap_or(key.as_str()))?;
            let new = NewProject { key, name, description };
            operator.gate::<ProjectAdmin>(()).write(move |tx| projects::create(tx, &new)).await?
        }
        Project::Show { key } => operator.gate::<ProjectView>(place(&key)?).read(projects::this).await?,
        Project::Archive { key } => {
            operator.gate::<ProjectKeep>(place(&key)?).write(projects::archive).await?
        }
        Project::Reopen { key } => operator.gate::<ProjectKeep>(place(&key)?).write(projects::reopen).await?,
        Project::List => {
            let all = operator.gate::<ProjectList>(()).read(projects::list).await?;
            output.print(&all.into_iter().map(Shown::from).collect::<Vec<_>>(), |all| list(all));
            return Ok(());
        }
    };
    output.print(&Shown::from(project), |it| {
        format!("{}  {}\n{}, {} cases, since {}", it.key, it.name, it.state, it.cases, it.created_at)
    });
    Ok(())
}

fn list(all: &[Shown]) -> String {
    if all.is_empty() {
        return "There is no project yet. Make one: testkeep project create SHOP --name \"Web shop\"".into();
    }
    let row = |it: &Shown| vec![it.key.clone(), it.name.clone(), it.cases.to_string(), it.state.to_owned()];
    table(&["key", "name", "cases", "state"], &all.iter().map(row).collect::<Vec<_>>())
}

impl From<projects::Project> for Shown {
    fn from(project: projects::Project) -> Shown {
        Shown {
            id: project.id.0,
            key: project.key,
            name: project.name.to_string(),
            description: project.description,
            state: project.state.word(),
            cases: project.cases,
            created_at: project.created_at.to_string(),
        }
    }
}
