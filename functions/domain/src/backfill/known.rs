//! What the catalog knows of a listed version: whether there is anything to do.

use super::line::Version;
use crate::catalog::{RecoveryPoint, Status};
use crate::policy::{Choice, Facts, Policy};
use crate::sequencer;

/// What is to be done with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it has come to its end at every destination; each with the owner of its point.
    Done(Vec<(Status, String)>),
    /// Nothing, and nothing is known: no rule wants it.
    Unwanted,
    /// It goes the way of an event; whether this owner has been at it before.
    Open {
        /// A copy may have been made whose answer nobody has.
        begun: bool,
    },
}

/// Decides over one version. `points` are those of its key, `owner` is who would work on it.
pub fn known(
    version: &Version,
    key: &str,
    points: &[RecoveryPoint],
    policy: &Policy,
    owner: &str,
) -> Known {
    let own: Vec<&RecoveryPoint> = points
        .iter()
        .filter(|point| is_of(point, version))
        .collect();
    let open = || Known::Open {
        begun: own
            .iter()
            .any(|point| point.status == Status::Copying && point.owner == owner),
    };
    let is_done = |destination: &str| {
        let mut at = own.iter().filter(|point| point.destination == destination);
        at.any(|point| is_end(point, version, owner))
    };
    let wanted: Vec<&str> = if version.marker {
        // As Filter does: a deletion concerns the destinations that have versions.
        let versions = points.iter().filter(|it| it.object.deletion.is_none());
        let mut names: Vec<_> = versions.map(|it| it.destination.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    } else {
        let facts = Facts {
            key,
            size: version.size,
            headed: None,
        };
        match policy.choose(facts) {
            Choice::Rule(rule) => rule.destinations.iter().map(String::as_str).collect(),
            Choice::Skip(_) => return Known::Unwanted,
            // The rule that was chosen when it was stored still tells where it goes.
            Choice::HeadFirst { .. } => {
                let chosen = own.first().and_then(|point| {
                    let mut rules = policy.rules.iter();
                    rules.find(|rule| rule.name == point.rule)
                });
                match chosen {
                    Some(rule) => rule.destinations.iter().map(String::as_str).collect(),
                    None => return open(),
                }
            }
        }
    };
    if wanted.is_empty() || !wanted.into_iter().all(is_done) {
        return open();
    }
    let ended = own.iter().filter(|it| is_end(it, version, owner));
    Known::Done(ended.map(|it| (it.status, it.owner.clone())).collect())
}

/// Whether a point is of this version or delete marker.
pub fn is_of(point: &RecoveryPoint, version: &Version) -> bool {
    match &point.object.deletion {
        Some(deletion) => {
            let made = || sequencer::is_of_second(deletion, version.modified);
            version.marker && version.id.as_ref().map_or_else(made, |id| deletion == id)
        }
        None => !version.marker && point.object.in_order().is(&version.in_order()),
    }
}

/// What was recorded as gone or overwritten, and is listed all the same, is there: but for what this
/// owner has found gone itself since it was listed.
fn is_end(point: &RecoveryPoint, version: &Version, owner: &str) -> bool {
    match point.status {
        Status::Copying | Status::Failed => false,
        Status::Gone | Status::Superseded => version.marker || point.owner == owner,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
