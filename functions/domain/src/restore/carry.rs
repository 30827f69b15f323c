//! What a restored object carries: all that the backup's copy has, but the marker.

use crate::SourceObject;
use crate::copy::{CopyRequest, Headed, again};
use crate::marker;

/// A CopyObject of a backup version to where it is restored.
///
/// Content headers, user metadata, tags and the checksum's algorithm are those of the copy. A copy
/// whose metadata a header cannot carry has no marker, and is copied as it is.
pub fn request(copy: &SourceObject, headed: &Headed) -> CopyRequest {
    let mut request = again(copy, headed);
    if let Some(metadata) = &mut request.metadata {
        metadata.retain(|name, _| !marker::NAMES.contains(&name.as_str()));
    }
    request
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::task::fixtures::object;

    #[test]
    fn everything_is_carried_but_the_marker() {
        let own = BTreeMap::from([("owner".to_owned(), "finance".to_owned())]);
        let source = object("k", Some("v1"));
        let headed = Headed {
            metadata: marker::with(&own, &source, "p/").expect("fits"),
            ..Headed::default()
        };
        assert!(marker::is_copy(&headed.metadata));
        let request = request(&source, &headed);
        assert_eq!(request.metadata, Some(own));
    }

    #[test]
    fn metadata_that_no_header_carries_is_left_to_s3() {
        let headed = Headed {
            metadata_missing: true,
            ..Headed::default()
        };
        assert_eq!(request(&object("k", None), &headed).metadata, None);
    }
}
