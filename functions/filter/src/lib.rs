//! State `Filter`: its handler, apart from the wiring in `main.rs`, so that the simulation runs the very same code.

pub mod deletion;
pub mod filter;
pub mod lease;
pub mod tagging;
pub mod target;
