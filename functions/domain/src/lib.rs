//! The decisions of the backup, as plain functions over plain types.
//!
//! Nothing here knows the AWS SDK, the clock or the environment: what a decision needs is passed
//! in, what it decides is returned. The Lambdas parse, call and map errors around it.

pub mod audit;
pub mod backfill;
pub mod breaker;
pub mod catalog;
pub mod copy;
pub mod crc;
pub mod deployment;
pub mod digest;
pub mod error;
pub mod event;
pub mod evidence;
pub mod intake;
pub mod inventory;
pub mod key;
pub mod lag;
pub mod lease;
pub mod lifecycle;
pub mod limits;
pub mod marker;
pub mod message;
pub mod multipart;
pub mod object;
pub mod order;
pub mod parts;
pub mod plan;
pub mod policy;
pub mod redrive;
pub mod restore;
pub mod sequencer;
pub mod task;
pub mod watch;

pub use error::{Cause, ErrorName, Named};
pub use event::{Redrive, SourceEvent};
pub use object::SourceObject;
pub use policy::Policy;
