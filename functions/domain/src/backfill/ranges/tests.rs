use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn range(after: &str, until: Option<&str>) -> Range {
    Range {
        after: after.to_owned(),
        until: until.map(str::to_owned),
    }
}

#[test]
fn a_middle_lies_between() {
    for (after, until, prefix) in [
        ("", None, ""),
        ("", None, "photos/"),
        ("photos/2026/a", None, "photos/"),
        ("a", Some("b"), ""),
        ("a/b", Some("a/c"), "a/"),
        ("k-0999", Some("k-5000"), "k-"),
    ] {
        let range = range(after, until);
        let found = middle(&range, prefix).expect("there is room");
        assert!(range.has(&found), "{found:?} in {range:?}");
        assert!(found.starts_with(prefix), "{found:?} of {prefix:?}");
    }
    assert_eq!(middle(&range("b", Some("b")), ""), None);
}

proptest! {
    #[test]
    fn a_middle_is_never_outside(
        after in "[ -~é🦀]{0,6}", until in prop::option::of("[ -~é🦀]{0,6}"), prefix in "[a-c/]{0,3}",
    ) {
        let after = if after.is_empty() { after } else { format!("{prefix}{after}") };
        let range = Range { after, until: until.map(|it| format!("{prefix}{it}")) };
        if let Some(found) = middle(&range, &prefix) {
            prop_assert!(range.has(&found), "{:?} in {:?}", found, range);
            prop_assert!(found.as_str() >= prefix.as_str());
        }
    }

    /// Halving again and again, behind whatever key is found there, keeps every key in one range.
    #[test]
    fn every_key_is_in_exactly_one_range(keys in prop::collection::btree_set("[ab/+%é🦀 ]{1,5}", 0..60)) {
        let mut ranges = vec![Range::default()];
        for _ in 0..5 {
            let halves = ranges.into_iter().flat_map(|range| match middle(&range, "") {
                None => vec![range],
                Some(half) => {
                    let (lower, upper) = range.cut(&half);
                    vec![lower, upper]
                }
            });
            ranges = halves.collect();
            prop_assert!(ranges.len() <= 32);
        }
        let keys: BTreeSet<String> = keys;
        for key in &keys {
            let holders = ranges.iter().filter(|range| range.has(key)).count();
            prop_assert_eq!(holders, 1, "{:?} in {:?}", key, ranges);
        }
    }
}
