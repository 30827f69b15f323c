//! Rows of an inventory, taken together key by key as far as they lie near each other.

use std::collections::BTreeMap;

use crate::audit::Entry;

/// Rows that are not yet planned.
#[derive(Debug, Default)]
pub struct Held {
    keys: BTreeMap<String, Vec<Entry>>,
    versions: usize,
    /// The key of the last rows, and how many of the file's last rows are its own.
    last: Option<(String, u64)>,
}

impl Held {
    /// How many versions are held.
    pub const fn versions(&self) -> usize {
        self.versions
    }

    /// A key whose rows go on in another file is two keys of the plan.
    pub fn end_of_file(&mut self) {
        self.last = None;
    }

    /// One more row.
    pub fn push(&mut self, key: String, entry: Entry) {
        match &mut self.last {
            Some((last, rows)) if *last == key => *rows += 1,
            last => *last = Some((key.clone(), 1)),
        }
        self.versions += 1;
        self.keys.entry(key).or_default().push(entry);
    }

    /// All but the last key, whose rows may go on; says how many rows that keeps back.
    pub fn take(&mut self, is_end_of_file: bool) -> (BTreeMap<String, Vec<Entry>>, u64) {
        let mut keys = std::mem::take(&mut self.keys);
        let last = self
            .last
            .take()
            .filter(|_| !is_end_of_file && keys.len() > 1);
        self.versions = 0;
        let Some((key, rows)) = last else {
            return (keys, 0);
        };
        if let Some(entries) = keys.get_mut(&key) {
            let kept = usize::try_from(rows).unwrap_or(usize::MAX);
            let kept = entries.split_off(entries.len().saturating_sub(kept));
            if entries.is_empty() {
                keys.remove(&key);
            }
            self.versions = kept.len();
            self.keys.insert(key.clone(), kept);
            self.last = Some((key, rows));
        }
        (keys, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(keys: &[&str]) -> Held {
        let mut held = Held::default();
        for key in keys {
            held.push((*key).to_owned(), Entry::default());
        }
        held
    }

    #[test]
    fn a_key_whose_rows_may_go_on_is_kept_back() {
        let mut some = held(&["a", "b", "a", "a"]);
        let (keys, kept) = some.take(false);
        assert_eq!(kept, 2);
        let counts: Vec<_> = keys
            .iter()
            .map(|(key, own)| (key.as_str(), own.len()))
            .collect();
        assert_eq!(counts, [("a", 1), ("b", 1)]);
        assert_eq!((some.versions, some.keys["a"].len()), (2, 2));
        let (keys, kept) = some.take(true);
        assert_eq!((kept, keys["a"].len()), (0, 2));
    }

    #[test]
    fn a_slice_of_one_key_is_not_kept_back_for_ever() {
        let mut one = held(&["a", "a", "a"]);
        let (keys, kept) = one.take(false);
        assert_eq!((kept, keys["a"].len()), (0, 3));
        assert_eq!(one.versions, 0);
    }
}
