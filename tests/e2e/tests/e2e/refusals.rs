//! The proxy refuses what AWS refuses by its documentation and the local stack takes, and nothing else.

use backup_e2e::Call;
use backup_e2e::refusals::refused;
use serde_json::{Value, json};

fn s3(operation: &str, path: &str, headers: &str) -> Call {
    Call {
        operation: operation.to_owned(),
        request: format!("PUT {path} HTTP/1.1\r\nhost: s3\r\n{headers}\r\n"),
        answered: None,
    }
}

fn json_of(operation: &str, body: &Value) -> Call {
    Call {
        operation: operation.to_owned(),
        request: format!("POST / HTTP/1.1\r\nx-amz-target: Service.{operation}\r\n\r\n{body}"),
        answered: None,
    }
}

fn form(operation: &str, body: &str) -> Call {
    Call {
        operation: operation.to_owned(),
        request: format!("POST / HTTP/1.1\r\nhost: x\r\n\r\nAction={operation}&{body}"),
        answered: None,
    }
}

fn code(call: &Call) -> Option<&'static str> {
    refused(call).map(|it| it.code)
}

#[test]
fn keys_tags_metadata_and_copies_onto_themselves_are_as_s3_takes_them() {
    let key = |bytes: usize| {
        s3(
            "PutObject",
            &format!("/b/{}", "%C3%A4".repeat(bytes / 2)),
            "",
        )
    };
    assert_eq!(code(&key(1024)), None);
    assert_eq!(code(&key(1026)), Some("KeyTooLongError"));

    let tagged = |tags: &str| s3("CopyObject", "/b/k", &format!("x-amz-tagging: {tags}\r\n"));
    let many = |count: usize| {
        let tags: Vec<_> = (0..count).map(|it| format!("t{it}=v")).collect();
        tags.join("&")
    };
    assert_eq!(code(&tagged(&many(10))), None);
    assert_eq!(code(&tagged(&many(11))), Some("BadRequest"));
    assert_eq!(code(&tagged("a=1&a=2")), Some("InvalidTag"));
    assert_eq!(code(&tagged("a=1&%61=2")), Some("InvalidTag"));
    assert_eq!(code(&tagged("AWS%3Ax=1")), Some("InvalidTag"));
    assert_eq!(code(&tagged("a=1&A=2")), None);

    let described = |bytes: usize| {
        let value = "v".repeat(bytes - 1);
        s3("PutObject", "/b/k", &format!("x-amz-meta-a: {value}\r\n"))
    };
    assert_eq!(code(&described(2048)), None);
    assert_eq!(code(&described(2049)), Some("MetadataTooLarge"));

    let copied = |more: &str| {
        let headers = format!("x-amz-copy-source: b/k%20k\r\n{more}");
        s3("CopyObject", "/b/k%20k?x-id=CopyObject", &headers)
    };
    assert_eq!(code(&copied("")), Some("InvalidRequest"));
    assert_eq!(code(&copied("x-amz-metadata-directive: REPLACE\r\n")), None);
    assert_eq!(code(&copied("x-amz-storage-class: STANDARD_IA\r\n")), None);
    let earlier = "x-amz-copy-source: b/k?versionId=v\r\n";
    assert_eq!(code(&s3("CopyObject", "/b/k", earlier)), None);
}

#[test]
fn messages_subjects_and_parameters_are_as_their_services_take_them() {
    let delayed = |seconds: u64| json_of("SendMessage", &json!({"DelaySeconds": seconds}));
    assert_eq!(code(&delayed(900)), None);
    assert_eq!(code(&delayed(901)), Some("InvalidParameterValue"));
    let batch = json!({"Entries": [{"DelaySeconds": 0}, {"DelaySeconds": 901}]});
    let batch = json_of("SendMessageBatch", &batch);
    assert_eq!(code(&batch), Some("InvalidParameterValue"));

    let told = |subject: &str| code(&form("Publish", &format!("Subject={subject}&Message=m")));
    assert_eq!(told(&"s".repeat(99)), None);
    assert_eq!(told("Backup+failed%3A+a"), None);
    for bad in ["", "a%0Ab", "a%7F", &"s".repeat(100)] {
        assert_eq!(told(bad), Some("InvalidParameter"), "{bad}");
    }
    assert_eq!(code(&form("Publish", "Message=m")), None);

    let kept = |bytes: usize, tier: &str| {
        let request = json!({"Value": "v".repeat(bytes), "Tier": tier});
        code(&json_of("PutParameter", &request))
    };
    assert_eq!(kept(4096, "Standard"), None);
    assert_eq!(kept(4097, "Standard"), Some("ValidationException"));
    assert_eq!(kept(4097, "Advanced"), None);
    assert_eq!(kept(0, "Standard"), Some("ValidationException"));
}

#[test]
fn executions_have_names_and_inputs_as_step_functions_takes_them() {
    let started = |name: &str, input: usize| {
        let request = json!({"name": name, "input": "i".repeat(input)});
        code(&json_of("StartExecution", &request))
    };
    assert_eq!(started(&"n".repeat(80), 262_144), None);
    assert_eq!(started(&"n".repeat(81), 1), Some("InvalidName"));
    assert_eq!(started("redrive-1_2.a", 1), None);
    for bad in ["a b", "a/b", "a:b", "a,b", "a\u{7f}"] {
        assert_eq!(started(bad, 1), Some("InvalidName"), "{bad:?}");
    }
    assert_eq!(started("n", 262_145), Some("InvalidExecutionInput"));
}

#[test]
fn queries_and_updates_are_as_dynamodb_takes_them() {
    let query = |filter: &str| {
        let request = json!({
            "KeyConditionExpression": "pk = :pk AND begins_with(#sk, :sk)",
            "FilterExpression": filter,
            "ExpressionAttributeNames": {"#sk": "sk", "#s": "status", "#key": "sk"},
        });
        code(&json_of("Query", &request))
    };
    assert_eq!(query("#s = :s AND NOT contains(size, :n)"), None);
    assert_eq!(query("#s = :s OR #key = :s"), Some("ValidationException"));
    assert_eq!(query("pk = :s"), Some("ValidationException"));

    let update = |expression: &str| {
        let names = json!({"#a": "a", "#b": "b"});
        let request = json!({"UpdateExpression": expression, "ExpressionAttributeNames": names});
        code(&json_of("UpdateItem", &request))
    };
    assert_eq!(
        update("SET #a = if_not_exists(#a, :v), #b = #a REMOVE c, d"),
        None
    );
    assert_eq!(
        update("SET #a = :v, b = :v REMOVE #b"),
        Some("ValidationException")
    );
    assert_eq!(update("ADD a :v SET #a = :v"), Some("ValidationException"));
}
