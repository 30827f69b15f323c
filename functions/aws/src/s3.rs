//! S3 calls, one file per operation family.

pub mod copy;
pub mod head;
pub mod read;
pub mod versions;
