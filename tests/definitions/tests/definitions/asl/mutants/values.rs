//! Variables and expressions.

use super::{Mutant, audit, backup, restore};

const OUTPUT: &str = "/States/Notify/Output";

pub const MUTANTS: &[Mutant] = &[
    // Variables.
    backup("scope", &[(small!("Copy/Assign/failure"), "1")]),
    backup(
        "scope",
        &[(
            large!("MapParts/ItemProcessor/States/CopyParts/Assign"),
            r#"{"copied": 1}"#,
        )],
    ),
    backup(
        "scope",
        &[(
            large!("MapRanges/ItemProcessor/States/RangeRead/Choices/0/Assign"),
            r#"{"notify": 1}"#,
        )],
    ),
    backup("scope", &[("/States/ParkEvent/Catch/0/Assign/target", "1")]),
    backup("variable-name", &[("/States/Filter/Assign/work.done", "1")]),
    backup("variable-name", &[("/States/Filter/Assign/1st", "1")]),
    backup("variable-length", &[("/States/Filter/Assign/LONG", "1")]),
    backup("variable-states", &[("/States/Filter/Assign/states", "1")]),
    backup("variable-function", &[("/States/Filter/Assign/count", "1")]),
    backup("variable-function", &[("/States/Filter/Assign/hash", "1")]),
    backup(
        "variable-unknown",
        &[("/States/Skipped/Output", "{% $exists($wrok) ? $wrok : 0 %}")],
    ),
    backup(
        "variable-unknown",
        &[("/States/Skipped/Output", "{% $exists($copied) ? 1 : 0 %}")],
    ),
    restore(
        "variable-unknown",
        &[
            ("/States/PlanRestore/Assign", r#"{"seen": 1}"#),
            (
                slice!("ItemProcessor/States/RestoreBatch/Output"),
                "{% $exists($seen) ? 1 : 0 %}",
            ),
        ],
    ),
    // What may be missing.
    backup(
        "undefined",
        &[("/States/Filter/Arguments/Payload/event", "{% $event %}")],
    ),
    backup(
        "undefined",
        &[(
            small!("Record/Arguments/Payload/verified"),
            "{% $verified.evidence %}",
        )],
    ),
    backup(
        "undefined",
        &[(
            small!("RecordFailure/Arguments/Payload/copied"),
            "{% $copied %}",
        )],
    ),
    backup(
        "undefined",
        &[(small!("Copy/Arguments/Payload/target"), "{% $target %}")],
    ),
    backup(
        "undefined",
        &[("/States/Failed/Cause", "{% $failure.Cause %}")],
    ),
    backup(
        "undefined",
        &[(
            "/States/Failed/Cause",
            "{% $exists($failure.Error) ? $failure.Cause : '' %}",
        )],
    ),
    backup(
        "undefined",
        &[(
            large!("AllParts/Choices/0/Condition"),
            "{% $count($segments) = 0 %}",
        )],
    ),
    backup(
        "undefined",
        &[(OUTPUT, "{% $outcomes[outcome = 'failed'] %}")],
    ),
    audit(
        "undefined",
        &[(
            "/States/FinishAudit/Arguments/Payload/repaired",
            "{% $audited %}",
        )],
    ),
    audit(
        "undefined",
        &[("/States/AuditFailed/Error", "{% $failure.Error %}")],
    ),
    restore(
        "undefined",
        &[(
            "/States/PlanRestore/Arguments/Payload/course",
            "{% $states.input.next %}",
        )],
    ),
    audit(
        "type",
        &[(
            "/States/MoreToAudit/Choices/1/Condition",
            "{% $audited.run %}",
        )],
    ),
    backup("type", &[(large!("MapRanges/Items"), "{% $verified.at %}")]),
    audit("type", &[("/States/AuditFailed/Cause", "{% 1 %}")]),
    restore(
        "path",
        &[("/States/WaitForArchive/SecondsPath", "$.seconds")],
    ),
    restore(
        "path",
        &[(slice!("ItemReader/Parameters/Key.$"), "$.report")],
    ),
    // Expressions.
    backup("jsonata", &[(OUTPUT, "{% $work.held ?: false %}")]),
    backup("jsonata", &[(OUTPUT, "{% $work.held ?? false %}")]),
    backup("jsonata", &[(OUTPUT, "{% $count($outcomes < %}")]),
    backup("jsonata-eval", &[(OUTPUT, "{% $exists($eval('1')) %}")]),
    backup(
        "jsonata-function",
        &[(OUTPUT, "{% $exists($toString(1)) %}")],
    ),
    backup("jsonata-input", &[(OUTPUT, "{% $exists($.outcome) %}")]),
    backup("jsonata-input", &[(OUTPUT, "{% $exists(outcome) %}")]),
    backup("jsonata-input", &[(OUTPUT, "{% $exists($$) %}")]),
    backup("states", &[(OUTPUT, "{% $exists($states.output) %}")]),
    backup("states", &[(OUTPUT, "{% $string($states) %}")]),
    backup(
        "states-result",
        &[(small!("Owing/Output"), "{% $exists($states.result) %}")],
    ),
    backup(
        "states-result",
        &[(
            small!("Verify/Arguments/Payload/copied"),
            "{% $exists($states.result) %}",
        )],
    ),
    backup(
        "states-error",
        &[(OUTPUT, "{% $exists($states.errorOutput) %}")],
    ),
    backup(
        "context",
        &[(OUTPUT, "{% $exists($states.context.Execution.Arn) %}")],
    ),
    backup(
        "expression-delimiters",
        &[(OUTPUT, " {% $states.result.Payload %}")],
    ),
    backup(
        "expression-delimiters",
        &[(OUTPUT, "{% $states.result.Payload }")],
    ),
    backup("expression-field", &[("/States/Filter/Comment", "{% 1 %}")]),
];
