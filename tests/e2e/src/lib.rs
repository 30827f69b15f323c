//! A world for end-to-end tests: one stack a run, a proxy before its services, and questions to ask.

mod ask;
mod auditing;
pub mod backfilling;
pub mod barrier;
pub mod burst;
pub mod drilling;
mod event;
pub mod gauge;
pub mod hurry;
pub mod iam;
pub mod implied;
pub mod inventoried;
mod locks;
mod policy;
pub mod proxy;
pub mod queued;
mod redriven;
pub mod refusals;
pub mod requests;
pub mod restoring;
pub mod retaining;
mod strict;
pub mod typed;
mod watched;
mod wire;
pub mod world;

pub use ask::planned;
pub use auditing::Audit;
pub use proxy::{Call, Fault, Proxy};
pub use typed::Said;
pub use world::{Ended, World};

/// Locks; a test that failed while it had the lock has spoilt nothing of what is behind it.
pub(crate) fn held<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
