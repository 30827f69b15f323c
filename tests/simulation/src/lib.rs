//! The real handlers and the real state machine, run by seed in one process against an AWS in memory
//! that fails in every way that a call can fail.
//!
//! Nothing here has a socket, a thread or a wall clock: requests of the SDK wait in [`world`] until a
//! scheduler that the seed decides lets one of them proceed. The same seed is the same run.

pub mod content;
pub mod dynamodb;
pub mod expressions;
pub mod faults;
pub mod functions;
pub mod holdings;
pub mod machine;
pub mod oracle;
pub mod run;
pub mod s3;
pub mod s3_answers;
pub mod s3_parts;
pub mod sdk;
pub mod services;
pub mod watching;
pub mod wire;
pub mod workload;
pub mod world;
