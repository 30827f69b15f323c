//! The command line, as an operator runs it: what it prints, in JSON too, and what it exits with.

use std::process::Output;

use backup_e2e::World;
use serde_json::{Value, json};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One JSON object a line.
fn lines(output: &Output) -> Vec<Value> {
    let text = text(output);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn status_and_redrive_lead_from_a_failure_to_none() {
    let (world, _alone) = World::redriven();
    let key = "plain/by-an-operator \u{202e}é🦀.txt";
    assert_eq!(world.s3_backup(&["status"]).status.code(), Some(0));
    world.upload_refused(key, "by-an-operator");

    let status = world.s3_backup(&["status"]);
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    assert!(
        text(&status).contains("s3-backup redrive"),
        "{}",
        text(&status)
    );
    let status = world.s3_backup(&["--json", "status"]);
    let counts = &lines(&status)[0];
    assert_eq!(
        (&counts["failed"], &counts["parked"], &counts["exhausted"]),
        (&json!(1), &json!(1), &json!(0)),
        "{counts}"
    );
    assert!(counts["oldestFailure"].is_string(), "{counts}");

    let of_key = world.s3_backup(&["status", key]);
    assert_eq!(of_key.status.code(), Some(1));
    let shown = text(&of_key);
    assert!(
        shown.contains("AccessDenied") && shown.contains("primary"),
        "{shown}"
    );
    assert!(
        !shown.contains('\u{202e}'),
        "a key cannot drive the terminal: {shown:?}"
    );

    let redriven = world.s3_backup(&["redrive", "--json"]);
    assert_eq!(redriven.status.code(), Some(0), "{}", said(&redriven));
    let redriven = lines(&redriven);
    let [item, summary] = &redriven[..] else {
        panic!("{redriven:?}");
    };
    assert_eq!(item["outcome"], "started");
    assert_eq!(item["object"], format!("{}/{key}", world.source()));
    assert_eq!(item["destination"], "primary");
    assert_eq!(
        (&summary["summary"]["started"], &summary["summary"]["left"]),
        (&json!(1), &json!(0))
    );

    world.has_become(key, "stored");
    let of_key = world.s3_backup(&["status", key, "--json"]);
    assert_eq!(of_key.status.code(), Some(0));
    assert_eq!(lines(&of_key)[0]["status"], "stored");
    world.is_quiet();
    let again = world.s3_backup(&["redrive"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(
        text(&again).trim(),
        "0 started, 0 started before, 0 done already, 0 closed, 0 held, 0 given up, 0 dismissed, 0 rubbish, 0 left"
    );
}

#[test]
fn rubbish_and_unknown_keys_and_stacks_have_their_exit_codes() {
    let (world, _alone) = World::redriven();
    world.send("rubbish for the command line", &[]);
    let redriven = world.s3_backup(&["redrive"]);
    assert_eq!(redriven.status.code(), Some(1), "{}", said(&redriven));
    assert!(
        text(&redriven).contains("the body is no JSON"),
        "{}",
        text(&redriven)
    );
    assert_eq!(world.parked("rubbish for the command line").len(), 1);

    let unknown = world.s3_backup(&["status", "no/such/key"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown).contains("no recovery point"),
        "{}",
        text(&unknown)
    );

    assert_eq!(
        world.s3_backup(&["redrive", "--perfix", "x"]).status.code(),
        Some(2)
    );
    let stack = world.s3_backup(&["--stack", "another", "status"]);
    assert_eq!(stack.status.code(), Some(4));
    assert!(said(&stack).contains("hint: "), "{}", said(&stack));
    assert_eq!(
        text(&stack),
        "",
        "what is said of errors is on standard error"
    );
}

/// What AWS refuses is told by name, with what to do.
#[test]
fn what_aws_refuses_is_exit_code_three() {
    let (world, _alone) = World::redriven();
    world.proxy.fail(
        "GetParameter",
        "/resources",
        backup_e2e::Fault::Error(403, "AccessDeniedException"),
        1,
    );
    let refused = world.s3_backup_by_proxy(&["status"]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(
        said(&refused).contains("AccessDenied"),
        "{}",
        said(&refused)
    );
}
