//! A world for end-to-end tests: one stack a run, a proxy before its services, and questions to ask.

mod ask;
mod auditing;
pub mod backfilling;
pub mod barrier;
pub mod burst;
pub mod drilling;
pub mod gauge;
pub mod hurry;
pub mod iam;
pub mod inventoried;
mod policy;
pub mod proxy;
pub mod queued;
mod redriven;
pub mod restoring;
pub mod retaining;
mod typed;
mod watched;
pub mod world;

pub use ask::planned;
pub use auditing::Audit;
pub use proxy::{Call, Fault, Proxy};
pub use typed::Said;
pub use world::{Ended, World};
