use super::*;

const DESTINATIONS: &str = r#""destinations":{"p":{"bucket":"backup","region":"r"},"cold":{"bucket":"c","region":"r","storageClass":"GLACIER"}}"#;

fn refused(document: &str) -> String {
    let error = parse(document, &["source".to_owned()]).expect_err(document);
    assert_eq!(error.name(), ErrorName::InvalidPolicy);
    error.to_string()
}

#[test]
fn a_wrong_policy_is_refused_with_the_place() {
    for (document, said) in [
        ("{", "cannot be read"),
        ("{}", "missing field"),
        (
            r#"{"version":1,"destinations":{},"rules":[]} x"#,
            "trailing",
        ),
        (r#"{"version":2,"destinations":{},"rules":[]}"#, "version"),
        (
            r#"{"version":1,"destinations":{},"rules":[],"extra":1}"#,
            "extra",
        ),
        (
            r#"{"version":1,"destinations":{"p":{"bucket":"source","region":"r"}},"rules":[]}"#,
            "source itself",
        ),
        (
            r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","storageClas":"X"}},"rules":[]}"#,
            "storageClas",
        ),
        (
            r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","storageClass":"TAPE"}},"rules":[]}"#,
            "TAPE",
        ),
        (
            r#"{"version":1,"destinations":{"p q":{"bucket":"b","region":"r"}},"rules":[]}"#,
            "letters",
        ),
        (
            r#"{"version":1,"destinations":{"p":{"bucket":"b","region":"r","account":"1"}},"rules":[]}"#,
            "12 digits",
        ),
    ] {
        let message = refused(document);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_wrong_rule_is_refused_with_the_place() {
    for (rules, said) in [
        (r#"[{"name":"a","destinations":["q"]}]"#, "none of cold, p"),
        (r#"[{"name":"a","destinations":["p","p"]}]"#, "twice"),
        (
            r#"[{"name":"a","destinations":["p"]},{"name":"a","destinations":["p"]}]"#,
            "taken",
        ),
        (
            r#"[{"name":"a","destinations":["p"],"match":{"keys":{"include":["[a"]}}}]"#,
            "rules[0].match.keys.include",
        ),
        (
            r#"[{"name":"a","destinations":["p"],"match":{"size":{"minBytes":2,"maxBytes":1}}}]"#,
            "nothing can match",
        ),
        (
            r#"[{"name":"a","destinations":["cold"],"verify":"read"}]"#,
            "archive",
        ),
        (
            r#"[{"name":"a","destinations":["p"],"verify":{"sample":2}}]"#,
            "share",
        ),
        (
            r#"[{"name":"a","destinations":["p"],"notify":"loud"}]"#,
            "loud",
        ),
        (
            r#"[{"name":"a","destinations":["p"],"deletes":"erase"}]"#,
            "erase",
        ),
        (
            r#"[{"name":"a","destinations":[],"deletes":"mirror"}]"#,
            "nothing to mirror",
        ),
    ] {
        let message = refused(&format!(
            r#"{{"version":1,{DESTINATIONS},"rules":{rules}}}"#
        ));
        assert!(message.contains(said), "{message}");
    }
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    for (destinations, rules, said) in [
        (
            format!(r#"{{"{long}":{{"bucket":"b","region":"r"}}}}"#),
            "[]".to_owned(),
            "at most 64",
        ),
        (
            r#"{"p":{"bucket":"b","region":"r"}}"#.to_owned(),
            format!(r#"[{{"name":"{long}","destinations":["p"]}}]"#),
            "at most 64",
        ),
        (
            r#"{"p":{"bucket":"b","region":"r"}}"#.to_owned(),
            format!(
                r#"[{{"name":"a","destinations":["p"{}]}}]"#,
                r#","p""#.repeat(RULE_DESTINATIONS_MAX)
            ),
            "11 are named, a rule has at most 10",
        ),
    ] {
        let message = refused(&format!(
            r#"{{"version":1,"destinations":{destinations},"rules":{rules}}}"#
        ));
        assert!(message.contains(said), "{message}");
    }
    assert!(refused(&" ".repeat(SSM_ADVANCED_BYTES_MAX + 1)).contains("8192"));
}

#[test]
fn deletions_are_kept_unless_a_rule_mirrors_them() {
    let rules = r#"[{"name":"a","destinations":["p"]},
        {"name":"b","destinations":["p"],"deletes":"keep"},
        {"name":"c","destinations":["p"],"deletes":"mirror"}]"#;
    let document = format!(r#"{{"version":1,{DESTINATIONS},"rules":{rules}}}"#);
    let policy = parse(&document, &[]).expect("a policy");
    let deletes: Vec<_> = policy.rules.iter().map(|rule| rule.deletes).collect();
    assert_eq!(deletes, [Deletes::Keep, Deletes::Keep, Deletes::Mirror]);
}

#[test]
fn a_lock_that_nobody_can_lift_must_be_meant_and_none_is_endless() {
    let with = |lock: &str| {
        format!(
            r#"{{"version":1,"destinations":{{"p":{{"bucket":"b","region":"r","objectLock":{lock}}}}},"rules":[]}}"#
        )
    };
    let compliance = refused(&with(r#"{"mode":"COMPLIANCE","days":30}"#));
    assert!(
        compliance.contains("objectLock.confirmed") && compliance.contains("cannot be undone"),
        "{compliance}"
    );
    let endless = refused(&with(r#"{"mode":"GOVERNANCE","days":3651}"#));
    assert!(endless.contains("3650 are the most"), "{endless}");
    for lock in [
        r#"{"mode":"COMPLIANCE","days":3650,"confirmed":true}"#,
        r#"{"mode":"GOVERNANCE","days":3650}"#,
    ] {
        assert!(parse(&with(lock), &[]).is_ok(), "{lock}");
    }
}
