use super::*;

fn names(table: &Table) -> Vec<&'static str> {
    table.findings().iter().map(|it| it.name).collect()
}

fn made() -> Table {
    Table {
        name: "catalog".to_owned(),
        region: "eu-west-1".to_owned(),
        ..wanted()
    }
}

#[test]
fn the_table_of_the_template_is_fit_with_and_without_recovery_points() {
    assert_eq!(names(&made()), [""; 0]);
    let empty = Table {
        item_version: None,
        ..made()
    };
    assert_eq!(names(&empty), [""; 0]);
}

#[test]
fn a_restored_table_lacks_what_a_restore_does_not_bring() {
    let restored = Table {
        time_to_live: None,
        recoverable: false,
        protected: false,
        ..made()
    };
    assert_eq!(
        names(&restored),
        [
            "NoTimeToLive",
            "NoPointInTimeRecovery",
            "NoDeletionProtection"
        ]
    );
    for finding in restored.findings() {
        assert!(finding.remedy.starts_with("aws dynamodb "), "{finding:?}");
        let on = "--region eu-west-1 --table-name catalog";
        assert!(finding.remedy.contains(on), "{finding:?}");
        assert_ne!(finding.severity, Severity::Unfit);
    }
}

#[test]
fn a_table_that_is_not_a_catalog_is_refused_by_name() {
    let mut other = made();
    other.key = KeySchema::new("id", None);
    assert_eq!(names(&other), ["WrongKeySchema"]);
    assert!(other.findings()[0].problem.contains("its key is id"));
    let numbers = Table {
        not_strings: vec!["sk".to_owned()],
        ..made()
    };
    assert_eq!(names(&numbers), ["WrongKeySchema"]);
    let newer = Table {
        item_version: Some(SHAPE + 1),
        ..made()
    };
    assert_eq!(names(&newer), ["UnknownItemVersion"]);
}

#[test]
fn an_index_that_is_missing_or_wrong_is_named_with_the_command_that_makes_it() {
    let mut lacking = made();
    lacking.indexes.remove("by-open");
    let index = lacking.indexes.get_mut("by-day").expect("there");
    index.attributes = Some(vec!["status".to_owned()]);
    let findings = lacking.findings();
    assert_eq!(names(&lacking), ["WrongIndex", "MissingIndex"]);
    assert_eq!(
        findings[1].remedy,
        "aws dynamodb update-table --region eu-west-1 --table-name catalog --attribute-definitions \
         AttributeName=open,AttributeType=S AttributeName=openSince,AttributeType=S \
         --global-secondary-index-updates '[{\"Create\":{\"IndexName\":\"by-open\",\
         \"KeySchema\":[{\"AttributeName\":\"open\",\"KeyType\":\"HASH\"},\
         {\"AttributeName\":\"openSince\",\"KeyType\":\"RANGE\"}],\"Projection\":\
         {\"ProjectionType\":\"INCLUDE\",\"NonKeyAttributes\":[\"status\",\"object\"]}}}]'; one index after another: \
         wait until its IndexStatus is ACTIVE"
    );
    assert!(findings[0].remedy.contains("\"Delete\""));
    let mut made_yet = made();
    made_yet.indexes.get_mut("by-day").expect("there").active = false;
    assert_eq!(names(&made_yet), ["IndexNotActive"]);
    let provisioned = Table {
        on_demand: false,
        ..made()
    };
    assert_eq!(names(&provisioned), ["NotOnDemand"]);
    let mut wider = made();
    wider.indexes.get_mut("by-owed").expect("there").attributes = None;
    assert_eq!(names(&wider), [""; 0], "more attributes do no harm");
}
