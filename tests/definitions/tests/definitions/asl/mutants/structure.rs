//! Fields, transitions, errors, Maps and limits.

use super::{Mutant, audit, backup, express, restore};

pub const MUTANTS: &[Mutant] = &[
    // Fields.
    backup(
        "query-language",
        &[("/States/Skipped/QueryLanguage", "JSONPath")],
    ),
    restore(
        "query-language",
        &[("/States/Restored/QueryLanguage", "Jq")],
    ),
    backup("state-type", &[("/States/BackedUp/Type", "Success")]),
    backup("field-unknown", &[("/States/Filter/TimeoutSecond", "75")]),
    backup(
        "field-unknown",
        &[("/States/Filter/Retry/0/MaxAttempt", "3")],
    ),
    backup(
        "field-unknown",
        &[("/States/Filter/Catch/0/ErrorEqual", r#"["A"]"#)],
    ),
    backup("field-unknown", &[("/Timeout", "75")]),
    backup("field-language", &[("/States/Filter/Parameters", "{}")]),
    backup(
        "field-language",
        &[("/States/MapSmall/ItemsPath", "$.targets")],
    ),
    restore("field-language", &[("/States/WaitForArchive/Output", "{}")]),
    backup("field-missing", &[("/States/Filter/Catch/0/Next", "")]),
    backup("field-missing", &[(small!("Owing/End"), "")]),
    restore(
        "field-missing",
        &[("/States/WaitForArchive/SecondsPath", "")],
    ),
    backup("field-either", &[(small!("Owing/Next"), "Park")]),
    restore("field-either", &[("/States/WaitForArchive/Seconds", "1")]),
    backup("field-type", &[(small!("Owing/End"), r#""true""#)]),
    backup("field-type", &[("/States/Filter/Comment", "7")]),
    restore("field-twice", &[(slice!("ItemReader/Parameters/Key"), "k")]),
    restore("reference-path", &[(slice!("ResultPath"), "$$.failure")]),
    restore("reference-path", &[(slice!("ResultPath"), "$.failures[*]")]),
    // Transitions.
    backup("default", &[(large!("BeginAgain/Default"), "")]),
    backup(
        "start",
        &[("/States/MapSmall/ItemProcessor/StartAt", "Filter")],
    ),
    backup("next", &[("/States/MapSmall/Catch/0/Next", "Reject")]),
    backup("next", &[(small!("Verify/Catch/1/Next"), "RejectEvent")]),
    restore(
        "end",
        &[
            (slice!("ItemProcessor/States/RestoreBatch/End"), ""),
            (
                slice!("ItemProcessor/States/RestoreBatch/Next"),
                "Unanswered",
            ),
            (slice!("ItemProcessor/States/Unanswered/End"), ""),
            (slice!("ItemProcessor/States/Unanswered/Next"), "Unanswered"),
        ],
    ),
    backup(
        "unreachable",
        &[("/States/Orphan", r#"{"Type": "Succeed"}"#)],
    ),
    backup(
        "state-name",
        &[
            ("/States/LONG", r#"{"Type": "Pass", "Next": "RejectEvent"}"#),
            ("/States/MapSmall/Catch/0/Next", "LONG"),
        ],
    ),
    backup(
        "state-unique",
        &[
            (
                small!("Skipped"),
                r#"{"Type": "Pass", "Next": "RecordFailure"}"#,
            ),
            (small!("Distrust/Default"), "Skipped"),
        ],
    ),
    // Errors.
    backup(
        "error-names",
        &[("/States/Filter/Retry/0/ErrorEquals", "[]")],
    ),
    backup(
        "error-all",
        &[(
            small!("Park/Retry/0/ErrorEquals"),
            r#"["States.ALL", "Throttled"]"#,
        )],
    ),
    backup(
        "error-all",
        &[(small!("Verify/Catch/0/ErrorEquals"), r#"["States.ALL"]"#)],
    ),
    backup(
        "error-known",
        &[("/States/Filter/Retry/1/ErrorEquals/1", "States.TimeOut")],
    ),
    backup(
        "error-caught",
        &[("/States/Notify/Catch/0/ErrorEquals/0", "States.Runtime")],
    ),
    backup(
        "error-dead",
        &[("/States/Filter/Retry/1/ErrorEquals/0", "Throttled")],
    ),
    audit(
        "error-reserved",
        &[("/States/AuditFailed/Error", "States.TaskFailed")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/IntervalSeconds", "0")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/IntervalSeconds", "1.5")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/MaxAttempts", "-1")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/BackoffRate", "0.5")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/MaxDelaySeconds", "31622401")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/MaxDelaySeconds", "5")],
    ),
    backup(
        "retry-bounds",
        &[("/States/Filter/Retry/0/JitterStrategy", "HALF")],
    ),
    // Maps.
    restore(
        "map-mode",
        &[(
            slice!("ItemProcessor/ProcessorConfig/ExecutionType"),
            "FAST",
        )],
    ),
    backup(
        "map-mode",
        &[(
            "/States/MapSmall/ItemProcessor/ProcessorConfig/Mode",
            "inline",
        )],
    ),
    backup(
        "map-distributed",
        &[("/States/MapSmall/ToleratedFailurePercentage", "10")],
    ),
    backup(
        "map-concurrency",
        &[(large!("MapParts/MaxConcurrency"), "41")],
    ),
    restore("map-concurrency", &[(slice!("MaxConcurrency"), "10001")]),
    restore("map-concurrency", &[(slice!("MaxConcurrency"), "-1")]),
    restore(
        "map-tolerated",
        &[(slice!("ToleratedFailurePercentage"), "101")],
    ),
    restore("map-label", &[(slice!("Label"), "LONG")]),
    restore(
        "map-reader",
        &[(slice!("ItemReader/ReaderConfig/InputType"), "JSONLines")],
    ),
    restore(
        "map-reader",
        &[(slice!("ItemReader/ReaderConfig/MaxItems"), "0")],
    ),
    restore(
        "map-reader",
        &[(
            slice!("ItemReader/ReaderConfig/CSVHeaderLocation"),
            "FIRST_ROW",
        )],
    ),
    restore(
        "map-reader",
        &[(slice!("ItemReader/Parameters/Prefix"), "p")],
    ),
    restore("map-reader", &[(slice!("ItemReader/Arguments"), "{}")]),
    // Limits.
    backup("definition-size", &[("/Comment", "HUGE")]),
    backup("timeout", &[("/States/Filter/TimeoutSeconds", "0")]),
    backup("timeout", &[("/TimeoutSeconds", "31536001")]),
    backup("heartbeat", &[("/States/Filter/HeartbeatSeconds", "75")]),
    restore(
        "wait",
        &[
            ("/States/WaitForArchive/SecondsPath", ""),
            ("/States/WaitForArchive/Seconds", "100000000"),
        ],
    ),
    express("express", &[("/TimeoutSeconds", "301")]),
    express(
        "express",
        &[(
            small!("Park/Resource"),
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        )],
    ),
    express(
        "express",
        &[
            (
                "/States/Each",
                r#"{"Type": "Map", "Items": [1], "Next": "RejectEvent", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, "StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}}"#,
            ),
            ("/States/MapSmall/Catch/0/Next", "Each"),
        ],
    ),
    backup(
        "partition",
        &[(
            "/States/Filter/Resource",
            "arn:aws-cn:states:::lambda:invoke",
        )],
    ),
    backup(
        "resource",
        &[(small!("Park/Resource"), "arn:aws:states:::sqs:sendMesage")],
    ),
    backup("arguments", &[(small!("Park/Arguments/Queue"), "q")]),
    backup("arguments", &[(small!("Park/Arguments/MessageBody"), "")]),
];
