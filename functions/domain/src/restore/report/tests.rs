use super::*;

#[test]
fn a_verdict_names_what_is_not_as_wished_and_nothing_else() {
    let mut done = Counts::default();
    for outcome in [Outcome::Restored, Outcome::Restored, Outcome::Same] {
        done.count(&Restored::new("k", outcome, 512));
    }
    assert_eq!(
        verdict(&done),
        "Restored: 2 objects, 1.0 KiB; 1 already there"
    );
    done.count(&Restored::because("k", Outcome::Conflict, "differs"));
    assert!(verdict(&done).contains("but for what was there"));
    assert!(done.is_complete());
    done.count(&Restored::because("k", Outcome::Missing, "failed"));
    assert!(verdict(&done).starts_with("INCOMPLETE"));
    assert!(!done.is_complete());
}

#[test]
fn counts_add_up() {
    let mut one = Counts::default();
    for outcome in [
        Outcome::Restored,
        Outcome::Same,
        Outcome::Hidden,
        Outcome::Conflict,
        Outcome::Missing,
        Outcome::Waiting,
        Outcome::Archived,
        Outcome::Failed,
    ] {
        one.count(&Restored::new("k", outcome, 1));
    }
    let mut two = one;
    two.add(&one);
    assert_eq!(
        two.restored,
        Tally {
            objects: 2,
            bytes: 2
        }
    );
    let others = [
        two.same,
        two.hidden,
        two.conflicts,
        two.missing,
        two.waiting,
        two.archived,
        two.failed,
    ];
    assert_eq!(others, [2; 7]);
}

#[test]
fn what_lies_at_the_target_unproven_is_counted_named_and_comes_with_advice() {
    let left = Unproven {
        place: "s3://scratch/was/k".to_owned(),
        version_id: Some("v".to_owned()),
        etag: "e".to_owned(),
        tagged: true,
    };
    let failed = Restored {
        unproven: Some(left.clone()),
        ..Restored::because("k", Outcome::Failed, "differs")
    };
    let mut done = Counts::default();
    done.count(&failed);
    assert_eq!(
        verdict(&done),
        "INCOMPLETE: 0 objects, 0 bytes; 1 failed; 1 of these left at the target, not proven"
    );
    let advice = left.advice();
    for said in [
        "not proven",
        "s3://scratch/was/k",
        "version v",
        "s3-backup-restore=unproven",
        "do not use it",
    ] {
        assert!(advice.contains(said), "{said}: {advice}");
    }
}
