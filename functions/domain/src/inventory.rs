//! S3 Inventory reports: what S3 itself has written down of a bucket's versions, as a list to read
//! instead of a listing to ask for.
//!
//! A report is a [`manifest`] and gzip-compressed CSV files of [`rows`] (Amazon S3 User Guide,
//! "Cataloging and analyzing your data with S3 Inventory"). It is a rolling snapshot: what was written
//! or deleted shortly before it began, or while it was made, may be missing or still be there. Whoever
//! acts on a row asks S3 for that version first. No order of the rows is promised.

pub mod location;
pub mod manifest;
pub mod ordered;
pub mod rows;

use serde::{Deserialize, Serialize};

pub use location::Location;
pub use manifest::{Column, DataFile, Manifest};
pub use ordered::{Ordered, Place};
pub use rows::{Listed, Rows};

use crate::error::{ErrorName, Named};

/// Place within a report, to go on from: the same report gives the same rows again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Data file, by its place in the manifest.
    pub file: usize,
    /// Rows of it that have been read.
    pub line: u64,
}

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// What was named is no place in S3.
    #[error("{text:?} is no place of an inventory")]
    Place {
        /// What was given.
        text: String,
    },
    /// There is no complete report.
    #[error("no complete inventory lies under {at}")]
    None {
        /// Where it was looked for.
        at: Location,
    },
    /// A manifest without its checksum, which S3 writes last.
    #[error("{at} has no manifest.checksum beside it: the inventory is not complete")]
    Incomplete {
        /// The manifest.
        at: Location,
    },
    /// The document is no manifest of an inventory.
    #[error("{at} is no manifest of an inventory: {problem}")]
    NotManifest {
        /// The document.
        at: Location,
        /// What is wrong with it.
        problem: String,
    },
    /// The report is of another bucket.
    #[error("{at} is an inventory of {found}, not of {wanted}")]
    Foreign {
        /// The manifest.
        at: Location,
        /// Bucket that it lists.
        found: String,
        /// Bucket that was asked for.
        wanted: String,
    },
    /// The data files are no CSV.
    #[error("{at} lists files of format {format}, only CSV can be read")]
    Format {
        /// The manifest.
        at: Location,
        /// Format of the files.
        format: String,
    },
    /// The rows do not say something that is needed.
    #[error("the inventory of {at} has no column {}", column.as_str())]
    NoColumn {
        /// The manifest.
        at: Location,
        /// The column.
        column: Column,
    },
    /// A data file that the manifest names is not there.
    #[error("the manifest names {at}, which is not there")]
    FileMissing {
        /// The data file.
        at: Location,
    },
    /// Manifest or data file are not what S3 wrote.
    #[error("{at} is damaged: {problem}")]
    Damaged {
        /// The manifest or data file.
        at: Location,
        /// How that shows.
        problem: String,
    },
    /// A row that cannot be understood.
    #[error("line {line} of {at} cannot be understood: {problem}")]
    Line {
        /// The data file.
        at: Location,
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// The rows of a file are not in the order of their keys, and that order is needed.
    #[error("{at} gives {later:?} after {earlier:?}: its keys are not in order")]
    Disorder {
        /// The data file.
        at: Location,
        /// Key that came first.
        earlier: String,
        /// Key that came behind it.
        later: String,
    },
    /// Too many files hold the same stretch of keys to be read side by side.
    #[error("more than {files_max} files of {at} hold keys around {key:?}")]
    Overlap {
        /// The manifest.
        at: Location,
        /// How many can be read side by side.
        files_max: usize,
        /// A key that all of them may hold.
        key: String,
    },
    /// Another report lies where one was begun to be read.
    #[error("{at} is not the inventory any more that this was begun with")]
    Replaced {
        /// The manifest.
        at: Location,
    },
    /// A file could not be read to its end; a repetition may.
    #[error("{at} could not be read to its end: {problem}")]
    BrokeOff {
        /// The data file.
        at: Location,
        /// What happened.
        problem: String,
    },
}

impl Named for InventoryError {
    fn name(&self) -> ErrorName {
        match self {
            Self::Place { .. }
            | Self::None { .. }
            | Self::Incomplete { .. }
            | Self::NotManifest { .. }
            | Self::Foreign { .. }
            | Self::Format { .. }
            | Self::Replaced { .. }
            | Self::NoColumn { .. } => ErrorName::InvalidEvent,
            Self::FileMissing { .. }
            | Self::Damaged { .. }
            | Self::Line { .. }
            | Self::Disorder { .. }
            | Self::Overlap { .. } => ErrorName::SourceUnreadable,
            Self::BrokeOff { .. } => ErrorName::DestinationUnavailable,
        }
    }

    fn advice(&self) -> String {
        let advice = match self {
            Self::Place { .. } => {
                "name s3://bucket/prefix/source-bucket/config-id/ or the manifest.json in one of its dated folders"
            }
            Self::None { .. } => {
                "name the folder that holds the dated ones, prefix/source-bucket/config-id/; the first report takes up to 48 hours"
            }
            Self::Incomplete { .. } => "wait until S3 has written it, or name an earlier one",
            Self::NotManifest { .. } => "name the manifest.json of an S3 Inventory",
            Self::Foreign { .. } => "name an inventory of that bucket",
            Self::Format { .. } => {
                "configure an inventory of output format CSV; the next one comes within a day or a week"
            }
            Self::NoColumn { column, .. } => return column.advice().to_owned(),
            Self::FileMissing { .. } => {
                "name a newer inventory, and keep lifecycle rules off its files; the inventory's own prefix must not end in a slash, or S3 writes other keys than it names"
            }
            Self::Damaged { .. } | Self::Line { .. } => {
                "name another inventory, or do without one: listing reads the bucket itself"
            }
            Self::Disorder { .. } | Self::Overlap { .. } => {
                "do without an inventory: listing gives keys in order"
            }
            Self::Replaced { .. } => "begin anew, with the inventory that is there",
            Self::BrokeOff { .. } => "try again",
        };
        advice.to_owned()
    }
}
