//! One range of a listing, read page by page: whole keys come out, each with all of its versions.

use super::ranges::Range;
use super::request::BackfillError;
use crate::audit::Entry;

/// A key with all of its versions and delete markers, the newest first.
pub type Group = (String, Vec<Entry>);

/// Reads one range.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// What is not yet handed out: its beginning is the last key that was.
    range: Range,
    /// A key whose versions may go on in the next page.
    waiting: Option<Group>,
}

/// What asking behind the middle of a range leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halved {
    /// There are keys behind it: the lower part, and the upper one.
    Cut(Range, Range),
    /// There are none: all is before it.
    Narrowed(Range),
}

/// What a range is after a question behind `half`; `found` is the first key there.
pub fn halved(range: Range, half: &str, found: Option<&str>) -> Halved {
    let (lower, upper) = range.cut(half);
    if found.is_some_and(|key| upper.has(key)) {
        Halved::Cut(lower, upper)
    } else {
        Halved::Narrowed(lower)
    }
}

impl Reader {
    /// Of a range of which nothing is handed out.
    pub fn new(range: Range) -> Self {
        Self {
            range,
            waiting: None,
        }
    }

    /// What is not yet handed out.
    pub fn left(&self) -> &Range {
        &self.range
    }

    /// Takes a page and hands out the keys that are whole; says whether there may be more. `last` says
    /// that the listing is over.
    ///
    /// # Errors
    /// [`BackfillError::Unusable`] where a key comes behind one that it should come before.
    pub fn page(
        &mut self,
        bucket: &str,
        entries: Vec<(String, Entry)>,
        last: bool,
    ) -> Result<(Vec<Group>, bool), BackfillError> {
        let (mut groups, mut over) = (Vec::new(), last);
        for (key, entry) in entries {
            if self.range.is_over(&key) {
                over = true;
                break;
            }
            if let Some((waiting, own)) = &mut self.waiting
                && *waiting == key
            {
                own.push(entry);
                continue;
            }
            let before = self.waiting.as_ref().map_or("", |(key, _)| key.as_str());
            let before = before.max(self.range.after.as_str());
            if key.as_str() <= before {
                return Err(BackfillError::Unusable {
                    what: format!("the listing of {bucket}"),
                    problem: format!("{key:?} came behind {before:?}"),
                });
            }
            let whole = self.waiting.replace((key, vec![entry]));
            self.hand_out(whole, &mut groups);
        }
        if over {
            let whole = self.waiting.take();
            self.hand_out(whole, &mut groups);
        }
        Ok((groups, !over))
    }

    fn hand_out(&mut self, whole: Option<Group>, groups: &mut Vec<Group>) {
        if let Some((key, mut entries)) = whole {
            // Versions and delete markers are two lists, each the newest first.
            entries.sort_by(|a, b| b.latest.cmp(&a.latest).then(b.modified.cmp(&a.modified)));
            self.range.after.clone_from(&key);
            groups.push((key, entries));
        }
    }

    /// What the next pages are about, where the last one ended at `read`.
    pub fn unread(&self, read: Option<&str>) -> Range {
        Range {
            after: read.unwrap_or(&self.range.after).to_owned(),
            until: self.range.until.clone(),
        }
    }

    /// Leaves what lies behind this key to another reader.
    pub fn end_at(&mut self, until: Option<String>) {
        self.range.until = until;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::ranges::middle;
    use super::*;

    type Store = BTreeMap<String, usize>;
    /// Behind a key, or within its versions.
    type From = (String, Option<usize>);
    type Page = (Vec<(String, Entry)>, Option<From>);

    /// As S3 lists.
    fn list(store: &Store, from: Option<&From>, page: usize) -> Page {
        let all = store
            .iter()
            .flat_map(|(key, versions)| (0..*versions).map(move |number| (key.clone(), number)));
        let mut rest = all.filter(|(key, number)| match from {
            None => true,
            Some((after, None)) => key > after,
            Some((after, Some(within))) => key > after || key == after && number > within,
        });
        let some: Vec<_> = rest.by_ref().take(page).collect();
        let next = rest.next().and_then(|_| some.last().cloned());
        let entries = some.into_iter().map(|(key, number)| {
            let entry = Entry {
                id: number.to_string(),
                latest: number == 0,
                ..Entry::default()
            };
            (key, entry)
        });
        (
            entries.collect(),
            next.map(|(key, number)| (key, Some(number))),
        )
    }

    /// Reads everything by several readers, in cuts as the planner makes them, and begins anew from what
    /// is left after every `stop` rounds, as a planner that is cut off does.
    fn read_all(store: &Store, page: usize, at_once: usize, stop: usize) -> Vec<Group> {
        let mut left = vec![Range::default()];
        let mut found = Vec::new();
        while !left.is_empty() {
            let start = |range: Range| {
                let from = (!range.after.is_empty()).then(|| (range.after.clone(), None));
                (Reader::new(range), from)
            };
            let mut open: Vec<_> = left.drain(..).map(start).collect();
            for _ in 0..stop {
                let mut more = Vec::new();
                for (mut reader, from) in open {
                    let (entries, next) = list(store, from.as_ref(), page);
                    let (groups, goes_on) =
                        reader.page("b", entries, next.is_none()).expect("in order");
                    found.extend(groups);
                    if goes_on {
                        more.push((reader, next));
                    }
                }
                open = more;
                for number in 0..open.len() {
                    if open.len() >= at_once {
                        break;
                    }
                    let (reader, from) = &mut open[number];
                    let range = reader.unread(from.as_ref().map(|(key, _)| key.as_str()));
                    let Some(half) = middle(&range, "") else {
                        continue;
                    };
                    let behind = store.range::<String, _>((
                        std::ops::Bound::Excluded(half.clone()),
                        std::ops::Bound::Unbounded,
                    ));
                    let first = behind.map(|(key, _)| key.as_str()).next();
                    match halved(range, &half, first) {
                        Halved::Narrowed(lower) => reader.end_at(lower.until),
                        Halved::Cut(lower, upper) => {
                            reader.end_at(lower.until);
                            open.push(start(upper));
                        }
                    }
                }
            }
            left = open
                .iter()
                .map(|(reader, _)| reader.left().clone())
                .collect();
        }
        found
    }

    proptest! {
        #[test]
        fn every_version_is_read_exactly_once_however_it_is_cut_and_cut_off(
            keys in prop::collection::btree_map("[ab/+%é🦀 ]{1,5}", 1_usize..4, 0..50),
            page in 4_usize..9, at_once in 1_usize..6, stop in 1_usize..9,
        ) {
            let found = read_all(&keys, page, at_once, stop);
            let mut seen = Store::new();
            for (key, entries) in found {
                let ids: Vec<_> = entries.iter().map(|entry| entry.id.clone()).collect();
                let all: Vec<_> = (0..keys[&key]).map(|number| number.to_string()).collect();
                prop_assert_eq!(ids, all, "{:?}: whole, the newest first", &key);
                prop_assert!(seen.insert(key.clone(), entries.len()).is_none(), "{key:?} twice");
            }
            prop_assert_eq!(seen, keys);
        }
    }

    #[test]
    fn a_listing_that_goes_back_is_refused() {
        let mut reader = Reader::new(Range::default());
        let entries = ["b", "a"].map(|key| (key.to_owned(), Entry::default()));
        let refused = reader.page("source", entries.to_vec(), true);
        assert!(
            matches!(refused, Err(BackfillError::Unusable { .. })),
            "{refused:?}"
        );
    }
}
