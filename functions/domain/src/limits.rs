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
/// Subject of an SNS e-mail, in ASCII characters (Amazon SNS API Reference, "Publish").
pub const SNS_SUBJECT_CHARS_MAX: usize = 100;
/// Value of a standard and of an advanced parameter (AWS Systems Manager User Guide,
/// "Managing parameter tiers").
pub const SSM_STANDARD_BYTES_MAX: usize = 4 * 1024;
/// See [`SSM_STANDARD_BYTES_MAX`].
pub const SSM_ADVANCED_BYTES_MAX: usize = 8 * 1024;
/// Input or output of a state (AWS Step Functions Developer Guide, "Service quotas").
pub const STATE_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(SSM_STANDARD_BYTES_MAX < SSM_ADVANCED_BYTES_MAX);
const _: () = assert!(SSM_ADVANCED_BYTES_MAX < STATE_PAYLOAD_BYTES_MAX);
const _: () = assert!(OBJECT_BYTES_MAX / PART_BYTES_MAX == PARTS_MAX);
const _: () = assert!(COPY_OBJECT_BYTES_MAX == PART_BYTES_MAX);
