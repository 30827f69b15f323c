//! The rows of all files in the order of their keys.
//!
//! AWS promises no order. In what S3 writes, the keys of a file are in order, and files hold
//! stretches of keys that hardly overlap: so files are opened in the order of their first keys, when the
//! rows have come that far, and merged. A file that is not in order, or too many at once, is an error.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Cursor, InventoryError, Listed, Location, Manifest};

/// Files that are read side by side; each holds some MB.
pub const FILES_MAX: usize = 32;

/// Where the rows go on: small, whatever the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Files that have been opened, in the order of their first keys.
    pub opened: usize,
    /// Those of them that are not over, and their rows that have been given.
    pub open: Vec<Cursor>,
    /// Key of the last row that has been given: none comes before it any more.
    pub last: Option<String>,
}

/// What is needed next, or what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// More rows of a file, from this row on.
    Rows(Cursor),
    /// A row.
    Row(Listed),
    /// All rows have been given.
    End,
}

#[derive(Debug)]
struct Open {
    cursor: Cursor,
    waiting: VecDeque<Listed>,
    newest: Option<String>,
    over: bool,
}

impl Open {
    fn at(cursor: Cursor, newest: Option<String>) -> Self {
        Self {
            cursor,
            waiting: VecDeque::new(),
            newest,
            over: false,
        }
    }
}

/// Merges files, which are fed to it in batches of rows.
#[derive(Debug)]
pub struct Ordered {
    at: Location,
    files: Vec<Location>,
    /// First key and file, in order.
    order: Vec<(String, usize)>,
    opened: usize,
    open: Vec<Open>,
    last: Option<String>,
}

impl Ordered {
    /// Of files with these first keys; a file without rows has none. `prefix` says which keys are
    /// wanted: files that begin behind them are left alone.
    pub fn new(
        manifest: &Manifest,
        first_keys: impl IntoIterator<Item = (usize, String)>,
        prefix: &str,
        from: &Place,
    ) -> Self {
        let open = from.open.iter();
        let open = open.map(|cursor| Open::at(*cursor, from.last.clone()));
        let behind = |key: &str| key > prefix && !key.starts_with(prefix);
        let mut order: Vec<_> = first_keys
            .into_iter()
            .filter(|(_, key)| !behind(key))
            .map(|(file, key)| (key, file))
            .collect();
        order.sort();
        Self {
            at: manifest.at.clone(),
            files: manifest.files.iter().map(|file| file.at.clone()).collect(),
            order,
            opened: from.opened,
            open: open.collect(),
            last: from.last.clone(),
        }
    }

    /// Where a later one goes on, with all rows that have not been given.
    pub fn place(&self) -> Place {
        Place {
            opened: self.opened,
            open: self.open.iter().map(|open| open.cursor).collect(),
            last: self.last.clone(),
        }
    }

    /// The next row, or the rows that must come first.
    ///
    /// # Errors
    /// [`InventoryError::Overlap`].
    pub fn advance(&mut self) -> Result<Next, InventoryError> {
        loop {
            let hungry = |open: &&Open| open.waiting.is_empty() && !open.over;
            if let Some(open) = self.open.iter().find(hungry) {
                return Ok(Next::Rows(open.cursor));
            }
            self.open.retain(|open| !open.waiting.is_empty());
            let heads = self.open.iter().enumerate();
            let heads = heads.filter_map(|(at, open)| Some((&open.waiting.front()?.key, at)));
            let head = heads.min();
            let unopened = self.order.get(self.opened);
            match (head, unopened) {
                (None, None) => return Ok(Next::End),
                (Some((key, at)), unopened) if unopened.is_none_or(|(first, _)| first > key) => {
                    let open = &mut self.open[at];
                    open.cursor.line += 1;
                    let Some(row) = open.waiting.pop_front() else {
                        continue;
                    };
                    self.last = Some(row.key.clone());
                    return Ok(Next::Row(row));
                }
                (_, None) => {}
                (_, Some((_, file))) if self.open.len() < FILES_MAX => {
                    let cursor = Cursor {
                        file: *file,
                        line: 0,
                    };
                    self.open.push(Open::at(cursor, None));
                    self.opened += 1;
                }
                (_, Some((key, _))) => {
                    return Err(InventoryError::Overlap {
                        at: self.at.clone(),
                        files_max: FILES_MAX,
                        key: key.clone(),
                    });
                }
            }
        }
    }

    /// Takes rows of an open file; none say that it is over.
    ///
    /// # Errors
    /// [`InventoryError::Disorder`] where a key comes before one that came already.
    pub fn rows(&mut self, file: usize, rows: Vec<Listed>) -> Result<(), InventoryError> {
        let Some(open) = self.open.iter_mut().find(|open| open.cursor.file == file) else {
            return Ok(());
        };
        open.over = rows.is_empty();
        for row in rows {
            if let Some(earlier) = open.newest.as_ref().filter(|newest| **newest > row.key) {
                return Err(InventoryError::Disorder {
                    at: self.files.get(file).unwrap_or(&self.at).clone(),
                    earlier: earlier.clone(),
                    later: row.key,
                });
            }
            open.newest = Some(row.key.clone());
            open.waiting.push_back(row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::inventory::manifest::tests::{ALL, document, parse};

    fn manifest(files: usize) -> Manifest {
        let files: Vec<_> = (0..files)
            .map(|it| json!({"key": format!("{it}.csv.gz"), "size": 1, "MD5checksum": ""}))
            .collect();
        parse(&document(ALL, &json!(files))).expect("a manifest")
    }

    fn row(key: &str, number: usize) -> Listed {
        Listed {
            key: key.to_owned(),
            version_id: Some(number.to_string()),
            ..Listed::default()
        }
    }

    fn begin(files: &[Vec<Listed>], prefix: &str, from: &Place) -> Ordered {
        let first = files.iter().enumerate();
        let first = first.filter_map(|(file, rows)| Some((file, rows.first()?.key.clone())));
        Ordered::new(&manifest(files.len()), first, prefix, from)
    }

    /// All rows of these files in batches of this size, cut off and resumed every `stretch` rows.
    fn ordered(
        files: &[Vec<Listed>],
        batch: usize,
        stretch: usize,
    ) -> Result<Vec<Listed>, InventoryError> {
        let mut ordered = begin(files, "", &Place::default());
        let mut got = Vec::new();
        // How far each file has been handed over: more than was given.
        let mut handed = std::collections::BTreeMap::new();
        loop {
            match ordered.advance()? {
                Next::End => return Ok(got),
                Next::Row(row) => {
                    got.push(row);
                    if got.len() % stretch == 0 {
                        ordered = begin(files, "", &ordered.place());
                        handed.clear();
                    }
                }
                Next::Rows(Cursor { file, line }) => {
                    let from = *handed
                        .entry(file)
                        .or_insert(usize::try_from(line).expect("small"));
                    let to = (from + batch).min(files[file].len());
                    handed.insert(file, to);
                    ordered.rows(file, files[file][from..to].to_vec())?;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_row_comes_once_in_order_whatever_the_files_and_the_stops(
            files in prop::collection::vec(prop::collection::vec("[a-c+/é]{1,2}", 0..20), 0..6),
            batch in 1_usize..5,
            stretch in 1_usize..9,
        ) {
            let mut number = 0;
            let files: Vec<Vec<_>> = files.into_iter().map(|mut keys| {
                keys.sort();
                keys.into_iter().map(|key| { number += 1; row(&key, number) }).collect()
            }).collect();
            let got = ordered(&files, batch, stretch).expect("in order");
            prop_assert!(got.is_sorted_by_key(|row| &row.key));
            let id = |row: &Listed| row.version_id.clone();
            let (mut got, mut all): (Vec<_>, Vec<_>) =
                (got.iter().map(id).collect(), files.iter().flatten().map(id).collect());
            got.sort();
            all.sort();
            prop_assert_eq!(got, all);
        }
    }

    #[test]
    fn files_in_a_row_are_open_one_at_a_time() {
        let files: Vec<_> = (0..100)
            .map(|it| vec![row(&format!("{it:03}"), it)])
            .collect();
        assert_eq!(ordered(&files, 1, 1000).map(|rows| rows.len()), Ok(100));
    }

    #[test]
    fn too_many_files_of_the_same_keys_are_refused() {
        let wide = |count: usize| -> Vec<_> {
            (0..count)
                .map(|it| vec![row("a", it), row("z", it)])
                .collect()
        };
        assert_eq!(
            ordered(&wide(FILES_MAX), 1, 1000).map(|rows| rows.len()),
            Ok(2 * FILES_MAX)
        );
        let refused = ordered(&wide(FILES_MAX + 1), 1, 1000);
        assert!(
            matches!(&refused, Err(InventoryError::Overlap { key, .. }) if key == "a"),
            "{refused:?}"
        );
    }

    #[test]
    fn a_file_out_of_order_is_refused_by_name() {
        let files = [vec![row("b", 1), row("a", 2)]];
        for (batch, stretch) in [(1, 1000), (2, 1000), (1, 1)] {
            let refused = ordered(&files, batch, stretch).expect_err("disorder");
            assert!(
                refused
                    .to_string()
                    .contains("0.csv.gz gives \"a\" after \"b\""),
                "{refused}"
            );
        }
    }

    #[test]
    fn files_that_begin_behind_the_wanted_keys_are_left_alone() {
        let files = ["a", "b/1", "b/9", "c"].map(|key| vec![row(key, 1)]);
        let mut ordered = begin(&files, "b/", &Place::default());
        assert_eq!(ordered.order.len(), 3, "{ordered:?}");
        assert!(matches!(
            ordered.advance(),
            Ok(Next::Rows(Cursor { file: 0, line: 0 }))
        ));
    }
}
