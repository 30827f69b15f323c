//! State `PlanRestore`: its handler, apart from the wiring in `main.rs`.

mod bare;
pub mod drill;
pub mod look;
pub mod plan;
pub mod slice;
mod there;
