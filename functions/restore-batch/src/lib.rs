//! State `RestoreBatch`: its handler, apart from the wiring in `main.rs`.

pub mod batch;
pub mod large;
pub mod one;
pub mod prove;
