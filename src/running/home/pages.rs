//! The overview of a project in a browser.

use super::Home;
use super::chart::{Chart, percent};
use crate::kernel::access::{CaseWrite, Gate, ProjectView, RunWrite, UploadWrite};
use crate::kernel::error::Result;
use crate::kernel::markdown;
use crate::library::cases::list::Look;
use crate::library::projects;
use crate::people;
use crate::running::runs::Run;
use crate::web::figures::Count;
use crate::web::filters;
use crate::web::layout::{At, Frame};
use crate::web::respond::Page;
use crate::web::routes::{Route, get};
use crate::web::visit::Visit;
use askama::Template;

/// The routes of this slice.
pub fn routes() -> Vec<Route> {
    vec![get("/p/{project}", show)]
}

#[derive(Template)]
#[template(path = "running/home/show.html")]
struct HomePage {
    frame: Frame,
    home: Home,
    /// HTML, made safe.
    description: String,
    chart: Option<Chart>,
    trend: Vec<Rate>,
    may_run: bool,
    may_write: bool,
    may_upload: bool,
}

/// The pass rate of one run.
struct Rate {
    run: i64,
    title: String,
    percent: String,
}

impl HomePage {
    fn of(frame: Frame, home: Home) -> HomePage {
        let rates: Vec<i64> = home.trend().iter().map(|(_, rate)| *rate).collect();
        let rate = |(run, rate): (&Run, i64)| Rate {
            run: run.number,
            title: run.title.to_string(),
            percent: percent(rate),
        };
        let trend = home.trend().into_iter().map(rate).collect();
        HomePage {
            description: markdown::html(&home.project.description),
            chart: Chart::of(&rates),
            frame,
            home,
            trend,
            may_run: false,
            may_write: false,
            may_upload: false,
        }
    }

    fn key(&self) -> &str {
        &self.home.project.key
    }

    fn rate(&self, run: &Run) -> String {
        run.counts.pass_permille().map_or_else(|| "–".to_owned(), percent)
    }

    /// The word for a tile that opens one of the short lists.
    fn tile(look: &Look) -> (&'static str, &'static str) {
        match look {
            Look::Failing => ("Failing cases", "by their latest result"),
            Look::Flaky => ("Flaky", "passed and failed take turns"),
            Look::NeverRun => ("Never run", "no result yet"),
            Look::Trash => ("In the trash", "can be taken back"),
        }
    }
}

async fn show(gate: Gate<ProjectView>, visit: Visit) -> Result<Page<HomePage>> {
    let reading = gate.read(move |tx| {
        let home = super::gather(tx)?;
        let mut frame = Frame::project(tx, visit, people::seen(tx)?, projects::head(tx)?)
            .at(At::Overview)
            .count(At::Cases, Count(u64::try_from(home.cases).unwrap_or(0)));
        if home.open_runs > 0 {
            frame = frame.count(At::Runs, format!("{} open", home.open_runs));
        }
        Ok(HomePage {
            may_run: projects::offers::<RunWrite>(tx)?,
            may_write: projects::offers::<CaseWrite>(tx)?,
            may_upload: projects::offers::<UploadWrite>(tx)?,
            ..HomePage::of(frame, home)
        })
    });
    Ok(Page::new(reading.await?))
}
