//! The real program on temporary folders: what people and scripts at a terminal rely on.

mod admin;
mod codes;
mod stop;
mod story;
