//! Feeding what an audit found to the backup: the events that would have come, under names that are
//! taken once a day.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::finding::{Finding, Kind};
use crate::event::Redrive;
use crate::object::NULL_VERSION;
use crate::sequencer;
use crate::watch::{restart_input, restart_name};

/// Executions that one repair starts: each is a STANDARD one, at some $0.0002 and without a pace. A backfill
/// brings in any number at a bounded one.
pub const STARTS_MAX: u64 = 5000;

/// Whether the backup can mend findings of a kind, and whether by settling alone.
pub const fn mends(kind: Kind) -> Option<bool> {
    match kind {
        Kind::Missing | Kind::Failed | Kind::CopyWithoutPoint => Some(false),
        Kind::WrongLatest | Kind::Unsettled => Some(true),
        _ => None,
    }
}

/// An execution to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name: the same for the same version, destination and UTC day.
    pub name: String,
    /// Its input.
    pub input: String,
}

/// The execution that mends a finding; `None` where the backup cannot mend it by itself.
pub fn start_of(finding: &Finding, account: &str, region: &str, now: Timestamp) -> Option<Start> {
    let settle = mends(finding.finding)?;
    // What the source no longer has cannot be copied from there.
    let (modified, etag) = (finding.last_modified?, finding.etag.as_ref()?);
    let version_id = finding.version_id.as_deref();
    let day = now.to_string();
    let day = day.split('T').next().unwrap_or_default();
    let subject = [
        "audit",
        &finding.bucket,
        &finding.key,
        version_id.unwrap_or(NULL_VERSION),
        etag,
        &finding.destination,
        finding.finding.as_str(),
        day,
    ];
    let name = restart_name(&subject, 0).replacen("sweep-", "audit-", 1);
    let sequencer = finding
        .sequencer
        .clone()
        .unwrap_or_else(|| sequencer::of_second(modified, 0));
    let mut object = json!({
        "key": finding.key, "size": finding.size.unwrap_or_default(), "etag": etag,
        "sequencer": sequencer,
    });
    if let Some(version_id) = version_id.filter(|id| *id != NULL_VERSION) {
        object["version-id"] = json!(version_id);
    }
    let event: Value = json!({
        "version": "0", "id": name, "detail-type": "Object Created", "source": "aws.s3",
        "account": account, "time": modified, "region": region,
        "detail": {"bucket": {"name": finding.bucket}, "object": object, "reason": "audit"},
    });
    let redrive = Redrive {
        destinations: vec![finding.destination.clone()],
        owner: None,
        attempt: 1,
        waits: 0,
        settle,
        owed_after: None,
    };
    Some(Start {
        input: restart_input(event, &redrive),
        name,
    })
}

/// The backup version that a finding says has expired: its point in the catalog is to say so too.
pub fn expiry_of(finding: &Finding) -> Option<&str> {
    let expired = finding.finding == Kind::Expired;
    finding.backup_version_id.as_deref().filter(|_| expired)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: Kind) -> Finding {
        Finding {
            bucket: "source".into(),
            key: "a b/é".into(),
            finding: kind,
            destination: "primary".into(),
            version_id: Some("v1".into()),
            size: Some(5),
            etag: Some("e".into()),
            last_modified: Some("2026-11-01T00:00:00Z".parse().expect("a time")),
            sequencer: None,
            backup_version_id: None,
            detail: String::new(),
        }
    }

    fn start(finding: &Finding, now: &str) -> Option<Start> {
        start_of(
            finding,
            "111122223333",
            "eu-west-1",
            now.parse().expect("a time"),
        )
    }

    #[test]
    fn what_is_started_is_an_event_that_the_filter_understands() {
        let start = start(&finding(Kind::Missing), "2026-11-20T10:00:00Z").expect("a start");
        assert!(start.name.starts_with("audit-") && start.name.len() <= 80);
        let input: Value = serde_json::from_str(&start.input).expect("JSON");
        let event = crate::event::parse(&input, &["source".to_owned()]).expect("an event");
        assert_eq!(event.key, "a b/é");
        assert_eq!(event.version_id.as_deref(), Some("v1"));
        let redrive = event.redrive.expect("limited to the destination");
        assert_eq!(redrive.destinations, ["primary"]);
        assert!(!redrive.settle);
    }

    #[test]
    fn one_name_a_day_and_another_for_everything_else() {
        let missing = finding(Kind::Missing);
        let name = |finding: &Finding, now| start(finding, now).expect("a start").name;
        let today = name(&missing, "2026-11-20T10:00:00Z");
        assert_eq!(today, name(&missing, "2026-11-20T23:59:59Z"));
        assert_ne!(today, name(&missing, "2026-11-21T00:00:00Z"));
        let mut other = missing.clone();
        other.destination = "second".into();
        assert_ne!(today, name(&other, "2026-11-20T10:00:00Z"));
    }

    #[test]
    fn only_what_the_backup_can_mend_is_started() {
        for kind in Kind::ALL {
            let mends = matches!(
                kind,
                Kind::Missing
                    | Kind::Failed
                    | Kind::CopyWithoutPoint
                    | Kind::WrongLatest
                    | Kind::Unsettled
            );
            assert_eq!(
                start(&finding(*kind), "2026-11-20T10:00:00Z").is_some(),
                mends,
                "{kind:?}"
            );
        }
        let mut lost = finding(Kind::CopyWithoutPoint);
        lost.last_modified = None;
        assert_eq!(start(&lost, "2026-11-20T10:00:00Z"), None);
    }
}
