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
/// the events of that second count as later.
///
/// ```
/// let written = jiff::Timestamp::from_second(0x617F_0829).expect("a time");
/// assert_eq!(backup_domain::sequencer::of_second(written), "00617F082900000000");
/// ```
pub fn of_second(written: Timestamp) -> String {
    format!("00{:08X}00000000", written.as_second().max(0))
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
