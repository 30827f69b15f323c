//! State `FinishRestore`: its handler, apart from the wiring in `main.rs`.

pub mod drill;
pub mod finish;
pub mod tally;
