//! Function `sweep`: its handler, apart from the wiring in `main.rs`, so that the simulation runs the very same code.

mod restart;
pub mod sweep;
