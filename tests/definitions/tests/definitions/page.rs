//! Parts of the documentation that a test writes.

use std::fs;
use std::sync::{Mutex, PoisonError};

use crate::{read, root};

/// Holds what a page says between `<!-- PART: begin -->` and `<!-- PART: end -->` against `text`.
/// `UPDATE_DOCS=1 cargo test -p backup-definitions` writes it.
///
/// # Panics
/// Where the page says something else, or has no such part.
pub fn says(path: &str, part: &str, text: &str) {
    // Two parts of one page, written at once, would lose one.
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let begin = format!("<!-- {part}: begin -->\n");
    let end = format!("<!-- {part}: end -->");
    let page = read(path);
    let (before, rest) = page.split_once(&begin).unwrap();
    let (written, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(
            root().join(path),
            format!("{before}{begin}{text}{end}{after}"),
        )
        .unwrap();
        return;
    }
    assert!(written == text, "{path} should say:\n{text}");
}
