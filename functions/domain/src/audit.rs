//! The audit: source, backup and catalog against each other, key by key.
//!
//! Both listings come in the order of their keys, so a pass needs the versions of one key at a time
//! ([`merge`]). What the catalog holds of a key is asked for by key, and what it holds of keys that
//! no listing shows is found by sums over both ([`tally`]). What is not yet due is no difference:
//! versions within the grace period, and leases that may still be worked on, count as pending.

pub mod compare;
pub mod finding;
pub mod merge;
pub mod progress;
pub mod repair;
pub mod report;
pub mod request;
pub mod sums;
pub mod tally;
pub mod totals;

pub use compare::{Compared, Entry, KeyView, Stray, compare, unexplained};
pub use finding::{Finding, Kind, Verdict};
pub use merge::{Group, Merge, Next};
pub use progress::Progress;
pub use request::{Level, Request};
