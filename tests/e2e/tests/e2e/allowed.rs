//! Each function may do what it does, and nothing more: the calls that the functions really make
//! against the roles as deployed.

use std::collections::{BTreeMap, BTreeSet};

use backup_e2e::World;
use backup_e2e::iam::Permission;
use backup_e2e::inventoried::INVENTORIES;
use backup_e2e::requests;

const POLLED: &str = "Lambda's poller does it under the function's role (AWS Lambda Developer Guide, \"Creating and configuring an Amazon SQS event source mapping\")";

/// Granted though no call asks for it: function (`*` for each), action, and why.
const UNASKED: &[(&str, &str, &str)] = &[
    ("Intake", "sqs:ReceiveMessage", POLLED),
    ("Intake", "sqs:DeleteMessage", POLLED),
    ("Intake", "sqs:GetQueueAttributes", POLLED),
    ("FollowLifecycle", "sqs:ReceiveMessage", POLLED),
    ("FollowLifecycle", "sqs:DeleteMessage", POLLED),
    ("FollowLifecycle", "sqs:GetQueueAttributes", POLLED),
    (
        "*",
        "s3:ListBucket",
        "with it a HEAD of a missing key is answered 404, without it 403 (HeadObject, \"Permissions\")",
    ),
    (
        "Record",
        "s3:GetObjectTagging",
        "a null version is promoted by its key, and the source at hand keeps versions",
    ),
    (
        "AuditSlice",
        "s3:GetObject",
        "a null version is read by its key, and the source at hand keeps versions",
    ),
    ("PlanBackfill", "s3:ListBucketVersions", EMPTY),
    ("PlanBackfill", "s3:GetObjectVersion", EMPTY),
    (
        "AuditSlice",
        "states:DescribeExecution",
        "no run is gone on with here; see a_run_that_is_worked_on_is_refused_to_another_execution",
    ),
    ("Copy", "dynamodb:PutItem", PROBE),
    ("BeginMultipart", "dynamodb:PutItem", PROBE),
    ("Notify", "dynamodb:GetItem", PROBE),
];

const PROBE: &str =
    "no breaker opens here; see copy_and_begin_may_claim_the_probe_and_nothing_more";

const EMPTY: &str =
    "the catalog is not empty here; see an_empty_catalog_before_a_full_backup_is_refused_by_name";

/// What no function may ever do to either bucket.
const NEVER: &[&str] = &[
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectTagging",
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectAcl",
];

/// What the command line calls itself.
const OPERATOR: &str = "s3-backup";

/// Short name, as `Copy`, of `s3-backup-CopyFunction-…`.
pub fn step(function: &str) -> &str {
    let name = function.split("Function-").next().unwrap();
    name.rsplit('-').next().unwrap()
}

/// The calls of one run of each kind, then every grant and every call against each other.
#[test]
fn each_function_may_do_what_it_does_and_nothing_more() {
    let world = World::get();
    let _policy = world.policy.read().unwrap();
    crate::asl::Machine::read(world, "allowed");
    crate::every_call::make(world);
    // Those outside the machine have their own world, where they disturb nobody; Notify counts
    // messages in another.
    let outside =
        ["Watcher", "Sweep", "Redrive", "ReportLag", "Notify"].map(|name| world.function(name));
    let mut asked = asked(world);
    asked.retain(|function, _| !outside.contains(function));
    let mut functions = world.functions();
    functions.retain(|function| !outside.contains(function));
    assert_eq!(
        asked.keys().collect::<BTreeSet<_>>(),
        functions.iter().collect()
    );
    for function in &functions {
        let grants = world.grants(function);
        check(world, step(function), &grants, &asked[function]);
    }
}

/// What every function has asked for until now, and what the services ask of KMS in its name.
pub fn asked(world: &World) -> BTreeMap<String, BTreeSet<Permission>> {
    let mut asked: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
    for call in world.proxy.calls("") {
        let caller = call
            .caller()
            .unwrap_or_else(|| panic!("nameless: {}", call.request));
        // The command line calls with an operator's own rights.
        if caller == OPERATOR {
            continue;
        }
        let own = asked.entry(caller.to_owned()).or_default();
        own.extend(world.needs(&call));
    }
    asked
}

pub fn check(world: &World, step: &str, grants: &[Permission], asked: &BTreeSet<Permission>) {
    let allowed = |asked: &Permission| grants.iter().any(|grant| grant.allows(asked));
    let mut unused: Vec<_> = grants.iter().collect();
    unused.retain(|grant| !asked.iter().any(|asked| grant.allows(asked)));
    let (excused, surplus): (Vec<_>, Vec<_>) = unused.iter().partition(|grant| {
        let names = |on: &str| [step, "*"].contains(&on);
        let mut reasons = UNASKED.iter();
        // The parameter names the keys of both sides: what is done with one key is granted on all.
        let by_another_key = grant.action.starts_with("kms:")
            && asked.iter().any(|asked| asked.action == grant.action);
        by_another_key || reasons.any(|(on, action, _)| names(on) && *action == grant.action)
    });
    let wide: Vec<_> = grants.iter().filter(|it| it.action.contains('*')).collect();
    assert!(wide.is_empty(), "{step} may do {wide:?}");
    let is_tabled = || {
        world.is_tabled(
            step,
            asked.iter().cloned(),
            excused.iter().copied().cloned(),
        );
    };
    if requests::is_written() {
        is_tabled();
    }
    let buckets = [world.source(), world.backup()].map(|bucket| format!("arn:aws:s3:::{bucket}"));
    let ours = |asked: &&Permission| {
        let on = asked.resource.as_str();
        let reports = format!("arn:aws:s3:::{}", &world.outputs["ReportBucket"]);
        let inventories = format!("arn:aws:s3:::{INVENTORIES}");
        !on.starts_with("arn:aws:s3:")
            || [&buckets[0], &buckets[1], &reports, &inventories]
                .into_iter()
                .any(|bucket| on == *bucket || on.starts_with(&format!("{bucket}/")))
    };
    let (known, foreign): (Vec<_>, Vec<_>) = asked.iter().partition(ours);
    for asked in known {
        assert!(allowed(asked), "{step} is not allowed {asked:?}");
        for elsewhere in elsewhere(world, asked) {
            assert!(!allowed(&elsewhere), "{step} is allowed {elsewhere:?}");
        }
    }
    // Buckets that other tests name in their policies and the deployment does not know.
    for asked in foreign {
        assert!(!allowed(asked), "{step} is allowed {asked:?}");
    }
    assert!(surplus.is_empty(), "{step} has never needed {surplus:#?}");
    is_tabled();
    for bucket in &buckets {
        for action in NEVER {
            // Without a version id: a delete marker on top, which removes nothing. Record mirrors a
            // deletion on the backup, a rollback hides at the source what came later.
            let marks = *action == "s3:DeleteObject"
                && (step == "Record" && *bucket == buckets[1]
                    || step == "RestoreBatch" && *bucket == buckets[0]);
            let some = [bucket.clone(), format!("{bucket}/key")];
            for on in some.into_iter().filter(|_| !marks) {
                let never = Permission::new(action, on);
                assert!(!allowed(&never), "{step} is allowed {never:?}");
            }
        }
    }
    // Only what restores writes to the source, and that writes to nothing else of ours.
    let writes =
        |bucket: &String| allowed(&Permission::new("s3:PutObject", format!("{bucket}/key")));
    assert_eq!(
        writes(&buckets[0]),
        step == "RestoreBatch",
        "{step} and the source"
    );
    assert!(
        step != "RestoreBatch" || !writes(&buckets[1]),
        "{step} and the backup"
    );
}

/// The same action on resources of the same kind that are not the stack's.
fn elsewhere(world: &World, asked: &Permission) -> Vec<Permission> {
    // The key of a report names the bucket that it lists.
    if asked
        .resource
        .starts_with(&format!("arn:aws:s3:::{INVENTORIES}/"))
    {
        return vec![];
    }
    let mut found = Vec::new();
    let queued = [
        ("ExpressStateMachineArn", "another-machine"),
        ("IntakeQueueUrl", "another-queue"),
    ];
    let queued = queued.into_iter().filter_map(|(output, other)| {
        let own = world.outputs.get(output)?;
        Some((own.rsplit([':', '/']).next()?, other))
    });
    let always = [
        (world.source(), "another-bucket"),
        (world.backup(), "another-bucket"),
        (INVENTORIES, "another-bucket"),
        (world.outputs["CatalogTable"].as_str(), "another-table"),
        (world.outputs["PolicyParameter"].as_str(), "/another/policy"),
        (
            world.outputs["TopicArn"].as_str(),
            "arn:aws:sns:us-east-1:000000000000:another",
        ),
        (
            world.outputs["DeadLetterQueueUrl"]
                .rsplit('/')
                .next()
                .unwrap(),
            "another-queue",
        ),
        (world.outputs["ReportBucket"].as_str(), "another-bucket"),
        ("key/source", "key/another"),
        ("key/backup", "key/another"),
        (
            world.outputs["StateMachineArn"].rsplit(':').next().unwrap(),
            "another-machine",
        ),
    ];
    for (own, other) in always.into_iter().chain(queued) {
        let changed = asked.resource.replacen(own, other, 1);
        if changed != asked.resource {
            found.push(Permission::new(&asked.action, changed));
        }
    }
    found
}
