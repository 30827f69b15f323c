//! Copies that no point knows, and those that points know to be bad.

use super::{Compared, Entry, KeyView, Stray, of_entry, of_point_as};
use crate::audit::finding::{Finding, Kind};
use crate::catalog::Status;
use crate::object::NULL_VERSION;
use crate::order::Marked;

/// Adds what is found.
pub fn of_copies(view: &KeyView<'_>, compared: &mut Compared) {
    let bad = |id: &str| {
        view.points
            .iter()
            .find(|it| it.bad.iter().any(|bad| bad == id))
    };
    for copy in view.copies.iter().filter(|copy| !copy.delete_marker) {
        if let Some(point) = bad(&copy.id) {
            let detail = "verification refused it, or it was never verified".to_owned();
            let mut finding = of_point_as(point, Kind::BadVersion, detail);
            finding.backup_version_id = Some(copy.id.clone());
            compared.findings.push(finding);
            continue;
        }
        let finding = match view.strays.get(&copy.id) {
            None | Some(Stray::Gone | Stray::Other) => continue,
            Some(Stray::Foreign) => Finding {
                version_id: None,
                etag: None,
                last_modified: None,
                ..of_entry(view, copy, Kind::Extra, "it carries no marker".to_owned())
            },
            Some(Stray::Ours {
                version_id,
                sequencer,
                bad,
            }) => {
                let marked = Marked {
                    version_id,
                    sequencer,
                };
                let Some(found) = of_marked(view, copy, marked, *bad) else {
                    continue;
                };
                found
            }
        };
        compared.findings.push(Finding {
            backup_version_id: Some(copy.id.clone()),
            size: Some(copy.size),
            ..finding
        });
    }
}

/// What the marker of a copy says that no point knows, where it is ours and not bad.
pub fn mark_of<'a>(view: &KeyView<'a>, copy: &Entry) -> Option<Marked<'a>> {
    match view.strays.get(&copy.id)? {
        Stray::Ours {
            version_id,
            sequencer,
            bad: false,
        } => Some(Marked {
            version_id,
            sequencer,
        }),
        _ => None,
    }
}

/// Whether a copy with this marker is one of what the source lists. All that was ever written without a
/// version id is called `null`: there a point that the marker means decides, else size, and that nothing
/// is copied before it is written.
pub fn is_copy_of(view: &KeyView<'_>, copy: &Entry, marked: Marked<'_>, entry: &Entry) -> bool {
    let version = entry.in_order();
    if version.id != marked.version_id {
        return false;
    }
    if version.id != NULL_VERSION {
        return true;
    }
    let mut points = view.points.iter().map(|point| point.in_order());
    match points.find(|point| point.is_of(&marked)) {
        Some(point) => point.version.is(&version),
        None => copy.size == entry.size && copy.modified.as_second() >= entry.modified.as_second(),
    }
}

/// A copy that says whose it is, and that its point does not know; `None` while its point is open.
fn of_marked(view: &KeyView<'_>, copy: &Entry, marked: Marked<'_>, bad: bool) -> Option<Finding> {
    let point = view
        .points
        .iter()
        .find(|point| point.in_order().is_of(&marked));
    let listed = view
        .source
        .iter()
        .find(|it| !it.delete_marker && is_copy_of(view, copy, marked, it));
    let status = point.map(|point| point.status);
    let kind = match status {
        _ if bad => Kind::BadVersion,
        Some(Status::Stored | Status::Unsettled | Status::Expired) => Kind::Surplus,
        // Its execution is at it, or its failure is a finding already.
        Some(Status::Copying | Status::Failed) => return None,
        _ => Kind::CopyWithoutPoint,
    };
    let detail = "its marker says whose it is".to_owned();
    Some(match (point, listed) {
        (Some(point), Some(_)) => of_point_as(point, kind, detail),
        // What the source no longer has cannot be copied from there.
        (Some(point), None) => Finding {
            last_modified: None,
            ..of_point_as(point, kind, detail)
        },
        (None, Some(entry)) => of_entry(view, entry, kind, detail),
        (None, None) => Finding {
            etag: None,
            last_modified: None,
            version_id: Some(marked.version_id.to_owned()),
            ..of_entry(view, &Entry::default(), kind, detail)
        },
    })
}
