//! The page of the runbook, made for paper.

use super::{Program, Runbook, set_contact, write};
use crate::keeping::backups::Desk;
use crate::keeping::overview::About;
use crate::keeping::shipping::Shipping;
use crate::kernel::access::{BackupKeep, BackupView, Gate, Read, Tx};
use crate::kernel::error::Result;
use crate::people;
use crate::web::filters;
use crate::web::forms::Form;
use crate::web::layout::{At, Frame};
use crate::web::respond::{Page, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

const PAGE: &str = "/instance/backups/runbook";

/// Routes of the page.
pub(super) fn routes() -> Vec<Route> {
    vec![get(PAGE, show), post(PAGE, change)]
}

#[derive(Template)]
#[template(path = "keeping/runbook/show.html")]
struct RunbookPage {
    frame: Frame,
    may_keep: bool,
    book: Runbook,
}

#[derive(Deserialize)]
struct ContactForm {
    contact: String,
}

async fn show(
    gate: Gate<BackupView>,
    visit: Visit,
    (desk, about, shipping): (Data<Desk>, Data<About>, Data<Shipping>),
) -> Result<Page<RunbookPage>> {
    let view = gate.read(move |tx: Read<'_, BackupView>| {
        let mut book = write(tx, &desk, Program::of(&about.address, &about.options))?;
        // How far the log is behind is known to the process that ships it, and to nobody else.
        for place in shipping.places() {
            let site = book.sites.iter_mut().find(|site| site.id == place.id);
            if let Some(log) = site.and_then(|site| site.log.as_mut()) {
                log.push_str(&format!("; now: {}", place.sentence(tx.now())));
            }
        }
        Ok(RunbookPage {
            frame: Frame::instance(tx, visit, people::seen(tx)?).at(At::Backups).here("Runbook"),
            may_keep: tx.may::<BackupKeep>(),
            book,
        })
    });
    Ok(Page::new(view.await?))
}

async fn change(gate: Gate<BackupKeep>, Form(form): Form<ContactForm>) -> Result<Redirect> {
    gate.write(move |tx| set_contact(tx.narrow(), form.contact.trim())).await?;
    Ok(Redirect::to(PAGE).saying("The contact is saved. Print the runbook again."))
}
