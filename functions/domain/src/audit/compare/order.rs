//! Whether the right copy lies on top.

use super::{Compared, Entry, KeyView, Stray, is_due, of_point_as};
use crate::audit::finding::{Finding, Kind};
use crate::catalog::{RecoveryPoint, Status};
use crate::order::{BackupLatest, Listing, Marked, Step, View, settle};

/// Whether the backup's latest version is the right one, as settling decides it.
pub fn of_order(view: &KeyView<'_>, compared: &mut Compared) {
    let order = as_settled(view);
    let (version, detail) = match settle(&order, 0) {
        Ok(Step::Done) | Err(_) => return,
        Ok(Step::Promote { version, .. }) => {
            let detail = format!("the copy of version {} should lie on top", version.id);
            (Some(version), detail)
        }
        Ok(Step::MarkDeleted) => (
            None,
            "the source shows nothing, the backup an object".into(),
        ),
    };
    // Settling is asked for by an event of the key: any of its points has one.
    let own = |point: &&RecoveryPoint| version.is_none_or(|it| point.object.in_order().is(&it));
    let mut versions = view
        .points
        .iter()
        .filter(|point| point.object.deletion.is_none());
    let settled_by = versions.clone().find(own).or_else(|| versions.next());
    if let Some(point) = settled_by {
        let on_top = view.copies.first().map(|copy| copy.id.clone());
        compared.findings.push(Finding {
            backup_version_id: on_top,
            ..of_point_as(point, Kind::WrongLatest, detail)
        });
    }
}

/// The key as settling sees it.
pub fn as_settled<'a>(view: &KeyView<'a>) -> View<'a> {
    let versions = view.source.iter().filter(|entry| !entry.delete_marker);
    let marker = view
        .source
        .first()
        .is_some_and(|entry| entry.delete_marker && entry.latest);
    let points = view
        .points
        .iter()
        .filter(|point| point.object.deletion.is_none());
    View {
        backup: latest(view),
        points: points.map(RecoveryPoint::in_order).collect(),
        source: Listing {
            versions: versions.map(Entry::in_order).collect(),
            delete_marker: marker,
        },
        deletes: view.deletes,
    }
}

fn latest<'a>(view: &KeyView<'a>) -> BackupLatest<'a> {
    let Some(top) = view.copies.first() else {
        return BackupLatest::Nothing;
    };
    if top.delete_marker {
        return BackupLatest::DeleteMarker;
    }
    let marked = match view.strays.get(&top.id) {
        Some(Stray::Ours {
            version_id,
            sequencer,
            bad: false,
        }) => Some(Marked {
            version_id,
            sequencer,
        }),
        _ => None,
    };
    BackupLatest::Object {
        version_id: &top.id,
        marked,
    }
}

/// Whether nothing of the key is so young that somebody may still be at it.
pub fn is_quiet(view: &KeyView<'_>) -> bool {
    let entries = view.source.iter().chain(view.copies);
    let quiet = |point: &RecoveryPoint| point.status != Status::Copying && is_due(view, point);
    entries.into_iter().all(|it| it.modified < view.due_before) && view.points.iter().all(quiet)
}
