use serde_json::json;

use super::*;

fn request(more: &Value) -> Request {
    let mut input =
        json!({"prefix": "a/", "at": "2026-11-01T00:00:00Z", "to": {"bucket": "scratch"}});
    for (name, value) in more.as_object().expect("fields") {
        input[name] = value.clone();
    }
    match parse(&input).expect("a request") {
        Input::New(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn checked(more: &Value) -> Result<(), RequestError> {
    let deployed = Deployed {
        source: "source",
        backups: &["backup".to_owned()],
        targets: &["source".to_owned(), "scratch".to_owned()],
    };
    let now = "2026-11-25T00:00:00Z".parse().expect("a time");
    check(&request(more), &deployed, now)
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    type E = RequestError;
    let to = |bucket: &str| json!({"to": {"bucket": bucket}});
    assert_eq!(checked(&json!({})), Ok(()));
    assert!(matches!(
        checked(&json!({"at": "2027-01-01T00:00:00Z"})),
        Err(E::Future { .. })
    ));
    assert!(matches!(checked(&to("source")), Err(E::IsSource { .. })));
    assert!(matches!(checked(&to("backup")), Err(E::IsBackup { .. })));
    assert!(matches!(checked(&to("other")), Err(E::NotGranted { .. })));
    for mode in ["in-place", "overwrite", "rollback"] {
        let over = json!({"to": {"bucket": "source"}, "mode": mode});
        assert_eq!(checked(&over), Ok(()), "{mode}");
    }
    let beside = json!({"mode": "rollback"});
    assert!(matches!(checked(&beside), Err(E::NotSource { .. })));
    let prefixed = json!({"mode": "rollback", "to": {"bucket": "source", "prefix": "x/"}});
    assert!(matches!(checked(&prefixed), Err(E::NotSource { .. })));
    let within = json!({"to": {"bucket": "source", "prefix": "was/"}});
    assert_eq!(checked(&within), Ok(()));
    let foreign = json!({"from": {"backup": {"bucket": "foreign"}}});
    assert!(matches!(checked(&foreign), Err(E::OutOfBounds { .. })));
    let days = json!({"archive": {"tier": "bulk", "days": 0}});
    assert!(matches!(checked(&days), Err(E::OutOfBounds { .. })));
}

#[test]
fn what_cannot_be_read_says_where() {
    for (input, said) in [
        (json!({}), "at"),
        (
            json!({"prefix": "", "at": "yesterday", "to": {"bucket": "b"}}),
            "at",
        ),
        (
            json!({"prefix": "", "at": "2026-11-01T00:00:00Z", "to": {"bucket": "b"}, "mode": "undo"}),
            "mode",
        ),
        (
            json!({"prefix": "", "at": "2026-11-01T00:00:00Z", "to": {"buckets": "b"}}),
            "to",
        ),
        (json!({"plan": "elsewhere/"}), "restores/"),
    ] {
        let problem = parse(&input).expect_err("no request").to_string();
        assert!(problem.contains(said), "{input}: {problem}");
    }
    let both =
        json!({"prefix": "", "key": "k", "at": "2026-11-01T00:00:00Z", "to": {"bucket": "b"}});
    assert_eq!(parse(&both), Err(RequestError::KeyOrPrefix));
    let planned = parse(&json!({"plan": "restores/x/"}));
    assert_eq!(
        planned,
        Ok(Input::Planned {
            folder: "restores/x/".to_owned(),
            show: false
        })
    );
}

#[test]
fn a_key_is_exact_and_a_prefix_is_not() {
    let prefix = request(&json!({}));
    assert!(prefix.covers("a/b") && !prefix.covers("b"));
    let key = Request {
        key: Some("a/b".to_owned()),
        prefix: None,
        ..prefix
    };
    assert!(key.covers("a/b") && !key.covers("a/bc"));
}
