//! The rules, in our own words, each with the page it is taken from.

/// A rule of a definition.
pub struct Rule {
    /// As findings name it.
    pub id: &'static str,
    pub says: &'static str,
    pub page: &'static str,
}

const fn rule(id: &'static str, says: &'static str, page: &'static str) -> Rule {
    Rule { id, says, page }
}

/// Amazon States Language, states-language.net.
const SPEC: &str = "ASL";
const VARIABLES: &str = "Passing data between states with variables";
const JSONATA: &str = "Transforming data with JSONata";
const ERRORS: &str = "Handling errors in Step Functions workflows";
const CONTEXT: &str = "Accessing execution data from the Context object";
const TASK: &str = "Task workflow state";
const MAP: &str = "Map workflow state";
const DISTRIBUTED: &str = "Using Map state in Distributed mode";
const READER: &str = "ItemReader (Map)";
const TYPE: &str = "Choosing workflow type";
const QUOTAS: &str = "Service quotas";
const SERVICES: &str = "Integrating services";

/// What the walk of a definition decides.
pub const RULES: &[Rule] = &[
    rule(
        "scope",
        "a variable of an inner scope has another name than every variable of the scopes around it, on whatever path either is assigned",
        VARIABLES,
    ),
    rule(
        "variable-name",
        "the name of a variable is a Unicode identifier: no part of a variable is assigned",
        VARIABLES,
    ),
    rule("variable-length", "it has 80 characters at most", VARIABLES),
    rule("variable-states", "`states` is never assigned", SPEC),
    rule(
        "variable-function",
        "no variable takes the name of a function of JSONata or of Step Functions",
        "–",
    ),
    rule(
        "variable-unknown",
        "a variable that is read is assigned by a state of the scope or of one around it; a Distributed Map sees nothing from outside",
        VARIABLES,
    ),
    rule(
        "undefined",
        "an expression has a value on every path that leads to it, whatever a function leaves out",
        JSONATA,
    ),
    rule(
        "type",
        "a condition is true or false, `Items` an array, `Error` and `Cause` are strings",
        JSONATA,
    ),
    rule(
        "path",
        "a JSONPath path finds something on every path that leads to it: `States.Runtime` is never caught",
        ERRORS,
    ),
    rule(
        "jsonata",
        "an expression is JSONata 2.0.6: without `?:` and `??`",
        JSONATA,
    ),
    rule("jsonata-eval", "`$eval` is not there", JSONATA),
    rule(
        "jsonata-function",
        "a function is one of JSONata, of Step Functions, or of the expression itself",
        JSONATA,
    ),
    rule(
        "jsonata-input",
        "there is no input document: no `$$`, no `$` and no plain name outside of a path",
        SPEC,
    ),
    rule(
        "states",
        "`$states` has `input`, `context`, `result` and `errorOutput`, and is not read whole",
        VARIABLES,
    ),
    rule(
        "states-result",
        "`$states.result` is for `Assign` and `Output` of a Task, Map or Parallel state",
        VARIABLES,
    ),
    rule(
        "states-error",
        "`$states.errorOutput` is for `Assign` and `Output` of a catcher",
        VARIABLES,
    ),
    rule(
        "context",
        "a field of the Context object is one that it has",
        CONTEXT,
    ),
    rule(
        "expression-delimiters",
        "an expression is the whole string, without a space around it",
        JSONATA,
    ),
    rule(
        "expression-field",
        "`Type`, `Resource`, `Next`, `Comment` and error names are constants",
        JSONATA,
    ),
    rule(
        "query-language",
        "a query language is JSONata or JSONPath; a JSONata machine has no JSONPath states",
        SPEC,
    ),
    rule("state-type", "a state has one of the eight types", SPEC),
    rule(
        "field-unknown",
        "machine, state, rule, retrier and catcher have the fields of their kind and no others",
        SPEC,
    ),
    rule(
        "field-language",
        "fields of one query language do not stand in a state of the other",
        JSONATA,
    ),
    rule(
        "field-missing",
        "they have the fields that their kind needs",
        SPEC,
    ),
    rule(
        "field-either",
        "fields that exclude each other do not stand together",
        SPEC,
    ),
    rule("field-type", "a constant is of the type of its field", SPEC),
    rule(
        "field-twice",
        "no field stands in an object twice, once with `.$`",
        SPEC,
    ),
    rule(
        "reference-path",
        "a Reference Path names one value; `ResultPath` names none of a variable or of the Context object",
        SPEC,
    ),
    rule(
        "default",
        "a Choice state has a `Default`: nothing catches `States.NoChoiceMatched`",
        "Choice workflow state",
    ),
    rule("start", "`StartAt` names a state of its scope", SPEC),
    rule(
        "next",
        "`Next` and `Default` name states of the same scope: none leads into or out of a Map",
        SPEC,
    ),
    rule("end", "some state of each scope ends it", SPEC),
    rule("unreachable", "some way leads to each state", "–"),
    rule(
        "state-name",
        "the name of a state has 80 characters at most",
        SPEC,
    ),
    rule("state-unique", "it is unique in the whole machine", SPEC),
    rule("error-names", "a retrier or catcher names an error", SPEC),
    rule("error-all", "`States.ALL` stands alone, and last", ERRORS),
    rule(
        "error-known",
        "a name with `States.` is one that Step Functions reports",
        ERRORS,
    ),
    rule(
        "error-caught",
        "`States.Runtime` is neither retried nor caught",
        ERRORS,
    ),
    rule(
        "error-dead",
        "no name stands where another retrier or catcher has taken it before",
        ERRORS,
    ),
    rule(
        "error-reserved",
        "an error of a Fail state does not begin with `States.`",
        ERRORS,
    ),
    rule(
        "retry-bounds",
        "`IntervalSeconds` from 1 and `MaxAttempts` from 0 to 99,999,999, `BackoffRate` from 1, `MaxDelaySeconds` over the interval and to 31,622,400, `JitterStrategy` FULL or NONE",
        ERRORS,
    ),
    rule(
        "map-mode",
        "a Map is INLINE or DISTRIBUTED, and a distributed one says STANDARD or EXPRESS",
        DISTRIBUTED,
    ),
    rule(
        "map-distributed",
        "reader, batcher, writer, label and tolerated failures are for a Distributed Map",
        DISTRIBUTED,
    ),
    rule(
        "map-concurrency",
        "an inline Map runs 40 iterations at once, a distributed one 10,000",
        MAP,
    ),
    rule(
        "map-tolerated",
        "`ToleratedFailurePercentage` is from 0 to 100",
        DISTRIBUTED,
    ),
    rule(
        "map-label",
        "a label has 40 characters at most",
        DISTRIBUTED,
    ),
    rule(
        "map-reader",
        "a reader has the fields of its call and of its `InputType`, with bucket and key",
        READER,
    ),
    rule("definition-size", "a definition has 1 MiB at most", QUOTAS),
    rule(
        "timeout",
        "a time-out is from 1 to 99,999,999 seconds, that of a Standard machine a year at most",
        TASK,
    ),
    rule(
        "heartbeat",
        "`HeartbeatSeconds` is less than `TimeoutSeconds`",
        TASK,
    ),
    rule(
        "wait",
        "a Wait state waits 0 to 99,999,999 seconds",
        "Wait workflow state",
    ),
    rule(
        "express",
        "an EXPRESS machine ends within 300 seconds, has no Distributed Map, no `.sync` and no `.waitForTaskToken`",
        TYPE,
    ),
    rule(
        "partition",
        "every ARN is of the partition that the machine is deployed in; no source names one",
        SERVICES,
    ),
    rule(
        "resource",
        "a task calls an integration that is listed here",
        SERVICES,
    ),
    rule(
        "arguments",
        "it has the arguments that the integration needs, and no others",
        SERVICES,
    ),
];

/// What other tests decide, each named.
pub const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "a payload, and what one `Assign` takes, has 256 KiB at most",
        QUOTAS,
        "every_payload_stays_well_below_the_limit",
    ),
    (
        "a cause has 32,768 characters at most: cut JSON cannot be read",
        "API_HistoryEvent",
        "every_cause_is_short_enough_to_stay_whole",
    ),
    (
        "a name that a retrier or catcher treats can be raised there, and what can be raised goes somewhere",
        ERRORS,
        "every_name_that_a_state_treats_is_one_that_it_can_meet",
    ),
    (
        "a task waits longer than its function runs, and a machine longer still",
        TASK,
        "a_task_waits_longer_than_its_function_can_run_and_the_machine_longer_still",
    ),
    (
        "a variable of an outer scope is not written from an inner one, and no expression is undefined, in every simulated execution",
        VARIABLES,
        "every_version_is_backed_up_once_and_in_order_whatever_fails",
    ),
];
