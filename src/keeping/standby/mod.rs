//! Standby: a second machine that follows the instance from its backups and its log, and takes over when somebody
//! says so.
//!
//! It needs a target and the recovery kit, and nothing of the instance: no line between the two machines, no
//! account, no clock in common but for telling the lag. `safe` keeps what opens the target and the backups, `state`
//! says how far it is and holds no secret, `copy` is the copy and how it grows, `proof` shows that it opens,
//! `follow` does all that for ever, `promote` turns it into a data folder.
//! It never takes over by itself: two machines that cannot see each other cannot know which of them is alone.

mod copy;
mod follow;
mod hold;
mod metrics;
mod promote;
mod proof;
mod reclaim;
mod safe;
mod state;
mod status;

pub use follow::{Follower, Order, Pace};
pub use hold::is_standby;
pub use promote::{Promoted, Terms, promote};
pub use reclaim::{reclaim, unknown};
pub use state::{Proof, State};
pub use status::{Good, Status};

use crate::kernel::audit::Event;

/// The copy on this machine became the instance.
pub const PROMOTED: Event =
    Event::new("standby.promoted", "A standby took over: this machine is the instance from now on.");

/// Events of this slice.
pub const EVENTS: &[Event] = &[PROMOTED];
