//! Other people's dialects: what comes in from their tools and goes out to them.
//!
//! Translates, then calls `library` and `running`; knows no rules of its own about cases and runs.

pub mod ingest;
