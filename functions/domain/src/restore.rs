//! Restore: which versions a moment had, what is to be done with each, and what that costs.
//!
//! Nothing here deletes a version, at the backup or at the target.

pub mod backup;
pub mod carry;
pub mod conflict;
pub mod course;
pub mod drill;
pub mod estimate;
pub mod line;
pub mod moment;
pub mod owners;
pub mod passes;
pub mod proof;
pub mod refusal;
pub mod report;
pub mod request;
pub mod sample;
pub mod unfinished;
