//! The catalog's table is gone: everything comes back from the backup bucket alone.

use backup_e2e::World;
use backup_e2e::restoring::SCRATCH;
use backup_e2e::world::wait;
use backup_stack::Service;
use serde_json::json;

#[test]
fn the_table_is_deleted_and_the_whole_bucket_comes_back_from_the_backup() {
    let world = World::with_parameters(&[("RestoreBucketNames", SCRATCH)]);
    world.cloud.create_bucket(SCRATCH).unwrap();
    let put = |key: &str, body: &[u8]| (key.to_owned(), Some(body.to_vec()));
    let large = vec![9; 9 * 1024 * 1024];
    let mut changes: Vec<_> = (0..20)
        .map(|number| {
            put(
                &format!("many/{number:02} é+%"),
                format!("body {number}").as_bytes(),
            )
        })
        .collect();
    changes.push(put("large/one.bin", &large));
    changes.push(put("mirror/deleted", b"deleted"));
    changes.push(put("mirror/undeleted", b"undeleted"));
    world.change(&changes);
    world.change(&[put("many/00 é+%", b"another body")]);
    world.change(&[("mirror/deleted".to_owned(), None)]);
    // Promoted: a delete marker at the backup, and a second copy on top of it.
    let undeleted = "mirror/undeleted";
    let source = world.source();
    let marker = world
        .objects
        .delete_object(source, undeleted, None)
        .unwrap();
    let hidden = |wanted| {
        let shown = world.objects.get_object(world.backup(), undeleted, None);
        if shown.is_err() == wanted {
            return Ok(());
        }
        Err(format!("hidden: {}", shown.is_err()))
    };
    wait("the backup hides it", || hidden(true));
    let id = marker.version_id();
    world.objects.delete_object(source, undeleted, id).unwrap();
    wait("the backup shows it again", || hidden(false));
    // Two kilobytes of its own metadata leave no room for the marker.
    let full = "f".repeat(1990);
    let headers = [("x-amz-meta-own", full.as_str())];
    let ended = world.upload("full/metadata", b"full", &headers);
    assert_eq!(ended.status, "SUCCEEDED", "{ended:?}");
    let at = world.moment();
    let mut was = world.contents(source, "");
    assert_eq!(was.len(), 23);

    let table = json!({"TableName": world.outputs["CatalogTable"]});
    world
        .cloud
        .json(Service::DynamoDb, "DeleteTable", &table)
        .unwrap();
    let mut input = json!({"prefix": "", "at": at, "to": {"bucket": SCRATCH}});
    let refused = world.restore(&input);
    assert_eq!(refused.error, "InvalidRestore", "{refused:?}");
    let said = refused.cause.to_string();
    assert!(
        said.contains("the catalog is not there") && said.contains("--from-backup"),
        "{said}"
    );
    // The command line says it before anything begins, and asks for no table where none is needed.
    let typed = [
        "restore",
        "--prefix",
        "",
        "--at",
        &at,
        "--to",
        SCRATCH,
        "--dry-run",
    ];
    let refused = world.says(&typed);
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(
        refused.err.contains("NoSuchTable") && refused.err.contains("--from-backup"),
        "{refused:?}"
    );
    let planned = world.says(&[&typed[..], &["--from-backup", world.backup()]].concat());
    assert_eq!(planned.code, Some(1), "{planned:?}");
    assert!(planned.out.contains("22"), "{planned:?}");
    input["from"] =
        json!({"backup": {"bucket": world.backup(), "region": world.outputs["BackupRegion"]}});
    let ended = world.restore(&input);
    assert_eq!(ended.error, "RestoreIncomplete", "{ended:?}");
    let said = ended.cause["message"].as_str().unwrap();
    assert!(
        said.contains("22 objects") && said.contains("1 without a copy"),
        "{said}"
    );
    let run = ended.arn.rsplit(':').next().unwrap();
    let page = world.document(&format!("restores/{run}/report/report.md"));
    assert!(page.contains("full/metadata"), "{page}");
    was.remove("full/metadata");
    assert!(world.contents(SCRATCH, "") == was, "compared by content");
}
