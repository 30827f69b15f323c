//! Copies that have expired: never offered, and from when on none is needed.

use super::*;

fn expire(point: &mut RecoveryPoint) {
    point.status = Status::Expired;
    point.expired_at = Some(at(86_400));
}

#[test]
fn an_expired_copy_is_missing_with_its_day_and_another_destination_helps_out() {
    let mut expired = point("a", version(Some("v1"), 1, 1), Status::Stored);
    expire(&mut expired);
    let failed = point("b", version(Some("v1"), 1, 1), Status::Failed);
    let newer = point("a", version(Some("v2"), 5, 2), Status::Stored);
    let points = [failed, expired.clone(), newer.clone()];
    let AtMoment::Missing { why, .. } = at_moment(&points, at(2), None) else {
        panic!("it has no copy")
    };
    assert_eq!(why, "its copy expired on 1970-01-02T00:00:00Z");
    assert_eq!(whole_from(&points), Some(at(5)));
    let elsewhere = point("b", version(Some("v1"), 1, 1), Status::Stored);
    let points = [elsewhere, expired, newer];
    assert_eq!(
        offered(&at_moment(&points, at(2), None)).as_deref(),
        Some("copy-of-v1")
    );
    assert_eq!(whole_from(&points), None);
}

#[test]
fn what_still_is_the_latest_and_has_expired_is_whole_at_no_moment() {
    let mut expired = point("a", version(Some("v1"), 1, 1), Status::Stored);
    expire(&mut expired);
    assert_eq!(whole_from(&[expired.clone()]), Some(Timestamp::MAX));
    let gone = point("a", deletion(Some("m"), true, 9, 2), Status::Deleted);
    assert_eq!(whole_from(&[expired.clone(), gone]), Some(at(9)));
    let removed = point("a", deletion(Some("v1"), false, 7, 2), Status::Deleted);
    assert_eq!(whole_from(&[expired, removed]), Some(at(7)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever happened to a key and whatever of it has expired: from the moment that is told, every
    /// second comes back as a replay has it; and a second before, something is missing, where nothing
    /// was removed for good.
    #[test]
    fn from_the_moment_that_is_told_everything_comes_back(
        history in prop::collection::vec((0u8..3, op()), 1..12),
        expired in any::<u16>(),
    ) {
        let (mut points, states) = replay(&history);
        for (place, point) in points.iter_mut().enumerate() {
            if point.status == Status::Stored && expired >> place & 1 == 1 {
                expire(point);
            }
        }
        let whole = whole_from(&points);
        let any = points.iter().any(|point| point.status == Status::Expired);
        prop_assert_eq!(whole.is_some(), any);
        let missing = |second: i64| matches!(at_moment(&points, at(second), None), AtMoment::Missing { .. });
        let first = whole.map_or(0, Timestamp::as_second);
        for (second, expected) in (0_i64..).zip(&states).filter(|(second, _)| *second >= first) {
            prop_assert!(!missing(second), "at {}: {:?}", second, points);
            prop_assert_eq!(&offered(&at_moment(&points, at(second), None)), expected);
        }
        let removes = history.iter().any(|(_, op)| matches!(op, Op::Remove(_)));
        let last = i64::try_from(states.len()).expect("small") - 1;
        if whole == Some(Timestamp::MAX) && !removes {
            prop_assert!(missing(last));
        }
    }
}
