//! The instance looks after itself.

mod backup;
mod trail;
