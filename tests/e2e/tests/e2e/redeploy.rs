//! What outlives a stack is taken up again, by the commands of docs/redeploy.md: a catalog that was restored, and all
//! that a deleted stack left. Nothing is copied twice.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use backup_e2e::World;
use backup_stack::{REGION, Service, Silent, Toolchain};
use serde_json::{Value, json};

/// The shell's commands of a section of the page, as they stand there; those of `s3-backup` go by their binary.
fn commands(section: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/redeploy.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("# {section}\n")).unwrap();
    let section = rest.split("\n#").next().unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("$ "));
    let found: Vec<_> = lines
        .filter(|line| !line.starts_with("s3-backup"))
        .collect();
    assert!(!found.is_empty(), "{section}");
    found.join("\n")
}

/// Runs them in a shell whose `aws` calls the local stack, with these variables set before; returns what they print.
fn shell(world: &World, variables: &[(&str, &str)], commands: &str) -> String {
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    let python = toolchain.layout().local().join("venv/sam/bin/python");
    // Of this stack alone: its port is.
    let port = world.cloud.endpoint().rsplit(':').next().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("aws-{port}"));
    fs::create_dir_all(&folder).unwrap();
    let aws = folder.join("aws");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws.py");
    let line = format!(
        "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
        python.display(),
        script.display()
    );
    fs::write(&aws, line).unwrap();
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            shell.env_remove(name);
        }
    }
    let output = shell
        .args(["-euc", commands])
        .current_dir(&folder)
        .envs(variables.iter().copied())
        .env("PATH", path)
        .env("AWS_ENDPOINT_URL", world.cloud.endpoint())
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a user does next: the event of what is stored adds nothing, an upload is backed up, all is well.
fn goes_on(world: &World, before: &str, event: &str, key: &str) {
    let again = world.start_with(event);
    assert_eq!(
        (again.status.as_str(), again.output["outcome"].as_str()),
        ("SUCCEEDED", Some("duplicate")),
        "{again:?}"
    );
    assert_eq!(world.versions(world.backup(), before).len(), 1, "{before}");
    assert_eq!(world.points(before).len(), 1, "{before}");

    let next = world.upload(key, b"and on it goes", &[]);
    assert_eq!(next.status, "SUCCEEDED", "{next:?}");
    assert_eq!(world.versions(world.backup(), key).len(), 1);
    assert_eq!(world.points(key)[0]["status"], json!({"S": "stored"}));
    let status = world.s3_backup(&["status", before, "--json"]);
    let shown = String::from_utf8_lossy(&status.stdout);
    assert_eq!(status.status.code(), Some(0), "{shown}");
    assert_eq!(
        serde_json::from_str::<Value>(&shown).unwrap()["status"],
        "stored"
    );
}

fn of_table(world: &World, action: &str, table: &str) -> Value {
    let named = json!({"TableName": table});
    world.cloud.json(Service::DynamoDb, action, &named).unwrap()
}

/// The table that the page restores to.
const RESTORED: &str = "s3-backup-catalog-2";

/// The commands that restore the catalog, by the section that restores the items.
fn restoring(items: &str) -> String {
    ["Restore the catalog", items, "What the new table lacks"]
        .map(commands)
        .join("\n")
}

/// Loses the catalog and restores it, by `restore`, and goes on with what it restored.
fn restored(world: &mut World, restore: impl FnOnce(&World, &str)) {
    let key = "lost/catalog.txt";
    let first = world.upload(key, b"before the loss", &[]);
    assert_eq!(first.status, "SUCCEEDED", "{first:?}");
    let event = world.input_of(&first.arn);

    let (new, old) = (RESTORED, world.outputs["CatalogTable"].clone());
    restore(world, &old);
    let ttl = of_table(world, "DescribeTimeToLive", new);
    assert_eq!(ttl["TimeToLiveDescription"]["TimeToLiveStatus"], "ENABLED");
    assert_eq!(ttl["TimeToLiveDescription"]["AttributeName"], "expiresAt");
    let recovery = of_table(world, "DescribeContinuousBackups", new);
    let recovery = &recovery["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(recovery["PointInTimeRecoveryStatus"], "ENABLED");
    let described = of_table(world, "DescribeTable", new);
    assert_eq!(described["Table"]["DeletionProtectionEnabled"], true);

    world.outputs = world.deploy_again(&[("CatalogTableName", new)]);
    assert_eq!(world.outputs["CatalogTable"], new);
    world.put_policy(&world.usual_policy());
    goes_on(world, key, &event, "lost/later.txt");

    // It is the owner's: the stack has changed nothing of it.
    assert_eq!(of_table(world, "DescribeTimeToLive", new), ttl);
    let after = of_table(world, "DescribeTable", new);
    for field in [
        "DeletionProtectionEnabled",
        "BillingModeSummary",
        "SSEDescription",
    ] {
        assert_eq!(after["Table"][field], described["Table"][field], "{field}");
    }
}

#[test]
fn a_catalog_that_was_lost_is_restored_and_nothing_is_copied_again() {
    let mut world = World::with_parameters(&[]);
    restored(&mut world, |world, old| {
        // DynamoDB makes a backup of a table that is deleted; here the test does.
        let backup = json!({"TableName": old, "BackupName": "by-the-deletion"});
        let cloud = &world.cloud;
        cloud
            .json(Service::DynamoDb, "CreateBackup", &backup)
            .unwrap();
        of_table(world, "DeleteTable", old);
        shell(world, &[], &restoring("A table that was deleted"));
    });
}

/// The local stack restores what is there now: the damage comes after the restore.
#[test]
#[ignore = "on demand: several deployments, minutes"]
fn a_catalog_that_is_damaged_is_restored_and_nothing_is_copied_again() {
    let mut world = World::with_parameters(&[]);
    restored(&mut world, |world, old| {
        shell(world, &[], &restoring("A table that is damaged"));
        of_table(world, "DeleteTable", old);
    });
}

/// `CloudFormation` takes the table for one that is there, until a deployment takes it out of the stack.
#[test]
#[ignore = "on demand: several deployments, minutes"]
fn a_catalog_without_any_backup_is_made_anew_by_two_deployments() {
    let mut world = World::with_parameters(&[]);
    let old = world.outputs["CatalogTable"].clone();
    of_table(&world, "DeleteTable", &old);
    world.outputs = world.deploy_again(&[("CatalogTableName", "none")]);
    assert_eq!(world.outputs["CatalogTable"], "none");
    world.outputs = world.deploy_again(&[("CatalogTableName", "")]);
    assert_ne!(world.outputs["CatalogTable"], "none");
    world.put_policy(&world.usual_policy());
    let key = "lost/for-good.txt";
    let next = world.upload(key, b"into a new catalog", &[]);
    assert_eq!(next.status, "SUCCEEDED", "{next:?}");
    assert_eq!(world.points(key)[0]["status"], json!({"S": "stored"}));
}

/// The parameter that takes what was kept.
fn parameter(kept: &str) -> Option<&'static str> {
    Some(match kept {
        "SourceBucket" => "SourceBucketName",
        "BackupBucket" => "BackupBucketName",
        "Catalog" => "CatalogTableName",
        "DeadLetterQueue" => "DeadLetterQueueName",
        "Topic" => "NotificationTopicArn",
        "ReportBucket" => "ReportBucketName",
        _ => return None,
    })
}

#[test]
#[ignore = "on demand: several deployments, minutes"]
fn a_stack_that_was_deleted_is_deployed_again_over_what_it_left() {
    let mut world = World::with_parameters(&[]);
    let key = "again/kept.txt";
    let first = world.upload(key, b"before the deletion", &[]);
    assert_eq!(first.status, "SUCCEEDED", "{first:?}");
    let event = world.input_of(&first.arn);
    let before = world.outputs.clone();

    let delete = format!("{}\necho \"$STACK_ID\"", commands("Delete the stack"));
    let id = shell(&world, &[], &delete);
    let id = id.trim();
    assert!(id.contains(":stack/s3-backup/"), "{id}");
    gone(&world);

    let listed = commands("Deploy again over what it left");
    let kept = shell(&world, &[("STACK_ID", id)], &listed);
    let kept: BTreeMap<_, _> = kept
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    for guard in [
        "SourceBucketPolicy",
        "BackupBucketPolicy",
        "DeadLetterQueuePolicy",
    ] {
        assert!(kept.contains_key(guard), "{guard}: {kept:?}");
    }
    let given: Vec<_> = kept
        .iter()
        .filter_map(|(name, physical)| {
            let physical = match *name {
                "DeadLetterQueue" => physical.rsplit('/').next().unwrap_or(physical),
                _ => physical,
            };
            Some((parameter(name)?, physical))
        })
        .collect();
    assert_eq!(given.len(), 6, "{kept:?}");

    world.outputs = world.deploy_again(&given);
    for output in [
        "SourceBucket",
        "BackupBucket",
        "CatalogTable",
        "DeadLetterQueueUrl",
        "TopicArn",
        "ReportBucket",
    ] {
        let tail = |outputs: &BTreeMap<String, String>| {
            let value = &outputs[output];
            value.rsplit('/').next().unwrap_or(value).to_owned()
        };
        assert_eq!(tail(&world.outputs), tail(&before), "{output}");
    }
    // By the policy that the new stack brings.
    goes_on(&world, key, &event, "again/later.txt");

    let audit = world.s3_backup(&["audit"]);
    let shown = [audit.stdout, audit.stderr].concat();
    let shown = String::from_utf8_lossy(&shown);
    assert_eq!(audit.status.code(), Some(0), "{shown}");
}

/// Waits until the stack is not there any more.
fn gone(world: &World) {
    let named = [("StackName", backup_stack::STACK_NAME)];
    let begun = Instant::now();
    while let Ok(answer) = world
        .cloud
        .query(Service::CloudFormation, "DescribeStacks", &named)
    {
        assert!(begun.elapsed() < Duration::from_mins(1), "{answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
