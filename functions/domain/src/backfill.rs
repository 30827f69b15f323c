//! Backfill: what was in the bucket before the backup watched it.
//!
//! A plan lists the versions ([`ranges`]), deals them to lines of up to 100 ([`line`]), and says what
//! that takes ([`estimate`]). Each version then goes the way of the event that would have come
//! ([`event`]), so that policy, lease, marker, evidence and catalog are those of any upload.

pub mod counts;
pub mod course;
pub mod elsewhere;
pub mod estimate;
pub mod event;
pub mod held;
pub mod known;
pub mod line;
pub mod prices;
pub mod ranges;
pub mod reader;
pub mod report;
pub mod request;
