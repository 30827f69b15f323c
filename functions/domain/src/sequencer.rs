//! The order of two events of one key.

use std::cmp::Ordering;

use jiff::Timestamp;

/// Compares two sequencers of events of the *same key*.
///
/// Sequencers are hexadecimal of varying length: the shorter is padded with zeros on the right,
/// then both are compared as text (Amazon S3 User Guide, "Event message structure"). Between
/// different keys the result means nothing. A lifecycle expiry decodes to midnight, before a PUT
/// of the same day, so a sequencer never decides alone between a write and an expiry.
///
/// ```
/// use std::cmp::Ordering;
/// assert_eq!(backup_domain::sequencer::compare("0A", "0a00"), Ordering::Equal);
/// assert_eq!(backup_domain::sequencer::compare("0B", "0AFF"), Ordering::Greater);
/// ```
pub fn compare(left: &str, right: &str) -> Ordering {
    let length = left.len().max(right.len());
    let padded = |text: &str| format!("{text:0<length$}").to_ascii_uppercase();
    padded(left).cmp(&padded(right))
}

/// Whether a text is a sequencer: hexadecimal digits, at least one.
pub fn is_valid(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A sequencer for a version whose event nobody knows: that of the beginning of its second, so that
/// the events of that second count as later. `rank` orders what was listed of one second, see [`rank`]:
/// in digits behind those of an event, so that none of them counts as later than one.
///
/// ```
/// let written = jiff::Timestamp::from_second(0x617F_0829).expect("a time");
/// assert_eq!(backup_domain::sequencer::of_second(written, 0), "00617F082900000000");
/// assert_eq!(backup_domain::sequencer::of_second(written, 2), "00617F0829000000000002");
/// ```
pub fn of_second(written: Timestamp, rank: u16) -> String {
    let rank = Some(rank).filter(|rank| *rank > 0);
    let rank = rank.map(|rank| format!("{rank:04X}")).unwrap_or_default();
    format!("00{:08X}00000000{rank}", written.as_second().max(0))
}

/// Whether a sequencer is one of [`of_second`], of whatever rank.
pub fn is_of_second(sequencer: &str, written: Timestamp) -> bool {
    let rank = sequencer.strip_prefix(of_second(written, 0).as_str());
    rank.is_some_and(|rank| rank.is_empty() || rank.len() == 4)
}

/// Rank of a version within its second: how many of those that follow it in the listing of its key,
/// where S3 names the newest first, are of the same second.
///
/// `older` are the last-modified times that follow.
pub fn rank(modified: Timestamp, older: impl Iterator<Item = Timestamp>) -> u16 {
    let same = older.take_while(|other| other.as_second() == modified.as_second());
    u16::try_from(same.count()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_hexadecimal_is_a_sequencer() {
        assert!(is_valid("0") && is_valid("00617f08299329D189"));
        for bad in ["", " ", "0x1", "0A ", "g", "é"] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_was_listed_of_one_second_has_an_order_and_comes_before_every_event_of_it() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let newest_first = [at(9), at(8), at(8), at(8), at(7)];
        let ranks: Vec<_> = (0..newest_first.len())
            .map(|place| {
                rank(
                    newest_first[place],
                    newest_first[place + 1..].iter().copied(),
                )
            })
            .collect();
        assert_eq!(ranks, [0, 2, 1, 0, 0]);
        let made: Vec<_> = newest_first
            .iter()
            .zip(ranks)
            .map(|(written, rank)| of_second(*written, rank))
            .collect();
        assert!(
            made.windows(2)
                .all(|pair| compare(&pair[0], &pair[1]).is_gt())
        );
        for (made, written) in made.iter().zip(newest_first) {
            assert!(is_valid(made) && is_of_second(made, written));
            assert!(!is_of_second(
                made,
                written + jiff::SignedDuration::from_secs(1)
            ));
            let earliest = format!("00{:08X}00000001", written.as_second());
            assert!(compare(&earliest, made).is_gt() && !is_of_second(&earliest, written));
        }
        assert_eq!(rank(at(0), std::iter::repeat_n(at(0), 70_000)), u16::MAX);
    }

    proptest! {
        #[test]
        fn trailing_zeros_do_not_matter(text in "[0-9A-F]{1,20}", zeros in 0usize..12) {
            let longer = format!("{text}{}", "0".repeat(zeros));
            prop_assert_eq!(compare(&text, &longer), Ordering::Equal);
        }

        #[test]
        fn order_is_total(a in "[0-9A-F]{1,8}", b in "[0-9A-F]{1,8}", c in "[0-9A-F]{1,8}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
