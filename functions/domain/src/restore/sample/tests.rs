use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalog::Status;
use crate::restore::moment::tests::point;
use crate::task::fixtures::object;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn sample(objects: u32, seed: &str) -> Sample {
    Sample {
        objects,
        seed: seed.to_owned(),
        ..Sample::default()
    }
}

/// So many versions of a key at a destination, a second apart.
fn points(key: &str, destination: &str, versions: i64) -> Vec<RecoveryPoint> {
    let version = |number: i64| {
        let mut version = object(key, Some(&format!("v{number}")));
        version.last_modified = Some(at(100 + number));
        version.sequencer = format!("{number:08X}");
        point(destination, version, Status::Stored)
    };
    (0..versions).map(version).collect()
}

fn candidate(key: &str, destination: &str, bytes: u64) -> Candidate {
    Candidate {
        pk: format!("source/{key}"),
        points: vec![],
        at: at(0),
        destination: destination.to_owned(),
        bytes,
        in_parts: false,
        is_old: false,
    }
}

fn names(chosen: &[Candidate]) -> Vec<&str> {
    chosen.iter().map(|it| it.pk.as_str()).collect()
}

#[test]
fn a_sample_has_good_defaults_and_bounds() {
    let parsed = Sample::parse(&json!({"sample": {}})).expect("a sample");
    assert_eq!(parsed, Sample::default());
    for (input, said) in [
        (
            json!({"sample": {"objects": 0}}),
            "sample.objects cannot be 0",
        ),
        (
            json!({"sample": {"objects": 10_001}}),
            "sample.objects cannot be 10001",
        ),
        (json!({"sample": {"bytes": 0}}), "sample.bytes cannot be 0"),
        (json!({"sample": {"percent": 1}}), "unknown field"),
        (
            json!({"sample": {}, "to": {"bucket": "source"}}),
            "unknown field",
        ),
        (json!({"sample": 100}), "no restore"),
    ] {
        let problem = Sample::parse(&input).expect_err("refused").to_string();
        assert!(problem.contains(said), "{input}: {problem}");
    }
}

#[test]
fn a_drill_goes_to_the_scratch_bucket_and_is_refused_anywhere_near_source_and_backup() {
    use super::super::request::{Deployed, check};
    let now = at(1_000_000);
    let checked = |scratch: &str| {
        let request = sample(1, "").request("run-1", scratch, now);
        assert_eq!((request.to.prefix.len(), request.mode), (9, Mode::Beside));
        let other = sample(1, "").request("run-2", scratch, now);
        assert_ne!(request.to.prefix, other.to.prefix);
        assert_eq!(
            request.sample.as_ref().map(|it| it.seed.as_str()),
            Some("run-1")
        );
        let deployed = Deployed {
            source: "source",
            backups: &["backup".to_owned()],
            targets: &[scratch.to_owned()],
        };
        check(&request, &deployed, now)
    };
    assert_eq!(checked("scratch"), Ok(()));
    assert!(matches!(
        checked("source"),
        Err(RequestError::IsSource { .. })
    ));
    assert!(matches!(
        checked("backup"),
        Err(RequestError::IsBackup { .. })
    ));
}

#[test]
fn versions_that_have_no_readable_copy_are_no_candidates() {
    let now = at(1_000_000);
    let own = sample(1, "s");
    let mut all = points("k", "primary", 2);
    all[0].status = Status::Failed;
    all[1].backup.as_mut().expect("a copy").storage_class = Some("GLACIER".to_owned());
    assert_eq!(own.candidate(all.clone(), now), None);
    let archived = Sample {
        archived: true,
        ..own.clone()
    };
    assert_eq!(
        archived.candidate(all.clone(), now).map(|it| it.at),
        Some(at(101))
    );
    all[1].backup.as_mut().expect("a copy").storage_class = Some("GLACIER_IR".to_owned());
    assert!(own.candidate(all.clone(), now).is_some());
    all[1].bad = vec!["copy-of-v1".to_owned()];
    assert_eq!(own.candidate(all, now), None, "verification refused it");
    assert_eq!(own.candidate(vec![], now), None);
    let longest = |bytes| own.candidate(points(&"k".repeat(bytes), "primary", 1), now);
    assert!(longest(1015).is_some());
    assert_eq!(
        longest(1016),
        None,
        "its key would be too long in the scratch bucket"
    );
}

proptest! {
    /// Whatever is chosen of a key, the replay of the catalog says that it was the latest then.
    #[test]
    fn a_candidate_was_the_latest_at_its_moment(versions in 1i64..9, seed in "[a-z]{1,8}") {
        let mut all = points("k", "primary", versions);
        all.extend(points("k", "second", versions));
        let found = sample(1, &seed).candidate(all.clone(), at(1_000_000)).expect("one");
        let AtMoment::Offered { point, .. } = at_moment(&all, found.at, Some(&found.destination)) else {
            panic!("not offered");
        };
        prop_assert_eq!(&point.destination, &found.destination);
        prop_assert_eq!(found.is_old, found.at != at(100 + versions - 1));
    }

    #[test]
    fn a_choice_is_the_same_for_the_same_catalog_and_keeps_its_bounds(
        sizes in prop::collection::vec(0u64..100, 0..80),
        objects in 1u32..40,
        bytes in 1u64..2000,
        seed in "[a-z]{0,8}",
        turn in 0usize..80,
    ) {
        let mut all: Vec<_> = sizes.iter().enumerate()
            .map(|(number, size)| candidate(&format!("k{number}"), "primary", *size)).collect();
        let own = Sample { bytes, ..sample(objects, &seed) };
        let chosen = own.choose(all.clone());
        let turned = turn % all.len().max(1);
        all.rotate_left(turned);
        all.extend(all.clone());
        let again = own.choose(all);
        prop_assert_eq!(names(&again), names(&chosen));
        let together: u64 = chosen.iter().map(|it| it.bytes).sum();
        prop_assert!(chosen.len() <= objects as usize && together <= bytes);
        let distinct: BTreeSet<_> = names(&chosen).into_iter().collect();
        prop_assert_eq!(distinct.len(), chosen.len());
        // As many as asked for, unless their bytes are too many.
        if sizes.iter().sum::<u64>() <= bytes {
            prop_assert_eq!(chosen.len(), sizes.len().min(objects as usize));
        }
    }

    #[test]
    fn a_choice_is_spread_over_the_key_space_and_over_destinations(seed in "[a-z0-9-]{1,20}") {
        let of = |number: usize| {
            let destination = if number % 400 == 7 { "rare" } else { "usual" };
            candidate(&format!("{}/object {number:04}", number % 10), destination, 1)
        };
        let all: Vec<_> = (0..1000).map(of).collect();
        let chosen = sample(200, &seed).choose(all);
        prop_assert_eq!(chosen.len(), 200);
        let prefixes: BTreeSet<_> = chosen.iter().map(|it| &it.pk[..8]).collect();
        prop_assert_eq!(prefixes.len(), 10, "a thousand keys below ten prefixes, a fifth chosen");
        prop_assert!(chosen.iter().any(|it| it.destination == "rare"));
    }

    #[test]
    fn one_in_parts_and_an_old_version_are_among_the_chosen_where_there_are_such(
        seed in "[a-z]{1,8}", parted in 0usize..50, old in 0usize..50,
    ) {
        let mut all: Vec<_> = (0..50).map(|it| candidate(&format!("k{it}"), "primary", 10)).collect();
        all[parted].in_parts = true;
        all[old].is_old = true;
        // Too large for any drill: never taken, whatever it is.
        all.push(Candidate { in_parts: true, is_old: true, ..candidate("huge", "primary", u64::MAX) });
        let chosen = sample(2, &seed).choose(all);
        prop_assert!(chosen.iter().any(|it| it.in_parts) && chosen.iter().any(|it| it.is_old));
    }

    #[test]
    fn segments_are_distinct_within_their_number_and_another_seed_takes_others(
        of in 1u32..2000, count in 0usize..100, seed in "[a-z]{1,8}",
    ) {
        let own = sample(1, &seed).segments(of, count);
        let distinct: BTreeSet<_> = own.iter().collect();
        prop_assert_eq!(distinct.len(), own.len());
        prop_assert_eq!(own.len(), count.min(of as usize));
        prop_assert!(own.iter().all(|it| *it < of));
        prop_assert_eq!(&own, &sample(9, &seed).segments(of, count));
    }
}

#[test]
fn another_seed_is_another_sample() {
    let all: Vec<_> = (0..500)
        .map(|it| candidate(&format!("k{it}"), "primary", 1))
        .collect();
    let chosen = |seed: &str| -> BTreeSet<String> {
        let chosen = sample(50, seed).choose(all.clone());
        chosen.into_iter().map(|it| it.pk).collect()
    };
    let (one, other) = (chosen("drill-1"), chosen("drill-2"));
    assert!(
        one.intersection(&other).count() < 20,
        "some five of fifty by chance"
    );
}
