//! Keys that have broken copiers before.

use backup_e2e::World;

/// Each comes through byte for byte, and those that look alike stay apart.
#[test]
fn hostile_keys_come_through_byte_for_byte() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    let longest = format!("é{}", "k".repeat(1022));
    let keys = [
        "a b",
        "a+b",
        "a%20b",
        "%2B",
        "100%",
        "a&b",
        "a?b",
        "a?versionId=x",
        "a#b",
        "\"quoted\"",
        "it's",
        "line\nbreak",
        "esc\u{1b}[31m",
        "🦀",
        "e\u{301}",
        "é",
        "double//slash",
        "/leading",
        "trailing/",
        "dots/../up",
        &longest,
    ];
    for key in keys {
        let body = format!("content of {key}");
        let ended = world.upload(key, body.as_bytes(), &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{key:?}: {ended:?}");
        assert_eq!(world.copy_of(key).body, body.as_bytes(), "{key:?}");
        assert_eq!(world.points(key).len(), 1, "{key:?}");
    }
}

/// Nothing in them is still something to keep.
#[test]
fn empty_objects_and_folder_markers_are_backed_up() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    for key in ["empty", "folder/"] {
        let ended = world.upload(key, b"", &[]);
        assert_eq!(ended.status, "SUCCEEDED", "{key:?}: {ended:?}");
        assert_eq!(world.copy_of(key).body, b"");
    }
}
