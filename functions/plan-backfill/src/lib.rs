//! State `PlanBackfill`: its handler, apart from the wiring in `main.rs`.

pub mod inventory;
pub mod listing;
pub mod lost;
pub mod plan;
pub mod slice;
