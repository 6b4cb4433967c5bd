//! Pages on which the recovery kit is exchanged: another one is shown, and counts once it was typed back.

use super::kit::{self, Along};
use super::pages::PAGE;
use crate::kernel::access::{Gate, InstanceKeep, Read};
use crate::kernel::error::Result;
use crate::kernel::instance::Instance;
use crate::kernel::keyring::{RecoveryKit, RecoverySecret};
use crate::kernel::secret::Secret;
use crate::kernel::time::Timestamp;
use crate::people;
use crate::people::sessions;
use crate::web::filters;
use crate::web::forms::{Form, Problems};
use crate::web::layout::{At, Frame};
use crate::web::respond::{Answer, Page, Redirect};
use crate::web::routes::{Route, post};
use crate::web::visit::Visit;
use actix_web::web::Data;
use askama::Template;
use serde::Deserialize;

pub(super) fn routes() -> Vec<Route> {
    vec![post("/instance/keys/kit", show), post("/instance/keys/kit/exchange", exchange)]
}

#[derive(Template)]
#[template(path = "keeping/keys/kit.html")]
struct KitPage {
    frame: Frame,
    instance: String,
    uuid: String,
    mark: String,
    created_at: Timestamp,
    lines: Vec<String>,
    /// The kit once more, sealed: the server keeps nothing.
    offer: String,
    is_all: bool,
    problems: Problems,
}

/// Shows another kit. Nothing changes yet.
async fn show(gate: Gate<InstanceKeep>, visit: Visit, instance: Data<Instance>) -> Result<Page<KitPage>> {
    let instance = instance.into_inner();
    let page = gate.read(move |tx| {
        sessions::demand_proof(tx)?;
        let kit = instance.keyring()?.new_kit(super::age::now());
        KitPage::of(tx, visit, &instance, &kit, Along::All)
    });
    Ok(Page::new(page.await?))
}

#[derive(Deserialize)]
struct TypedForm {
    offer: String,
    typed: Secret<String>,
    #[serde(default)]
    all: String,
}

/// Puts the kit that was shown in force, once it was typed back.
async fn exchange(
    gate: Gate<InstanceKeep>,
    visit: Visit,
    instance: Data<Instance>,
    Form(form): Form<TypedForm>,
) -> Result<Answer<KitPage>> {
    let instance = instance.into_inner();
    let kit = kit::offered(&instance, &form.offer, super::age::now())?;
    let along = if form.all.is_empty() { Along::Master } else { Along::All };
    let mut problems = Problems::default();
    match problems.keep("typed", RecoverySecret::parse(form.typed.expose())) {
        Some(typed) if typed != kit.secret => {
            problems.add("typed", "This is another kit. Type the one shown above.")
        }
        _ => {}
    }
    if !problems.is_empty() {
        let page = gate.read(move |tx| {
            sessions::demand_proof(tx)?;
            Ok(KitPage { problems, ..KitPage::of(tx, visit, &instance, &kit, along)? })
        });
        return Ok(Page::refused(page.await?).into());
    }
    gate.write(move |tx| kit::exchange(tx, &instance, &kit.secret, along)).await?;
    let said = "The new recovery kit is in force. Backup targets follow within seconds, as far as they can be reached.";
    Ok(Redirect::to(PAGE).saying(said).into())
}

impl KitPage {
    fn of(
        tx: Read<'_, InstanceKeep>,
        visit: Visit,
        instance: &Instance,
        kit: &RecoveryKit,
        along: Along,
    ) -> Result<KitPage> {
        let seen = people::seen(tx)?;
        let secret = kit.secret.print();
        let groups: Vec<&str> = secret.expose().split('-').collect();
        Ok(KitPage {
            instance: seen.instance.clone(),
            frame: Frame::instance(tx, visit, seen).at(At::Keys).here("Recovery kit"),
            uuid: kit.uuid.clone(),
            mark: kit.secret.fingerprint(),
            created_at: kit.created_at,
            lines: groups.chunks(5).map(|line| line.join("-")).collect(),
            offer: kit::offer(instance, kit)?,
            is_all: along == Along::All,
            problems: Problems::default(),
        })
    }
}
