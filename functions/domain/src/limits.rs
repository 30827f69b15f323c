//! Every AWS limit that a decision leans on, once, with the page it was read on.

/// One kibibyte in bytes.
pub const KIB: u64 = 1024;
/// One mebibyte in bytes.
pub const MIB: u64 = 1024 * KIB;
/// One gibibyte in bytes.
pub const GIB: u64 = 1024 * MIB;

/// Longest object key, in bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects").
pub const KEY_BYTES_MAX: usize = 1024;
/// Largest object that one CopyObject copies (Amazon S3 API Reference, "CopyObject").
pub const COPY_OBJECT_BYTES_MAX: u64 = 5 * GIB;
/// Smallest part of a multipart upload but the last (Amazon S3 User Guide, "Amazon S3 multipart
/// upload limits").
pub const PART_BYTES_MIN: u64 = 5 * MIB;
/// Largest part, see [`PART_BYTES_MIN`].
pub const PART_BYTES_MAX: u64 = 5 * GIB;
/// Most parts of one upload, see [`PART_BYTES_MIN`].
pub const PARTS_MAX: u64 = 10_000;
/// Largest object: 48.8 TiB, which the guide rounds to 50 TB, see [`PART_BYTES_MIN`].
pub const OBJECT_BYTES_MAX: u64 = PARTS_MAX * PART_BYTES_MAX;
/// Iterations of an inline Map that run at once (AWS Step Functions Developer Guide, "Map state").
pub const MAP_ITERATIONS_MAX: u64 = 40;
/// User metadata of one object: bytes of all names and values together (Amazon S3 User Guide,
/// "Working with object metadata").
pub const USER_METADATA_BYTES_MAX: usize = 2048;
/// Newest noncurrent versions that a lifecycle rule can keep (Amazon S3 API Reference,
/// "NoncurrentVersionExpiration").
pub const NEWER_NONCURRENT_VERSIONS_MAX: u32 = 100;
/// Most days that are taken of a lifecycle rule: a hundred years, the longest that Object Lock
/// takes (Amazon S3 User Guide, "Object Lock considerations").
pub const LIFECYCLE_DAYS_MAX: u32 = 36_500;
/// Days of Object Lock that a policy may ask for: as many as the parameter of the stack's own bucket.
/// S3 itself takes 36,500 (Amazon S3 User Guide, "Object Lock considerations"); nobody takes back a
/// typing error in COMPLIANCE.
pub const LOCK_DAYS_MAX: u32 = 3650;
/// Subject of an SNS e-mail: less than 100 characters (Amazon SNS API Reference, "Publish").
pub const SNS_SUBJECT_CHARS_MAX: usize = 99;
/// Value of a standard and of an advanced parameter (AWS Systems Manager User Guide,
/// "Managing parameter tiers").
pub const SSM_STANDARD_BYTES_MAX: usize = 4 * 1024;
/// See [`SSM_STANDARD_BYTES_MAX`].
pub const SSM_ADVANCED_BYTES_MAX: usize = 8 * 1024;
/// Input or output of a state (AWS Step Functions Developer Guide, "Service quotas").
pub const STATE_PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Cause of a failed execution, state or task, in characters (AWS Step Functions API Reference,
/// "ExecutionFailedEventDetails").
pub const CAUSE_CHARS_MAX: usize = 32_768;
/// An SNS message with its attributes (Amazon SNS API Reference, "Publish").
pub const SNS_MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Destinations of one rule. Ours: what becomes of all of them passes between states in one payload,
/// each with a key that JSON may write at six times its length, and is to stay well below
/// [`STATE_PAYLOAD_BYTES_MAX`]; they are copied side by side, too.
pub const RULE_DESTINATIONS_MAX: usize = 10;
/// Name of a rule or a destination, in bytes. Ours: names are repeated in every outcome and cause.
pub const NAME_BYTES_MAX: usize = 64;
/// Message of a cause, in bytes. Ours: it stands as JSON within JSON within JSON, where each level
/// may double it, and of several destinations in one [`CAUSE_CHARS_MAX`].
pub const CAUSE_MESSAGE_BYTES_MAX: usize = 1024;

// A message that tells of all destinations has room for the name of each and of its error.
const _: () = assert!(CAUSE_MESSAGE_BYTES_MAX / RULE_DESTINATIONS_MAX > NAME_BYTES_MAX + 32);

/// Longest run of an EXPRESS execution, in seconds (AWS Step Functions Developer Guide, "Choosing
/// workflow type in Step Functions").
pub const EXPRESS_SECONDS_MAX: u32 = 300;
/// Longest run of a function, in seconds (AWS Lambda Developer Guide, "Lambda quotas").
pub const LAMBDA_SECONDS_MAX: u32 = 900;
/// Longest that SQS hides a message, in seconds (Amazon SQS API Reference,
/// "ChangeMessageVisibility").
pub const VISIBILITY_SECONDS_MAX: u32 = 43_200;
/// Name of an execution, in characters (AWS Step Functions API Reference, "StartExecution").
pub const EXECUTION_NAME_CHARS_MAX: usize = 80;

/// A storage class that bills more than an object's own bytes and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BilledClass {
    /// Its name.
    pub class: &'static str,
    /// Objects below this size cost more than their bytes.
    pub bytes_min: u64,
    /// Days that every object is billed for at least.
    pub days_min: u32,
    /// How small objects are billed.
    pub charge: &'static str,
}

/// Minimum sizes and times by class (Amazon S3 User Guide, "Understanding and managing Amazon S3
/// storage classes"). The archives bill 32 KB of index and 8 KB of metadata beside each object.
pub const BILLED_CLASSES: &[BilledClass] = &[
    BilledClass {
        class: "STANDARD_IA",
        bytes_min: 128 * KIB,
        days_min: 30,
        charge: "each is billed as 128 KB",
    },
    BilledClass {
        class: "ONEZONE_IA",
        bytes_min: 128 * KIB,
        days_min: 30,
        charge: "each is billed as 128 KB",
    },
    BilledClass {
        class: "GLACIER_IR",
        bytes_min: 128 * KIB,
        days_min: 90,
        charge: "each is billed as 128 KB",
    },
    BilledClass {
        class: "GLACIER",
        bytes_min: 40 * KIB,
        days_min: 90,
        charge: "each is billed with 40 KB beside it",
    },
    BilledClass {
        class: "DEEP_ARCHIVE",
        bytes_min: 40 * KIB,
        days_min: 180,
        charge: "each is billed with 40 KB beside it",
    },
];

const _: () = assert!(SSM_STANDARD_BYTES_MAX < SSM_ADVANCED_BYTES_MAX);
const _: () = assert!(SSM_ADVANCED_BYTES_MAX < STATE_PAYLOAD_BYTES_MAX);
const _: () = assert!(OBJECT_BYTES_MAX / PART_BYTES_MAX == PARTS_MAX);
const _: () = assert!(COPY_OBJECT_BYTES_MAX == PART_BYTES_MAX);
