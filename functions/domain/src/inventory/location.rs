//! Where a report or one of its files lies.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::InventoryError;

/// Last part of a manifest's key.
const MANIFEST: &str = "manifest.json";

/// A key, or a prefix of keys, in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The key, raw; a prefix ends in a slash, or is empty.
    pub key: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Location {
    /// Reads `s3://bucket/key`: a manifest, or a prefix of dated folders, which gets the slash that
    /// it lacks.
    ///
    /// # Errors
    /// [`InventoryError::Place`].
    ///
    /// # Examples
    /// ```
    /// use backup_domain::inventory::Location;
    /// let at = Location::parse("s3://reports/daily/photos/all")?;
    /// assert_eq!(at.to_string(), "s3://reports/daily/photos/all/");
    /// assert!(!at.is_manifest());
    /// # Ok::<(), backup_domain::inventory::InventoryError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, InventoryError> {
        let named = text
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .filter(|(bucket, _)| is_bucket(bucket));
        let Some((bucket, key)) = named else {
            return Err(InventoryError::Place {
                text: text.to_owned(),
            });
        };
        let mut at = Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        if !at.is_manifest() && !at.key.is_empty() && !at.key.ends_with('/') {
            at.key.push('/');
        }
        Ok(at)
    }

    /// Whether it is one report, not a place of several.
    pub fn is_manifest(&self) -> bool {
        self.key.rsplit('/').next() == Some(MANIFEST)
    }

    /// The manifest in a folder under this prefix.
    #[must_use]
    pub fn manifest_in(&self, folder: &str) -> Self {
        self.beside(format!("{folder}{MANIFEST}"))
    }

    /// The checksum that S3 writes beside a manifest, when everything else is there.
    #[must_use]
    pub fn checksum(&self) -> Self {
        let folder = self.key.strip_suffix(MANIFEST).unwrap_or(&self.key);
        self.beside(format!("{folder}manifest.checksum"))
    }

    /// Another key in the same bucket.
    #[must_use]
    pub fn beside(&self, key: String) -> Self {
        Self {
            bucket: self.bucket.clone(),
            key,
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-._".contains(&it);
    (3..=63).contains(&name.len()) && name.bytes().all(plain)
}

/// Of folders, those with a report's date, the newest first. Their last part is the time at which S3
/// began to look, such as `2016-11-06T21-32Z`.
///
/// ```
/// use backup_domain::inventory::location::dated;
/// let folders = ["c/data/", "c/2026-11-06T21-32Z/", "c/hive/", "c/2026-11-13T00-00Z/"];
/// assert_eq!(dated(folders), ["c/2026-11-13T00-00Z/", "c/2026-11-06T21-32Z/"]);
/// ```
pub fn dated<'a>(folders: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = |folder: &'a str| folder.trim_end_matches('/').rsplit('/').next();
    let mut dated: Vec<_> = folders
        .into_iter()
        .filter(|folder| name(folder).is_some_and(is_date))
        .collect();
    dated.sort_by_key(|folder| std::cmp::Reverse(name(folder)));
    dated
}

fn is_date(name: &str) -> bool {
    let shape = b"dddd-dd-ddTdd-ddZ";
    let fits = |(it, like): (u8, &u8)| match like {
        b'd' => it.is_ascii_digit(),
        like => it == *like,
    };
    name.len() == shape.len() && name.bytes().zip(shape).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_manifest_or_a_prefix() {
        for (text, key, manifest) in [
            ("s3://reports", "", false),
            ("s3://reports/", "", false),
            ("s3://reports/a b+%41", "a b+%41/", false),
            (
                "s3://reports/a/2026-11-06T21-32Z/manifest.json",
                "a/2026-11-06T21-32Z/manifest.json",
                true,
            ),
            ("s3://reports/manifest.json", "manifest.json", true),
            ("s3://reports/manifest.json/", "manifest.json/", false),
        ] {
            let at = Location::parse(text).expect(text);
            assert_eq!(
                (at.key.as_str(), at.is_manifest()),
                (key, manifest),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "reports/a",
            "s3://",
            "s3:///a",
            "s3://a",
            "s3://Big/a",
            "https://reports/a",
            "arn:aws:s3:::reports",
        ] {
            let refused = Location::parse(text);
            assert!(
                matches!(refused, Err(InventoryError::Place { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn the_checksum_lies_beside_its_manifest() {
        let prefix = Location::parse("s3://reports/p").expect("a place");
        let manifest = prefix.manifest_in("p/2026-11-06T21-32Z/");
        assert_eq!(
            manifest.to_string(),
            "s3://reports/p/2026-11-06T21-32Z/manifest.json"
        );
        assert_eq!(
            manifest.checksum().to_string(),
            "s3://reports/p/2026-11-06T21-32Z/manifest.checksum"
        );
    }
}
