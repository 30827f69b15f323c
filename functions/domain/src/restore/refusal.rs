//! Why a restore is refused before anything is written.

use jiff::Timestamp;

use crate::error::{ErrorName, Named};

/// Why a restore cannot be asked for like that. Nothing has been written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No request can be read.
    #[error("the input is no restore: {problem}")]
    Unreadable {
        /// What the parser says.
        problem: String,
    },
    /// Key and prefix, or neither.
    #[error("name either key or prefix (\"\" is the whole bucket)")]
    KeyOrPrefix,
    /// The state of a moment to come is not known.
    #[error("the moment {at} is in the future; it is {now}")]
    Future {
        /// Moment asked for.
        at: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// Over the source, and not told so.
    #[error("the target is the source itself, {bucket}")]
    IsSource {
        /// The source.
        bucket: String,
    },
    /// A rollback anywhere else would hide other people's objects.
    #[error("a rollback goes to the source itself, {bucket}, without a prefix")]
    NotSource {
        /// The source.
        bucket: String,
    },
    /// A backup is never written to by a restore.
    #[error("the target {bucket} is a backup")]
    IsBackup {
        /// The target.
        bucket: String,
    },
    /// The machine may not write there.
    #[error("the target {bucket} is not among the buckets that this deployment may restore to")]
    NotGranted {
        /// The target.
        bucket: String,
    },
    /// There is no scratch bucket.
    #[error("this deployment has no drills, and no bucket for them")]
    NoDrill,
    /// No such bucket.
    #[error("there is no bucket {bucket} in {region}")]
    NoBucket {
        /// The target.
        bucket: String,
        /// Where it was looked for.
        region: String,
    },
    /// Covering and hiding would destroy.
    #[error("{bucket} keeps no versions, so that a restore over it would destroy what it covers")]
    Unversioned {
        /// The target.
        bucket: String,
    },
    /// The backup has never heard of such keys.
    #[error("nothing is backed up of {what}")]
    Nothing {
        /// The key or prefix.
        what: String,
    },
    /// The backup begins later.
    #[error("{at} is before the first version that is known of {what}, which is of {earliest}")]
    TooEarly {
        /// Moment asked for.
        at: Timestamp,
        /// The key or prefix.
        what: String,
        /// The first that is known.
        earliest: Timestamp,
    },
    /// The catalog itself is gone.
    #[error("the catalog is not there: {problem}")]
    NoCatalog {
        /// What DynamoDB answered.
        problem: String,
    },
    /// The bucket lies in another region.
    #[error("the bucket {bucket} does not lie in {region}")]
    Elsewhere {
        /// The target.
        bucket: String,
        /// Where it was looked for.
        region: String,
    },
    /// The destination that is to be restored from has no copies of these keys.
    #[error("destination {destination:?} has no copies of {what}; {others}")]
    NoCopies {
        /// Its name.
        destination: String,
        /// The key or prefix.
        what: String,
        /// Those that have some.
        others: String,
    },
    /// One execution cannot carry it.
    #[error("{slices} slices of {what} are more than one execution can carry")]
    TooMany {
        /// The key or prefix.
        what: String,
        /// As far as it was planned.
        slices: u32,
    },
    /// An execution works in that folder.
    #[error("the restore in {folder} still runs, as {run}")]
    Running {
        /// Folder of the plan.
        folder: String,
        /// Name of the execution.
        run: String,
    },
    /// Days or prefix out of bounds.
    #[error("{field} cannot be {value}")]
    OutOfBounds {
        /// Name of the field.
        field: &'static str,
        /// What it says.
        value: String,
    },
}

impl Named for RequestError {
    fn name(&self) -> ErrorName {
        ErrorName::InvalidRestore
    }

    fn advice(&self) -> String {
        match self {
            Self::Future { .. } => "name a moment that has passed".to_owned(),
            Self::IsSource { .. } => "name another bucket or a prefix; or choose a mode: in-place brings back what is missing and leaves the rest, overwrite covers what differs, rollback also hides what came later".to_owned(),
            Self::NotSource { .. } => "leave out the target's prefix and name the source, or choose another mode".to_owned(),
            Self::NotGranted { .. } => "add the bucket to the parameter RestoreBucketNames and deploy".to_owned(),
            Self::NoDrill => "set the parameter DrillDays and deploy".to_owned(),
            Self::NoBucket { .. } => "check bucket and region; a restore makes no buckets".to_owned(),
            Self::Unversioned { .. } => "enable versioning on the bucket and wait 15 minutes, or restore beside it".to_owned(),
            Self::Nothing { .. } => "check the spelling; keys are compared byte for byte; where the catalog has lost them, restore from the backup bucket itself: from, or --from-backup".to_owned(),
            Self::NoCatalog { .. } => "restore from the backup bucket itself, which needs no catalog: from, or --from-backup".to_owned(),
            Self::Elsewhere { .. } => "name its region: to.region or --to-region; of a backup from.backup.region or --from-region".to_owned(),
            Self::NoCopies { .. } => "name one of these, or none".to_owned(),
            Self::TooMany { .. } => "restore prefix by prefix".to_owned(),
            Self::Running { run, .. } => format!("wait for it, or follow it: s3-backup restore --follow {run}"),
            Self::TooEarly { .. } => "name a later moment".to_owned(),
            _ => self.name().advice().to_owned(),
        }
    }
}
