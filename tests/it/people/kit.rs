//! People at the door: an instance with an owner, and how they sign in without a browser.

use crate::kernel::house::House;
use testkeep::kernel::access::*;
use testkeep::kernel::error::Result;
use testkeep::kernel::id::UserId;
use testkeep::kernel::secret::Secret;
use testkeep::people::login::{self, Attempt, Begun, Proof, SignedIn, factor, invitation, totp};
use testkeep::people::members::{self, NewMember};
use testkeep::people::setup::{self, NewOwner};
use testkeep::people::users::{self, Email, Name, NewPerson};

pub const OWNER: &str = "owner@shop.example";
pub const PASSPHRASE: &str = "kettle orbit walnut copper";
pub const SECRET: &[u8] = b"12345678901234567890";
pub const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
pub const STEP_MS: i64 = 30_000;

pub fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub fn email(text: &str) -> Email {
    Email::new(text).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// An instance whose owner has this passphrase and this secret.
pub async fn claimed() -> (House, UserId) {
    let house = House::start();
    let password_phc = login::password::hash(secret(PASSPHRASE)).await.unwrap();
    let new = NewOwner {
        email: email(OWNER),
        name: name("Owner"),
        password_phc,
        totp_secret: Some(SECRET.to_vec()),
    };
    let gate = house.operator::<Claim>(());
    let claiming = gate.write(move |tx| {
        let _ = setup::issue_link(tx, UUID)?;
        setup::claim(tx, new)
    });
    let user = claiming.await.unwrap().user;
    (house, user)
}

pub fn from(address: &str) -> Origin {
    Origin { address: address.into(), request: "".into() }
}

impl House {
    /// The gate of somebody who has not signed in.
    pub fn visitor(&self) -> Gate<SignIn> {
        self.visitor_from("192.0.2.1")
    }

    pub fn visitor_from(&self, address: &str) -> Gate<SignIn> {
        self.door.visitor(from(address)).gate(())
    }

    /// The gate of whoever holds this cookie.
    pub fn with_cookie<P: Permission>(
        &self,
        cookie: &Secret<String>,
        place: <P::Scope as Scope>::Place,
    ) -> Gate<P> {
        self.door.session::<Changes>(cookie.expose(), from("192.0.2.1")).gate(place)
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now().0
    }

    /// The code that an app with `SECRET` shows now.
    pub fn code(&self) -> String {
        totp::code_at(SECRET, self.now_ms())
    }

    pub async fn passphrase(&self, email: &str, passphrase: &str) -> Option<Begun> {
        login::passphrase(&self.visitor(), attempt(email, passphrase)).await.unwrap()
    }

    pub async fn second(&self, cookie: &Secret<String>, proof: Proof) -> Result<Option<SignedIn>> {
        second(&self.visitor(), cookie, proof, None).await
    }

    /// The owner signs in with a code nobody has used yet.
    pub async fn sign_in(&self) -> SignedIn {
        self.clock.advance(STEP_MS);
        let begun = self.passphrase(OWNER, PASSPHRASE).await.unwrap();
        self.second(&begun.cookie, Proof::Code(self.code())).await.unwrap().unwrap()
    }

    /// Somebody with a role in the instance or in a project opens their account; gives their cookie.
    pub async fn signed_in_person(&self, address: &'static str, role: Held) -> (UserId, Secret<String>) {
        let (user, code) = match role {
            Held::Instance(role) => {
                let new = NewPerson { email: email(address), name: name(address), role };
                let gate = self.operator::<PeopleManage>(());
                let invited = gate.write(move |tx| users::invite(tx, new)).await.unwrap();
                (invited.user, invited.code)
            }
            Held::Project(key, role) => {
                let new =
                    NewMember { email: email(address), name: Some(name(address)), role, expires_at: None };
                let gate = self.operator::<MemberManage>(Place::Project(key.to_owned()));
                let invited = gate.write(move |tx| members::put(tx, new)).await.unwrap();
                (invited.user, invited.code.unwrap())
            }
        };
        let begun = invitation::accept(&self.visitor(), code, secret(PASSPHRASE), "".into()).await.unwrap();
        (user, self.enrol(&begun).await.signed_in.cookie)
    }

    /// Sets up the second factor that this sign-in was offered.
    pub async fn enrol(&self, begun: &Begun) -> factor::Enrolled {
        let (gate, cookie) = (self.visitor(), begun.cookie.clone());
        let looked = cookie.clone();
        let shown = gate.read(move |tx| factor::offered(tx, looked.expose())).await.unwrap();
        let code = totp::code_at(&from_base32(&shown.secret), self.now_ms());
        gate.write(move |tx| factor::enrol(tx, cookie.expose(), &code)).await.unwrap().unwrap()
    }
}

/// Where somebody holds which role.
pub enum Held {
    Instance(Option<Role>),
    Project(&'static str, Role),
}

pub fn attempt(email: &str, passphrase: &str) -> Attempt {
    Attempt { email: email.to_owned(), passphrase: secret(passphrase), device: None, agent: "Browser".into() }
}

pub async fn second(
    gate: &Gate<SignIn>,
    cookie: &Secret<String>,
    proof: Proof,
    device: Option<String>,
) -> Result<Option<SignedIn>> {
    let cookie = cookie.clone();
    gate.write(move |tx| login::second(tx, cookie.expose(), &proof, device.as_deref())).await
}

/// The secret as a person would type it.
pub fn from_base32(shown: &str) -> Vec<u8> {
    let plain: String = shown.chars().filter(|letter| !letter.is_whitespace()).collect();
    data_encoding::BASE32_NOPAD.decode(plain.as_bytes()).unwrap()
}
