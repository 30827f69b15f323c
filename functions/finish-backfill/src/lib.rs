//! State `FinishBackfill`: its handler, apart from the wiring in `main.rs`.

pub mod elsewhere;
pub mod finish;
pub mod tally;
