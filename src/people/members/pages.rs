//! Members of a project in a browser, and the service tokens of its pipelines.

use super::{Member, NewMember, State};
use crate::kernel::access::{Gate, InProject, MemberManage, MemberView, Read, Role, Tx};
use crate::kernel::error::{Kind, Result};
use crate::kernel::id::{TokenId, UserId};
use crate::people::days;
use crate::people::tokens::{self, DAYS, NewService, Token};
use crate::people::users::{self, Email, LinkPage, Name, role_of};
use crate::web::filters;
use crate::web::forms::{Choice, Form, Problems};
use crate::web::layout::{At, Frame, ProjectHead};
use crate::web::respond::{Page, Path, Redirect};
use crate::web::routes::{Route, get, post};
use crate::web::visit::Visit;
use actix_web::{Either, HttpRequest};
use askama::Template;
use serde::Deserialize;

/// The routes of members' pages.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/p/{project}/members", list),
        get("/p/{project}/members/new", show_new),
        post("/p/{project}/members", put),
        get("/p/{project}/members/{user}", show),
        post("/p/{project}/members/{user}", change),
        post("/p/{project}/members/{user}/remove", remove),
        get("/p/{project}/tokens/new", show_new_token),
        post("/p/{project}/tokens", issue),
        post("/p/{project}/tokens/{token}/revoke", revoke),
    ]
}

#[derive(Template)]
#[template(path = "people/members/list.html")]
struct ListPage {
    frame: Frame,
    base: String,
    members: Vec<Member>,
    tokens: Vec<Token>,
    may_manage: bool,
}

/// The form of a membership: somebody new, or somebody who is a member already.
#[derive(Template)]
#[template(path = "people/members/edit.html")]
struct EditPage {
    frame: Frame,
    base: String,
    member: Option<Member>,
    email: String,
    name: String,
    until: String,
    roles: Vec<Choice>,
    problems: Problems,
    is_fresh: bool,
}

#[derive(Template)]
#[template(path = "people/members/token_new.html")]
struct NewTokenPage {
    frame: Frame,
    base: String,
    name: String,
    roles: Vec<Choice>,
    days: Vec<Choice>,
    problems: Problems,
    is_fresh: bool,
}

#[derive(Template)]
#[template(path = "people/account/token.html")]
struct TokenPage {
    frame: Frame,
    name: String,
    token: String,
    back: String,
}

fn head(tx: impl InProject, visit: Visit) -> Result<(Frame, String)> {
    let (key, name) = super::project_head(tx)?;
    let base = format!("/p/{key}");
    let frame = Frame::project(tx, visit, users::seen(tx)?, ProjectHead { key, name }).at(At::Members);
    Ok((frame, base))
}

fn choices(tx: Read<'_, MemberView>, chosen: &str) -> Vec<Choice> {
    let given = Role::ALL.iter().filter(|role| tx.may_give(**role));
    let lines = given.map(|role| (role.word(), format!("{}: {}", role.title(), role.meaning())));
    Choice::among(lines, chosen)
}

async fn list(gate: Gate<MemberView>, visit: Visit) -> Result<Page<ListPage>> {
    let view = gate.read(move |tx| {
        let (mut frame, base) = head(tx, visit)?;
        let (members, tokens) = (super::list(tx)?, tokens::list_services(tx)?);
        let may_manage = tx.may::<MemberManage>();
        if may_manage {
            frame = frame.action("plus", "Add a member", format!("{base}/members/new"), "i");
            frame = frame.action("key", "New service token", format!("{base}/tokens/new"), "");
        }
        Ok(ListPage { frame: frame.count(At::Members, members.len()), base, members, tokens, may_manage })
    });
    Ok(Page::new(view.await?))
}

#[derive(Deserialize, Clone, Default)]
struct MemberForm {
    email: String,
    name: Option<String>,
    role: String,
    until: Option<String>,
}

async fn show_new(gate: Gate<MemberView>, visit: Visit) -> Result<Page<EditPage>> {
    let form = MemberForm { role: Role::Tester.word().to_owned(), ..MemberForm::default() };
    Ok(Page::new(edit_page(&gate, visit, None, form, Problems::default()).await?))
}

async fn edit_page(
    gate: &Gate<MemberView>,
    visit: Visit,
    user: Option<UserId>,
    form: MemberForm,
    problems: Problems,
) -> Result<EditPage> {
    gate.read(move |tx| {
        let (frame, base) = head(tx, visit)?;
        let member = user.map(|user| super::get(tx, user)).transpose()?;
        Ok(EditPage {
            frame: frame.here(member.as_ref().map_or("Add", |member| &member.name)),
            base,
            roles: choices(tx, &form.role),
            email: form.email,
            name: form.name.unwrap_or_default(),
            until: form.until.unwrap_or_default(),
            member,
            problems,
            is_fresh: tx.is_fresh(),
        })
    })
    .await
}

async fn put(
    gate: Gate<MemberManage>,
    look: Gate<MemberView>,
    visit: Visit,
    request: HttpRequest,
    Form(form): Form<MemberForm>,
) -> Result<Either<Page<LinkPage>, Either<Redirect, Page<EditPage>>>> {
    let mut problems = Problems::default();
    let email = Email::new(&form.email).map_err(|e| problems.add("email", e.sentence())).ok();
    let name = form.name.as_deref().map(Name::new).transpose();
    let name = name.map_err(|e| problems.add("name", e.sentence())).ok();
    let until = until(&form, &mut problems);
    if let (Some(email), Some(name), Some(expires_at)) = (email, name, until) {
        let new = NewMember { email, name, role: role_of(&form.role)?, expires_at };
        match gate.write(move |tx| super::put(tx, new)).await {
            Ok(membership) => {
                let (frame, base) = look.read(move |tx| head(tx, visit)).await?;
                let back = format!("{base}/members");
                let Some(code) = membership.code else {
                    let said = Redirect::to(back).saying("They are a member now.");
                    return Ok(Either::Right(Either::Left(said)));
                };
                let name = form.name.unwrap_or(form.email);
                let page = LinkPage::new(frame.here("Link"), name, &request, code.expose(), back);
                return Ok(Either::Left(Page::new(page)));
            }
            Err(e) if matches!(e.kind(), Kind::NotFound) => {
                problems.add("name", "Nobody has this address yet. Give a name to invite them.");
            }
            Err(e) if matches!(e.kind(), Kind::Invalid) => problems.add("until", e.sentence()),
            Err(e) => return Err(e),
        }
    }
    let page = Page::refused(edit_page(&look, visit, None, form, problems).await?);
    Ok(Either::Right(Either::Right(page)))
}

/// The end that was chosen; the outer `None` is one that cannot be read.
fn until(form: &MemberForm, problems: &mut Problems) -> Option<Option<crate::kernel::time::Timestamp>> {
    let until = form.until.as_deref().map(days::end_of).transpose();
    until.map_err(|e| problems.add("until", e.sentence())).ok()
}

async fn show(
    gate: Gate<MemberView>,
    visit: Visit,
    Path((_, user)): Path<(String, i64)>,
) -> Result<Page<EditPage>> {
    let user = UserId(user);
    let member = gate.read(move |tx| super::get(tx, user)).await?;
    let form = MemberForm {
        role: member.role.word().to_owned(),
        until: member.expires_at.map(days::last_before),
        ..MemberForm::default()
    };
    Ok(Page::new(edit_page(&gate, visit, Some(user), form, Problems::default()).await?))
}

#[derive(Deserialize)]
struct ChangeForm {
    role: String,
    until: Option<String>,
}

async fn change(
    gate: Gate<MemberManage>,
    look: Gate<MemberView>,
    visit: Visit,
    Path((project, user)): Path<(String, i64)>,
    Form(form): Form<ChangeForm>,
) -> Result<Either<Redirect, Page<EditPage>>> {
    let (mut problems, user) = (Problems::default(), UserId(user));
    let form = MemberForm { role: form.role, until: form.until, ..MemberForm::default() };
    if let Some(expires_at) = until(&form, &mut problems) {
        let role = role_of(&form.role)?;
        match gate.write(move |tx| super::change(tx, user, role, expires_at)).await {
            Ok(()) => {
                let said = "The role is changed, from the next request on.";
                return Ok(Either::Left(Redirect::to(format!("/p/{project}/members")).saying(said)));
            }
            Err(e) if e.kind() == Kind::Invalid => problems.add("until", e.sentence()),
            Err(e) => return Err(e),
        }
    }
    Ok(Either::Right(Page::refused(edit_page(&look, visit, Some(user), form, problems).await?)))
}

async fn remove(gate: Gate<MemberManage>, Path((project, user)): Path<(String, i64)>) -> Result<Redirect> {
    gate.write(move |tx| super::remove(tx, UserId(user))).await?;
    Ok(Redirect::to(format!("/p/{project}/members")).saying("They are no member any more."))
}

#[derive(Deserialize, Clone)]
struct TokenForm {
    name: String,
    role: String,
    days: i64,
}

async fn show_new_token(gate: Gate<MemberView>, visit: Visit) -> Result<Page<NewTokenPage>> {
    let form = TokenForm { name: String::new(), role: Role::Automation.word().to_owned(), days: 90 };
    Ok(Page::new(new_token_page(&gate, visit, form, Problems::default()).await?))
}

async fn new_token_page(
    gate: &Gate<MemberView>,
    visit: Visit,
    form: TokenForm,
    problems: Problems,
) -> Result<NewTokenPage> {
    gate.read(move |tx| {
        let (frame, base) = head(tx, visit)?;
        Ok(NewTokenPage {
            frame: frame.here("New service token"),
            base,
            name: form.name,
            roles: choices(tx, &form.role),
            days: Choice::among(DAYS.map(|days| (days, format!("{days} days"))), form.days),
            problems,
            is_fresh: tx.is_fresh(),
        })
    })
    .await
}

async fn issue(
    gate: Gate<MemberManage>,
    look: Gate<MemberView>,
    visit: Visit,
    Form(form): Form<TokenForm>,
) -> Result<Either<Page<TokenPage>, Page<NewTokenPage>>> {
    let mut problems = Problems::default();
    match Name::new(&form.name) {
        Ok(name) => {
            let new = NewService { name, role: role_of(&form.role)?, days: form.days };
            let issued = gate.write(move |tx| tokens::issue_service(tx, new)).await?;
            let (frame, base) = look.read(move |tx| head(tx, visit)).await?;
            let (token, back) = (issued.token.expose().clone(), format!("{base}/members#tokens"));
            let frame = frame.here("New service token");
            return Ok(Either::Left(Page::new(TokenPage { frame, name: form.name, token, back })));
        }
        Err(e) => problems.add("name", e.sentence()),
    }
    Ok(Either::Right(Page::refused(new_token_page(&look, visit, form, problems).await?)))
}

async fn revoke(gate: Gate<MemberManage>, Path((project, token)): Path<(String, i64)>) -> Result<Redirect> {
    gate.write(move |tx| tokens::revoke_service(tx, TokenId(token))).await?;
    let said = "The token is revoked. Whoever uses it is refused from now on.";
    Ok(Redirect::to(format!("/p/{project}/members#tokens")).saying(said))
}
