//! `testkeep user`: people of the instance, from the machine itself.

use super::output::{Output, table};
use super::project::place;
use super::token::role;
use crate::app::House;
use crate::kernel::access::{MemberManage, PeopleManage, PeopleView, Role};
use crate::kernel::error::Result;
use crate::kernel::id::UserId;
use crate::kernel::options::Options;
use crate::kernel::secret::Secret;
use crate::people::members::{self, NewMember};
use crate::people::users::{self, Email, Name, NewPerson, User as Account};
use clap::{Args, Subcommand};
use serde::Serialize;

/// What to do with people.
#[derive(Subcommand, Debug)]
pub enum User {
    /// Show all people.
    List,
    /// Invite somebody; prints the link with which they open their account.
    Invite(Invite),
    /// Let somebody in no longer; their sessions end at once.
    Suspend {
        /// Their address.
        email: String,
    },
    /// Let a suspended person in again.
    Activate {
        /// Their address.
        email: String,
    },
    /// Take passphrase and second factor from somebody who lost them; prints a link to start anew.
    ResetFactor {
        /// Their address.
        email: String,
    },
}

/// Somebody to invite.
#[derive(Args, Debug)]
pub struct Invite {
    /// Their address; nothing is sent there.
    #[arg(long)]
    email: String,
    /// Their name.
    #[arg(long)]
    name: String,
    /// Their role, in the project or else in the instance.
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// Key of the project in which they get the role, such as SHOP.
    #[arg(long, requires = "role")]
    project: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    id: i64,
    email: String,
    name: String,
    state: &'static str,
    role: Option<&'static str>,
    has_factor: bool,
    created_at: String,
    seen_at: Option<String>,
}

#[derive(Serialize)]
struct Invited {
    id: i64,
    email: String,
    /// None if they have an account already.
    link: Option<String>,
}

/// Runs one of the commands.
pub async fn run(command: User, house: &House, options: &Options, output: Output) -> Result<()> {
    match command {
        User::List => {
            let gate = house.shell.operator().gate::<PeopleView>(());
            let all = gate.read(users::list).await?;
            output.print(&all.into_iter().map(Shown::from).collect::<Vec<_>>(), |all| list(all));
            Ok(())
        }
        User::Invite(invite) => self::invite(invite, house, options, output).await,
        User::Suspend { email } => {
            let (email, gate) = (Email::new(&email)?, manage(house));
            let found = gate.write(move |tx| {
                let id = users::find(tx.reading(), &email)?.id;
                Ok(users::suspend(tx, id)?.map(|()| id))
            });
            show(found.await?, house, output).await
        }
        User::Activate { email } => {
            let (email, gate) = (Email::new(&email)?, manage(house));
            let found = gate.write(move |tx| {
                let id = users::find(tx.reading(), &email)?.id;
                Ok(users::activate(tx, id)?.map(|()| id))
            });
            show(found.await?, house, output).await
        }
        User::ResetFactor { email } => {
            let (asked, gate) = (Email::new(&email)?, manage(house));
            let reset = gate.write(move |tx| users::reset_factor(tx, users::find(tx.reading(), &asked)?.id));
            let invitation = reset.await?;
            print_link(invitation.user, email, Some(&invitation.code), options, output);
            Ok(())
        }
    }
}

fn manage(house: &House) -> crate::kernel::access::Gate<PeopleManage> {
    house.shell.operator().gate::<PeopleManage>(())
}

async fn invite(invite: Invite, house: &House, options: &Options, output: Output) -> Result<()> {
    let Invite { email: typed, name, role, project } = invite;
    let (email, name) = (Email::new(&typed)?, Name::new(&name)?);
    if let (Some(key), Some(role)) = (project, role) {
        let gate = house.shell.operator().gate::<MemberManage>(place(&key)?);
        let new = NewMember { email, name: Some(name), role, expires_at: None };
        let membership = gate.write(move |tx| members::put(tx, new)).await?;
        print_link(membership.user, typed, membership.code.as_ref(), options, output);
        return Ok(());
    }
    let new = NewPerson { email, name, role };
    let invitation = manage(house).write(move |tx| users::invite(tx, new)).await?;
    print_link(invitation.user, typed, Some(&invitation.code), options, output);
    Ok(())
}

fn print_link(user: UserId, email: String, code: Option<&Secret<String>>, options: &Options, output: Output) {
    let link = code.map(|code| format!("{}/invitation?code={}", base(options), code.expose()));
    output.print(&Invited { id: user.0, email, link }, |it| match &it.link {
        Some(link) => {
            format!("Give this link to {}; it works once, for a day:\n  {link}\nNothing was sent.", it.email)
        }
        None => format!("{} has an account already, and the role from now on.", it.email),
    });
}

/// Where people find the instance, as far as its options say.
fn base(options: &Options) -> String {
    match &options.public_url {
        Some(url) => url.as_str().to_owned(),
        None => options.listen.first().map_or_else(String::new, |address| format!("https://{address}")),
    }
}

async fn show(id: UserId, house: &House, output: Output) -> Result<()> {
    let gate = house.shell.operator().gate::<PeopleView>(());
    let user = gate.read(move |tx| users::get(tx, id)).await?;
    output.print(&Shown::from(user), |it| format!("{} <{}> is {}.", it.name, it.email, it.state));
    Ok(())
}

fn list(all: &[Shown]) -> String {
    if all.is_empty() {
        return "There is nobody yet. `testkeep setup`, or the set-up in a browser, makes the first owner."
            .into();
    }
    let row = |it: &Shown| {
        let role = it.role.unwrap_or("").to_owned();
        let factor = if it.has_factor { "yes" } else { "no" }.to_owned();
        let seen = it.seen_at.as_deref().unwrap_or("never").to_owned();
        vec![it.email.clone(), it.name.clone(), it.state.to_owned(), role, factor, seen]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table(&["address", "name", "state", "role", "second factor", "last seen"], &rows)
}

impl From<Account> for Shown {
    fn from(user: Account) -> Shown {
        Shown {
            id: user.id.0,
            email: user.email.unwrap_or_default(),
            name: user.name,
            state: user.state.word(),
            role: user.role.map(Role::word),
            has_factor: user.has_factor,
            created_at: user.created_at.to_string(),
            seen_at: user.seen_at.map(|at| at.to_string()),
        }
    }
}
