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
        There::Different { .. } if mode.overwrites() => Decided::Cover,
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
    fn only_what_came_later_is_hidden() {
        assert_eq!(hide(None, at(5)), Hiding::Done);
        assert_eq!(hide(Some(at(6)), at(5)), Hiding::Hide);
        assert!(matches!(hide(Some(at(5)), at(5)), Hiding::Conflict(_)));
    }
}
