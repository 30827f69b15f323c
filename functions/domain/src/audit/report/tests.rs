use serde_json::json;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn summary(kinds: &[Kind], cause: Option<Cause>) -> Summary {
    let begun = at("2026-11-25T03:00:00Z");
    let request = Request::parse(&json!({"prefix": "a/"})).expect("a request");
    let mut progress = Progress::new("run-1".into(), request, begun);
    let own = Destination {
        wanted: 3,
        safe: 2,
        copies: 2,
        ..Destination::default()
    };
    progress.totals.destinations.insert("primary".into(), own);
    (progress.totals.versions, progress.totals.points) = (3, 2);
    for (number, kind) in kinds.iter().enumerate() {
        progress.totals.add(&Finding {
            bucket: "source".into(),
            key: format!("a/\u{7}{number}"),
            finding: *kind,
            destination: "primary".into(),
            version_id: Some("v1".into()),
            size: Some(7),
            etag: None,
            last_modified: Some(at("2026-11-24T00:00:00Z")),
            sequencer: None,
            backup_version_id: None,
            detail: String::new(),
        });
    }
    Summary::of(&progress, "reports", 0, cause, at("2026-11-25T04:00:00Z"))
}

#[test]
fn the_heaviest_finding_is_the_verdict() {
    for (kinds, verdict) in [
        (&[][..], Verdict::Whole),
        (&[Kind::Surplus, Kind::Extra], Verdict::Whole),
        (&[Kind::Surplus, Kind::Missing], Verdict::Behind),
        (&[Kind::PointWithoutCopy, Kind::Missing], Verdict::Damaged),
    ] {
        assert_eq!(summary(kinds, None).verdict, verdict, "{kinds:?}");
    }
}

#[test]
fn a_repair_of_more_than_it_starts_says_what_brings_in_the_rest() {
    let remarked = |mendable: u64| {
        let request = Request::parse(&json!({"repair": true})).expect("a request");
        let mut progress = Progress::new("run-1".into(), request, at("2026-11-25T03:00:00Z"));
        let mut own = Destination::default();
        own.findings.insert(Kind::Missing, mendable);
        own.findings.insert(Kind::Surplus, STARTS_MAX);
        progress.totals.destinations.insert("primary".into(), own);
        let remarks = remarks(&progress);
        remarks.iter().any(|it| it.contains("s3-backup backfill"))
    };
    assert!(!remarked(STARTS_MAX));
    assert!(remarked(STARTS_MAX + 1));
}

#[test]
fn a_page_shows_some_of_many_and_says_how_many_there_are() {
    let page = page(&summary(&[Kind::Missing; 14], None));
    assert!(page.starts_with("# Audit run-1: behind\n"), "{page}");
    assert!(
        page.contains("## missing: 14") && page.contains("- and 4 more"),
        "{page}"
    );
    assert!(
        page.contains("| primary | 3 (0 B) | 2 (0 B) | 14 (98 B, oldest 2026-11-24T00:00:00Z)"),
        "{page}"
    );
    assert!(page.is_ascii() && !page.contains('\u{7}'), "{page}");
}

#[test]
fn an_audit_without_an_end_says_why_and_has_no_verdict() {
    let cause = Cause {
        error: "AccessDenied".into(),
        object: None,
        destination: None,
        message: "ListObjectVersions on backup".into(),
        advice: "grant it".into(),
        side: None,
    };
    let summary = summary(&[Kind::Missing], Some(cause));
    assert_eq!(summary.verdict, Verdict::Unfinished);
    let message = message(&summary);
    assert_eq!(message.subject, "s3-backup audit: unfinished");
    for text in [page(&summary), message.text] {
        assert!(
            text.contains("AccessDenied") && text.contains("Next: grant it"),
            "{text}"
        );
    }
}

#[test]
fn metrics_tell_weights_apart_and_how_old_what_is_missing_is() {
    let summary = summary(&[Kind::Missing, Kind::Extra, Kind::SizeDiffers], None);
    let own = &summary.totals.destinations["primary"];
    let metrics: std::collections::BTreeMap<_, _> =
        metrics(own, summary.ended).into_iter().collect();
    let whole = |name: &str| metrics[name].round().to_string();
    assert_eq!(whole("AuditBehind"), "1");
    assert_eq!(whole("AuditDamaged"), "1");
    assert_eq!(whole("AuditNotes"), "1");
    assert_eq!(whole("AuditBytesBehind"), "7");
    assert_eq!(whole("AuditOldestBehindSeconds"), (28 * 3600).to_string());
}
