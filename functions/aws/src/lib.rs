//! The only crate that sees the AWS SDK: clients, calls, error mapping and the Lambda entry.

pub mod at_once;
pub mod breakers;
pub mod catalog;
pub mod clients;
pub mod dead;
pub mod deadline;
pub mod deployment;
pub mod elsewhere;
pub mod executions;
pub mod express;
pub mod failure;
pub mod follow;
pub mod glance;
pub mod metrics;
pub mod notices;
pub mod policy_store;
pub mod prepare;
pub mod queue;
pub mod rejected;
pub mod restores;
pub mod s3;
pub mod serve;
pub mod settle;
pub mod stack;
pub mod topic;

pub use backup_domain::ErrorName;
pub use clients::{Clients, S3, SettingError, Settings, Sns, Sqs, StepFunctions};
pub use deadline::Deadline;
pub use failure::{ApiError, Failure};
pub use serve::{Error, Raised, invoke, serve, serve_until};
