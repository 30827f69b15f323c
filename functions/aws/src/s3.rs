//! S3 calls, one file per operation family.

pub mod annotations;
pub mod archive;
pub mod copy;
pub mod delete;
pub mod documents;
pub mod ending;
pub mod head;
pub mod inventory;
pub mod listing;
pub mod multipart;
pub mod pages;
pub mod parts;
pub mod read;
pub mod versions;
