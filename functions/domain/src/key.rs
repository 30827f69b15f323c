//! Keys: where a copy lies in its destination, and how a source is named in a request.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{ErrorName, Named};
use crate::limits::KEY_BYTES_MAX;

/// What stays as it is in `x-amz-copy-source`: the unreserved characters and the slash.
const COPY_SOURCE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Why a copy has no possible key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Prefix and key are over [`KEY_BYTES_MAX`] together.
    #[error("prefix and key are {bytes} bytes together, a key holds {KEY_BYTES_MAX}")]
    TooLong {
        /// Bytes of UTF-8 of both.
        bytes: usize,
    },
}

impl Named for KeyError {
    fn name(&self) -> ErrorName {
        match self {
            Self::TooLong { .. } => ErrorName::KeyTooLong,
        }
    }
}

/// The key of the copy: the destination's prefix, then the source key, byte for byte.
///
/// # Errors
/// [`KeyError::TooLong`] above 1,024 bytes of UTF-8.
pub fn destination_key(prefix: &str, key: &str) -> Result<String, KeyError> {
    let bytes = prefix.len() + key.len();
    if bytes > KEY_BYTES_MAX {
        return Err(KeyError::TooLong { bytes });
    }
    Ok(format!("{prefix}{key}"))
}

/// The value of `x-amz-copy-source`: percent-encoded, slashes kept, the version id at the end.
///
/// `version_id` is absent for a source without versions; its copy is guarded by the ETag instead.
///
/// ```
/// use backup_domain::key::copy_source;
/// assert_eq!(copy_source("b", "a b+%41/é", Some("v1")), "b/a%20b%2B%2541/%C3%A9?versionId=v1");
/// ```
pub fn copy_source(bucket: &str, key: &str, version_id: Option<&str>) -> String {
    let path = format!("{bucket}/{}", encode(key));
    match version_id {
        Some(version) => format!("{path}?versionId={}", encode(version)),
        None => path,
    }
}

/// Percent-encodes all but the unreserved characters and the slash.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, COPY_SOURCE).to_string()
}

/// Reverses [`encode`]; `None` when the bytes are no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys that have broken copiers before, and pairs that look alike.
    const HOSTILE: &[&str] = &[
        "a b",
        "a+b",
        "a%20b",
        "%2B",
        "%",
        "&",
        "?",
        "#",
        "a?versionId=x",
        "\"'",
        "a\nb",
        "🦀",
        "e\u{301}",
        "é",
        "//",
        "/leading",
        "trailing/",
        "../up",
        "a\\b",
        "\u{7f}",
        "\u{2028}",
    ];

    proptest! {
        #[test]
        fn copy_source_decodes_to_the_key(key in "\\PC{1,64}|[a b+%/?#&]{1,12}", version in "[A-Za-z0-9._-]{1,32}") {
            let source = copy_source("bucket", &key, Some(&version));
            let (path, query) = source.split_once('?').expect("one question mark");
            let decoded = decode(path).expect("utf-8");
            prop_assert_eq!(decoded.strip_prefix("bucket/"), Some(key.as_str()));
            let expected = format!("versionId={version}");
            prop_assert_eq!(query, expected.as_str());
            prop_assert!(source.is_ascii());
        }

        #[test]
        fn different_keys_stay_different(a in "[a b+%20B/]{1,6}", b in "[a b+%20B/]{1,6}") {
            prop_assert_eq!(a == b, copy_source("x", &a, None) == copy_source("x", &b, None));
        }

        #[test]
        fn destination_keys_end_with_the_source_key(prefix in "[a-z/]{0,40}", key in "\\PC{1,300}") {
            match destination_key(&prefix, &key) {
                Ok(joined) => {
                    prop_assert!(joined.len() <= KEY_BYTES_MAX);
                    prop_assert_eq!(joined.strip_prefix(prefix.as_str()), Some(key.as_str()));
                }
                Err(KeyError::TooLong { bytes }) => prop_assert!(bytes > KEY_BYTES_MAX),
            }
        }
    }

    #[test]
    fn hostile_keys_round_trip_and_stay_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for key in HOSTILE {
            let encoded = encode(key);
            assert_eq!(decode(&encoded).as_deref(), Some(*key));
            assert!(seen.insert(encoded), "{key:?} looks like another key");
        }
    }

    #[test]
    fn the_longest_key_fits_and_one_byte_more_does_not() {
        let key = "é".repeat(KEY_BYTES_MAX / 2);
        assert_eq!(destination_key("", &key).as_deref(), Ok(key.as_str()));
        assert_eq!(
            destination_key("x", &key),
            Err(KeyError::TooLong { bytes: 1025 })
        );
    }
}
