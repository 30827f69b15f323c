//! Several listings, each in the order of its keys, taken together key by key.

use std::collections::VecDeque;

use super::compare::Entry;
use super::finding::AuditError;

/// All that the listings show of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The key, raw, without any destination's prefix.
    pub key: String,
    /// Its versions and delete markers by listing, the newest first.
    pub sides: Vec<Vec<Entry>>,
}

/// What a merge can say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing before the next page of this listing is there.
    Page(usize),
    /// A key, whole.
    Group(Group),
    /// All listings are over.
    End,
}

#[derive(Debug, Default)]
struct Side {
    bucket: String,
    waiting: VecDeque<(String, Entry)>,
    newest: Option<String>,
    over: bool,
}

/// Merges listings page by page. It holds no more than a page of each, and the versions of one key.
///
/// # Examples
/// ```
/// use backup_domain::audit::merge::{Merge, Next};
/// let mut merge = Merge::new(["source", "backup"]);
/// assert_eq!(merge.advance(), Next::Page(0));
/// merge.page(0, vec![], true)?;
/// merge.page(1, vec![], true)?;
/// assert_eq!(merge.advance(), Next::End);
/// # Ok::<(), backup_domain::audit::finding::AuditError>(())
/// ```
#[derive(Debug, Default)]
pub struct Merge {
    sides: Vec<Side>,
}

impl Merge {
    /// Of listings of these buckets.
    pub fn new<'a>(buckets: impl IntoIterator<Item = &'a str>) -> Self {
        let sides = buckets.into_iter().map(|bucket| Side {
            bucket: bucket.to_owned(),
            ..Side::default()
        });
        Self {
            sides: sides.collect(),
        }
    }

    /// Takes the next page of a listing; `last` says that there are no more.
    ///
    /// # Errors
    /// [`AuditError::Disorder`] where a key comes before one that came already.
    pub fn page(
        &mut self,
        side: usize,
        entries: Vec<(String, Entry)>,
        last: bool,
    ) -> Result<(), AuditError> {
        let side = &mut self.sides[side];
        for (key, entry) in entries {
            if let Some(earlier) = side.newest.as_ref().filter(|newest| **newest > key) {
                return Err(AuditError::Disorder {
                    bucket: side.bucket.clone(),
                    earlier: earlier.clone(),
                    later: key,
                });
            }
            if side.newest.as_ref() != Some(&key) {
                side.newest = Some(key.clone());
            }
            side.waiting.push_back((key, entry));
        }
        side.over = last;
        Ok(())
    }

    /// The next key, or the listing that must go on first.
    pub fn advance(&mut self) -> Next {
        let empty = |side: &Side| side.waiting.is_empty() && !side.over;
        if let Some(side) = self.sides.iter().position(empty) {
            return Next::Page(side);
        }
        let heads = self.sides.iter().filter_map(|side| side.waiting.front());
        let Some(key) = heads.map(|(key, _)| key).min().cloned() else {
            return Next::End;
        };
        // Versions of the key may go on in the next page.
        let unfinished = |side: &Side| !side.over && side.newest.as_ref() == Some(&key);
        if let Some(side) = self.sides.iter().position(unfinished) {
            return Next::Page(side);
        }
        let sides = self.sides.iter_mut().map(|side| {
            let mut own = Vec::new();
            while let Some((_, entry)) = side.waiting.pop_front_if(|(next, _)| *next == key) {
                own.push(entry);
            }
            own.sort_by(|a, b| b.latest.cmp(&a.latest).then(b.modified.cmp(&a.modified)));
            own
        });
        Next::Group(Group {
            sides: sides.collect(),
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(id: usize) -> Entry {
        Entry {
            id: id.to_string(),
            ..Entry::default()
        }
    }

    /// Feeds both listings in pages of these sizes until the end.
    fn merged(sides: &[Vec<(String, Entry)>], pages: &[usize]) -> Result<Vec<Group>, AuditError> {
        let mut merge = Merge::new(sides.iter().map(|_| "b"));
        let mut at = vec![0; sides.len()];
        let mut lengths = pages.iter().cycle();
        let mut groups = Vec::new();
        loop {
            match merge.advance() {
                Next::Page(side) => {
                    let length = *lengths.next().expect("lengths");
                    let end = (at[side] + length).min(sides[side].len());
                    let page = sides[side][at[side]..end].to_vec();
                    at[side] = end;
                    merge.page(side, page, end == sides[side].len())?;
                }
                Next::Group(group) => groups.push(group),
                Next::End => return Ok(groups),
            }
        }
    }

    proptest! {
        #[test]
        fn every_entry_comes_once_with_its_key_whatever_the_pages(
            keys in prop::collection::vec(prop::collection::vec("[a-c+/é]{1,2}", 0..20), 1..4),
            pages in prop::collection::vec(0_usize..5, 1..6).prop_filter("some", |it| it.iter().any(|length| *length > 0)),
        ) {
            let mut number = 0;
            let mut expected: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            let sides: Vec<Vec<_>> = keys.into_iter().map(|mut keys| {
                keys.sort();
                keys.into_iter().map(|key| {
                    number += 1;
                    expected.entry(key.clone()).or_default().push(number);
                    (key, entry(number))
                }).collect()
            }).collect();
            let groups = merged(&sides, &pages).expect("in order");
            let got: Vec<_> = groups.iter().map(|group| {
                let ids = group.sides.iter().flatten().map(|it| it.id.parse::<usize>().expect("a number"));
                (group.key.clone(), ids.collect::<Vec<_>>())
            }).collect();
            prop_assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_listing_out_of_order_is_refused() {
        let side = vec![("b".to_owned(), entry(1)), ("a".to_owned(), entry(2))];
        assert!(matches!(
            merged(&[side], &[5]),
            Err(AuditError::Disorder { .. })
        ));
    }
}
