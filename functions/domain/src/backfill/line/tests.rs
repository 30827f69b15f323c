use proptest::prelude::*;

use super::*;
use crate::limits::STATE_PAYLOAD_BYTES_MAX;

fn version(number: usize, marker: bool) -> Version {
    let second = i64::try_from(number).expect("small");
    Version {
        id: (number % 7 != 3).then(|| format!("{number:032}")),
        size: if marker { 0 } else { number as u64 },
        etag: if marker {
            String::new()
        } else {
            "d41d8cd98f00b204e9800998ecf8427e".into()
        },
        modified: Timestamp::from_second(second).expect("a time"),
        marker,
        rank: 0,
    }
}

fn item(key: &str, versions: usize) -> Item {
    Item {
        key: key.to_owned(),
        versions: (0..versions)
            .map(|number| version(number, number % 5 == 4))
            .collect(),
    }
}

fn dealt(items: &[Item]) -> Vec<Vec<Item>> {
    let mut dealer = Dealer::default();
    for item in items {
        dealer.push(item.clone());
    }
    dealer.take()
}

fn in_order(items: &[Item]) -> Vec<(String, Version)> {
    let each = items.iter().flat_map(|item| {
        let own = item.versions.iter();
        own.map(|version| (item.key.clone(), version.clone()))
    });
    each.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_version_is_dealt_once_in_order_and_its_key_stays_together(
        keys in prop::collection::vec((1_usize..1024, 1_usize..130), 0..60),
    ) {
        let items: Vec<Item> = keys.iter().enumerate().map(|(number, (length, versions))| {
            // The worst that JSON can make of a key: six bytes for one.
            let key = format!("{number:04}{}", "\u{1}".repeat(length.saturating_sub(4)));
            item(&key, *versions)
        }).collect();
        let lines = dealt(&items);
        prop_assert_eq!(in_order(&lines.concat()), in_order(&items));
        let mut seen = std::collections::BTreeSet::new();
        for line in &lines {
            let versions: usize = line.iter().map(|item| item.versions.len()).sum();
            prop_assert!(versions <= VERSIONS_MAX || line.len() == 1);
            prop_assert!(json_line(line).len() + 8 * 1024 < STATE_PAYLOAD_BYTES_MAX);
            for item in line {
                prop_assert!(seen.insert(item.key.clone()), "a key in two places");
            }
        }
    }
}

#[test]
fn a_key_with_more_versions_than_fit_is_cut_in_order() {
    let items = [item("k", 3000)];
    let lines = dealt(&items);
    assert!(lines.len() > 1);
    assert_eq!(in_order(&lines.concat()), in_order(&items));
    for line in lines {
        assert!(json_line(&line).len() <= LINE_BYTES_MAX + 1024);
    }
}

#[test]
fn few_are_one_line_and_none_is_no_line() {
    assert!(dealt(&[]).is_empty());
    let keys: Vec<_> = (0..101)
        .map(|number| item(&format!("k{number}"), 1))
        .collect();
    let lines = dealt(&keys);
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [100, 1]);
}

#[test]
fn a_line_reads_back() {
    let item = item("a b+%41//é🦀", 9);
    let back: Item = serde_json::from_str(&json_line(&item)).expect("reads");
    assert_eq!(back, item);
}

#[test]
fn objects_that_must_be_read_fill_a_line_by_their_bytes() {
    let large = |key: &str, gib: u64| {
        let mut item = item(key, 1);
        item.versions[0].size = gib * GIB;
        item
    };
    let sixteen: Vec<_> = (0..16)
        .map(|number| large(&number.to_string(), 5))
        .collect();
    let lines = dealt(&sixteen);
    assert_eq!(lines.iter().map(Vec::len).collect::<Vec<_>>(), [6, 6, 4]);
    let lines = dealt(&[large("a", 5000), large("b", 1)]);
    assert_eq!(lines.len(), 2, "the largest stands alone");
}
