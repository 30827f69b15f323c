//! What is done about what lies at the target already.

use jiff::Timestamp;

use super::request::Mode;

/// What lies at the key to restore to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    /// Nothing, or a delete marker.
    Nothing,
    /// The very content that would be restored.
    Same,
    /// The very content, under other headers or user metadata.
    Redressed {
        /// When it was written.
        modified: Timestamp,
    },
    /// Something else.
    Different {
        /// When it was written.
        modified: Timestamp,
    },
}

/// What to do with a version to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Copy it, only if there is still nothing.
    Copy,
    /// Copy it on top of what differs.
    Cover,
    /// It is there: an earlier try has restored it, or it never changed.
    Done,
    /// Leave what is there, and say so.
    Conflict(String),
}

/// Decides for one version.
///
/// Content that is there already is never copied again, which makes a restore that was cut off one
/// that goes on.
pub fn decide(there: There, mode: Mode, at: Timestamp) -> Decided {
    match there {
        There::Nothing => Decided::Copy,
        There::Same => Decided::Done,
        There::Different { .. } | There::Redressed { .. } if mode.overwrites() => Decided::Cover,
        There::Redressed { modified } => Decided::Conflict(format!(
            "what is there is of {modified}, with the content and other headers or metadata"
        )),
        There::Different { modified } if is_later(modified, at) => Decided::Conflict(format!(
            "what is there is of {modified}, newer than the moment"
        )),
        There::Different { modified } => {
            Decided::Conflict(format!("what is there is of {modified}, and differs"))
        }
    }
}

/// What to do with a key that did not exist at the moment of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hiding {
    /// Put a delete marker on top.
    Hide,
    /// Nothing is there, or a delete marker.
    Done,
    /// Leave what is there: it is no newer than the moment, so that the catalog is wrong about it.
    Conflict(String),
}

/// Decides for a key that is to be hidden; `modified` is of the latest version that is there.
pub fn hide(modified: Option<Timestamp>, at: Timestamp) -> Hiding {
    match modified {
        None => Hiding::Done,
        Some(modified) if is_later(modified, at) => Hiding::Hide,
        Some(modified) => Hiding::Conflict(format!(
            "what is there is of {modified}, not newer than the moment, though the backup has no version of then"
        )),
    }
}

/// A version or delete marker that lies at the source, as its listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Version id.
    pub version_id: String,
    /// When it was written.
    pub modified: Timestamp,
    /// Whether it is a delete marker.
    pub is_marker: bool,
    /// Whether the backup has heard of it: then what it says of the moment holds.
    pub is_known: bool,
}

/// The version that the source itself shows as the latest of the moment though the backup has never
/// heard of it, as of one that is older than the backup: then the key was there, and is not to be
/// hidden. `listed` is all that lies under the key, the newest first.
pub fn never_backed_up(listed: &[Listed], at: Timestamp) -> Option<&Listed> {
    let then = listed.iter().filter(|it| !is_later(it.modified, at));
    // Of several of one second the first in the listing is the newest.
    let latest = then.min_by_key(|it| std::cmp::Reverse(it.modified.as_second()))?;
    Some(latest).filter(|it| !it.is_marker && !it.is_known)
}

/// Whether something was written after the second of the moment.
fn is_later(modified: Timestamp, at: Timestamp) -> bool {
    modified.as_second() > at.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn nothing_that_differs_is_covered_unless_told_so() {
        for mode in [Mode::Beside, Mode::InPlace, Mode::Overwrite, Mode::Rollback] {
            assert_eq!(decide(There::Nothing, mode, at(5)), Decided::Copy);
            assert_eq!(decide(There::Same, mode, at(5)), Decided::Done);
            let redressed = decide(There::Redressed { modified: at(6) }, mode, at(5));
            assert_eq!(redressed == Decided::Cover, mode.overwrites(), "{mode:?}");
            for (modified, said) in [(6, "newer"), (5, "differs"), (4, "differs")] {
                let there = There::Different {
                    modified: at(modified),
                };
                match decide(there, mode, at(5)) {
                    Decided::Cover => assert!(mode.overwrites(), "{mode:?}"),
                    Decided::Conflict(why) => {
                        assert!(!mode.overwrites() && why.contains(said), "{mode:?} {why}");
                    }
                    other => panic!("{mode:?}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_the_source_alone_knows_of_the_moment_is_not_hidden() {
        let entry = |id: &str, second, is_marker, is_known| Listed {
            version_id: id.to_owned(),
            modified: at(second),
            is_marker,
            is_known,
        };
        let found = |listed: &[Listed], second| {
            never_backed_up(listed, at(second)).map(|it| it.version_id.clone())
        };
        let old = entry("old", 1, false, false);
        let later = entry("later", 9, false, true);
        let both = [later.clone(), old.clone()];
        assert_eq!(found(&both, 5).as_deref(), Some("old"));
        assert_eq!(found(&both, 0), None, "it was not written yet");
        assert_eq!(found(&both, 9), None, "the later one hides it");
        let deleted = [later.clone(), entry("m", 3, true, false), old.clone()];
        assert_eq!(found(&deleted, 5), None, "it was deleted by then");
        assert_eq!(found(&deleted, 2).as_deref(), Some("old"));
        let known = [later, entry("known", 4, false, true), old.clone()];
        assert_eq!(found(&known, 5), None, "the catalog knows of one above it");
        let same = [entry("m", 1, true, false), old];
        assert_eq!(found(&same, 1), None, "the listing has the marker first");
    }

    #[test]
    fn only_what_came_later_is_hidden() {
        assert_eq!(hide(None, at(5)), Hiding::Done);
        assert_eq!(hide(Some(at(6)), at(5)), Hiding::Hide);
        assert!(matches!(hide(Some(at(5)), at(5)), Hiding::Conflict(_)));
    }
}
