//! The instance looks after itself.

mod backup;
