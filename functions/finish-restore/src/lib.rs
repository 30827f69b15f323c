//! State `FinishRestore`: its handler, apart from the wiring in `main.rs`.

pub mod finish;
pub mod tally;
