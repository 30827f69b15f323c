//! What a restored object carries: all that the backup's copy has, but the marker.

use crate::SourceObject;
use crate::copy::{ContentHeaders, CopyRequest, Headed, again};
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

/// Whether what is there carries the content headers and user metadata that a restored copy would.
///
/// Metadata that a HEAD cannot show is taken for alike. Tags are not compared: those of a past moment
/// are kept nowhere.
pub fn is_dressed_alike(copy: &Headed, there: &Headed) -> bool {
    let own = |name: &str| !marker::NAMES.contains(&name);
    let metadata = copy.metadata.iter().filter(|(name, _)| own(name));
    let unseen = copy.metadata_missing || there.metadata_missing;
    dress(&copy.headers) == dress(&there.headers) && (unseen || metadata.eq(there.metadata.iter()))
}

/// Headers as S3 answers them: an object that was written without a type has one all the same.
fn dress(headers: &ContentHeaders) -> ContentHeaders {
    let typed = headers.content_type.clone();
    let untyped = |it: &String| {
        !matches!(
            it.as_str(),
            "binary/octet-stream" | "application/octet-stream"
        )
    };
    ContentHeaders {
        content_type: typed.filter(untyped),
        ..headers.clone()
    }
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

    #[test]
    fn other_headers_or_metadata_are_another_dress_and_the_marker_is_none() {
        let own = BTreeMap::from([("owner".to_owned(), "finance".to_owned())]);
        let source = object("k", Some("v1"));
        let typed = |kind: Option<&str>| ContentHeaders {
            content_type: kind.map(str::to_owned),
            ..ContentHeaders::default()
        };
        let copy = Headed {
            metadata: marker::with(&own, &source, "p/").expect("fits"),
            headers: typed(Some("text/csv")),
            ..Headed::default()
        };
        let there = Headed {
            metadata: own,
            headers: typed(Some("text/csv")),
            ..Headed::default()
        };
        assert!(is_dressed_alike(&copy, &there));
        let mut bare = there.clone();
        bare.metadata.clear();
        assert!(!is_dressed_alike(&copy, &bare));
        let unseen = Headed {
            metadata_missing: true,
            ..bare
        };
        assert!(is_dressed_alike(&copy, &unseen));
        let untyped = Headed {
            headers: typed(None),
            ..there.clone()
        };
        assert!(!is_dressed_alike(&copy, &untyped));
        let octets = Headed {
            headers: typed(Some("binary/octet-stream")),
            ..there
        };
        assert!(is_dressed_alike(&octets, &untyped));
        assert!(
            !is_dressed_alike(&copy, &copy.clone()),
            "a marker at the target"
        );
    }
}
