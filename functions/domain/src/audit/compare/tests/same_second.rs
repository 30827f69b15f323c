//! Versions of one second: what a repair makes of them is in the order of the listing.

use super::*;

#[test]
fn versions_of_one_second_that_are_missing_are_repaired_in_the_order_of_the_listing() {
    let mut world = World::whole("k", 3);
    world.points.clear();
    world.copies.clear();
    for entry in &mut world.source {
        entry.modified = at(DAY);
    }
    let found = world.compare().findings;
    let made: Vec<_> = found
        .iter()
        .map(|finding| {
            let start = crate::audit::repair::start_of(finding, "111122223333", "r", at(NOW));
            let input: serde_json::Value =
                serde_json::from_str(&start.expect("a repair").input).expect("JSON");
            let id = finding.version_id.clone().expect("an id");
            (input["detail"]["object"]["sequencer"].to_string(), id)
        })
        .collect();
    assert_eq!(made.len(), 3);
    let ordered = |left: &(String, String), right: &(String, String)| {
        let text = |it: &(String, String)| it.0.trim_matches('"').to_owned();
        sequencer::compare(&text(left), &text(right))
    };
    let mut sorted = made;
    sorted.sort_by(ordered);
    let ids: Vec<_> = sorted.iter().map(|it| it.1.as_str()).collect();
    assert_eq!(ids, ["v1", "v2", "v3"]);
    assert!(sorted.windows(2).all(|it| ordered(&it[0], &it[1]).is_lt()));
}
