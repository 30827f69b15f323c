//! State `PlanRestore`: its handler, apart from the wiring in `main.rs`.

pub mod drill;
pub mod look;
pub mod plan;
pub mod slice;
