//! State `BackfillBatch`: its handler, apart from the wiring in `main.rs`.

pub mod batch;
pub mod key;
pub mod order;
pub mod way;
