//! Rows of an inventory, taken together key by key as far as they lie near each other.

use std::collections::BTreeMap;

use super::line::{SLICE_BYTES_MAX, SLICE_VERSIONS_MAX};
use crate::audit::Entry;

/// Rows that are not yet planned.
#[derive(Debug, Default)]
pub struct Held {
    keys: BTreeMap<String, Vec<Entry>>,
    versions: usize,
    /// Bytes of their keys.
    bytes: usize,
    /// The key of the last rows, and how many of the file's last rows are its own.
    last: Option<(String, u64)>,
}

impl Held {
    /// Whether they fill a slice.
    pub const fn is_full(&self) -> bool {
        self.versions >= SLICE_VERSIONS_MAX || self.bytes >= SLICE_BYTES_MAX
    }

    /// A key whose rows go on in another file, or behind rows of other keys that nobody asks for, is two
    /// keys of the plan: what is kept back are the last rows that were read, one behind the other.
    pub fn interrupt(&mut self) {
        self.last = None;
    }

    /// One more row.
    pub fn push(&mut self, key: String, entry: Entry) {
        match &mut self.last {
            Some((last, rows)) if *last == key => *rows += 1,
            last => *last = Some((key.clone(), 1)),
        }
        self.versions += 1;
        self.bytes += key.len();
        self.keys.entry(key).or_default().push(entry);
    }

    /// All but the last key, whose rows may go on; says how many rows that keeps back.
    pub fn take(&mut self, is_end_of_file: bool) -> (BTreeMap<String, Vec<Entry>>, u64) {
        let mut keys = std::mem::take(&mut self.keys);
        let last = self
            .last
            .take()
            .filter(|_| !is_end_of_file && keys.len() > 1);
        (self.versions, self.bytes) = (0, 0);
        let Some((key, rows)) = last else {
            return (keys, 0);
        };
        if let Some(entries) = keys.get_mut(&key) {
            let kept = usize::try_from(rows).unwrap_or(usize::MAX);
            let kept = entries.split_off(entries.len().saturating_sub(kept));
            if entries.is_empty() {
                keys.remove(&key);
            }
            (self.versions, self.bytes) = (kept.len(), kept.len() * key.len());
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

    /// Reads rows as the planner does, with a stop behind some of them: the next run begins anew where
    /// the cursor says.
    fn planned(rows: &[char], stops: &[usize]) -> Vec<(char, usize)> {
        let (mut held, mut line, mut planned) = (Held::default(), 0, vec![]);
        let mut stops = stops.to_vec();
        while line < rows.len() {
            let row = rows[line];
            if row.is_ascii_lowercase() {
                let number = u64::try_from(line).expect("small");
                let entry = Entry {
                    size: number,
                    ..Entry::default()
                };
                held.push(row.to_string(), entry);
            } else {
                held.interrupt();
            }
            line += 1;
            if !stops.contains(&line) && line < rows.len() {
                continue;
            }
            stops.retain(|stop| *stop != line);
            let (keys, kept) = held.take(line == rows.len());
            for (key, entries) in keys {
                let name = key.chars().next().expect("a name");
                let place = |it: &Entry| usize::try_from(it.size).expect("small");
                planned.extend(entries.iter().map(|it| (name, place(it))));
            }
            line -= usize::try_from(kept).expect("small");
            held = Held::default();
        }
        planned.sort_by_key(|(_, line)| *line);
        planned
    }

    #[test]
    fn a_stop_behind_rows_of_another_prefix_loses_no_key() {
        // The key's rows, then rows of keys that nobody asks for, in capitals.
        let rows = ['a', 'b', 'b', 'X', 'Y'];
        let all = [('a', 0), ('b', 1), ('b', 2)];
        for stop in 1..=rows.len() {
            assert_eq!(planned(&rows, &[stop]), all, "{stop}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_planned_once_wherever_planning_stops(
            rows in proptest::collection::vec(proptest::sample::select(vec!['a', 'a', 'b', 'X']), 1..30),
            stops in proptest::collection::vec(1_usize..30, 0..5),
        ) {
            let wanted: Vec<_> = rows
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, row)| row.is_ascii_lowercase())
                .map(|(line, row)| (row, line))
                .collect();
            proptest::prop_assert_eq!(planned(&rows, &stops), wanted);
        }
    }

    #[test]
    fn a_slice_of_one_key_is_not_kept_back_for_ever() {
        let mut one = held(&["a", "a", "a"]);
        let (keys, kept) = one.take(false);
        assert_eq!((kept, keys["a"].len()), (0, 3));
        assert_eq!(one.versions, 0);
    }
}
