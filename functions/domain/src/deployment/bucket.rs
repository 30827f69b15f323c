//! Buckets that are there before the stack is.

use super::{Finding, Severity};

/// What a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is backed up.
    Source,
    /// Copies go to it.
    Destination,
    /// Plans and reports go to it.
    Reports,
    /// It is read as an inventory, or restored to.
    Other,
}

/// Whether a bucket keeps versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    Enabled,
    /// It did.
    Suspended,
    /// It never did.
    Never,
}

/// What a bucket tells of its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notifications {
    /// Events go to EventBridge.
    EventBridge,
    /// Nothing is told to anybody.
    None,
    /// Queues, topics or functions are told, EventBridge is not.
    Others,
}

/// A bucket as S3 describes it. What could not be asked is `None`, and is no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The region that it is to be in, absent where any will do.
    pub wanted_region: Option<String>,
    /// The region that it is in.
    pub region: Option<String>,
    /// Its versioning.
    pub versioning: Option<Versioning>,
    /// Its notifications; only a source's are looked at.
    pub notifications: Option<Notifications>,
}

impl Bucket {
    /// What keeps the backup from working with it.
    pub fn findings(&self) -> Vec<Finding> {
        let name = &self.name;
        let on = format!("bucket {name}");
        let mut found = Vec::new();
        let mut add = |finding, severity, problem: String, remedy: String| {
            found.push(Finding::new(
                finding,
                severity,
                on.as_str(),
                problem,
                remedy,
            ));
        };
        if let (Some(region), Some(wanted)) = (&self.region, &self.wanted_region)
            && region != wanted
        {
            let remedy = match self.role {
                Role::Source => {
                    format!("deploy the stack in {region}: it backs up buckets of its own region")
                }
                Role::Destination => format!(
                    "name {region} as its region: BackupRegionName, or region in the policy"
                ),
                Role::Reports | Role::Other => format!("name a bucket in {wanted}"),
            };
            let problem = format!("it is in {region}, not in {wanted}");
            add("WrongRegion", Severity::Unfit, problem, remedy);
        }
        let enable = format!(
            "aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        );
        match (self.role, self.versioning) {
            (Role::Destination, Some(Versioning::Suspended | Versioning::Never)) => add(
                "NoVersioning",
                Severity::Unfit,
                "it keeps no versions: a copy could be overwritten, so none is accepted".to_owned(),
                format!("{enable}, then wait 15 minutes"),
            ),
            (Role::Source, Some(Versioning::Suspended | Versioning::Never)) => add(
                "SourceUnversioned",
                Severity::Advice,
                "it keeps no versions: what is overwritten within seconds may never be copied"
                    .to_owned(),
                enable,
            ),
            (Role::Reports | Role::Other, _) | (_, None | Some(Versioning::Enabled)) => {}
        }
        let switch_on = format!(
            "aws s3api put-bucket-notification-configuration --bucket {name} --notification-configuration"
        );
        match self.notifications.filter(|_| self.role == Role::Source) {
            None | Some(Notifications::EventBridge) => {}
            Some(Notifications::None) => add(
                "NoEventBridgeNotifications",
                Severity::Unfit,
                "it sends no events to EventBridge: no upload would be backed up".to_owned(),
                format!("{switch_on} '{{\"EventBridgeConfiguration\":{{}}}}'"),
            ),
            Some(Notifications::Others) => add(
                "NoEventBridgeNotifications",
                Severity::Unfit,
                "it sends events to others, but not to EventBridge: no upload would be backed up"
                    .to_owned(),
                format!(
                    "aws s3api get-bucket-notification-configuration --bucket {name} > notifications.json, add \"EventBridgeConfiguration\": {{}} to it, then {switch_on} file://notifications.json"
                ),
            ),
        }
        found
    }
}

/// That the policy sends copies to a bucket that the roles may not write to.
pub fn not_named(bucket: &str) -> Finding {
    Finding::new(
        "BucketNotNamed",
        Severity::Unfit,
        format!("bucket {bucket}"),
        "the policy names it as a destination, and the roles may not write to it",
        "add it to MoreBackupBucketNames, and deploy",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bucket: &Bucket) -> Vec<&'static str> {
        bucket.findings().iter().map(|it| it.name).collect()
    }

    fn source() -> Bucket {
        Bucket {
            name: "shop".to_owned(),
            role: Role::Source,
            wanted_region: Some("eu-west-1".to_owned()),
            region: Some("eu-west-1".to_owned()),
            versioning: Some(Versioning::Enabled),
            notifications: Some(Notifications::EventBridge),
        }
    }

    #[test]
    fn fit_buckets_and_what_could_not_be_asked_are_no_findings() {
        assert_eq!(names(&source()), [""; 0]);
        let unknown = Bucket {
            region: None,
            versioning: None,
            notifications: None,
            ..source()
        };
        assert_eq!(names(&unknown), [""; 0]);
    }

    #[test]
    fn a_source_that_tells_eventbridge_nothing_is_found_with_the_command() {
        let silent = Bucket {
            notifications: Some(Notifications::None),
            ..source()
        };
        assert_eq!(names(&silent), ["NoEventBridgeNotifications"]);
        assert_eq!(
            silent.findings()[0].remedy,
            "aws s3api put-bucket-notification-configuration --bucket shop \
             --notification-configuration '{\"EventBridgeConfiguration\":{}}'"
        );
        let others = Bucket {
            notifications: Some(Notifications::Others),
            ..source()
        };
        // The call replaces the whole configuration: what is there must be sent along.
        assert!(
            others.findings()[0]
                .remedy
                .starts_with("aws s3api get-bucket-")
        );
        let destination = Bucket {
            role: Role::Destination,
            ..silent
        };
        assert_eq!(names(&destination), [""; 0], "a destination tells nothing");
    }

    #[test]
    fn versioning_is_needed_at_a_destination_and_advised_at_a_source() {
        for versioning in [Versioning::Never, Versioning::Suspended] {
            let source = Bucket {
                versioning: Some(versioning),
                ..source()
            };
            assert_eq!(source.findings()[0].severity, Severity::Advice);
            let destination = Bucket {
                role: Role::Destination,
                ..source
            };
            assert_eq!(names(&destination), ["NoVersioning"]);
            assert_eq!(destination.findings()[0].severity, Severity::Unfit);
        }
    }

    #[test]
    fn a_bucket_of_another_region_is_found_before_anything_is_copied() {
        for (role, remedy) in [
            (Role::Source, "deploy the stack in us-east-1"),
            (Role::Destination, "name us-east-1 as its region"),
        ] {
            let elsewhere = Bucket {
                region: Some("us-east-1".to_owned()),
                role,
                ..source()
            };
            assert_eq!(names(&elsewhere), ["WrongRegion"]);
            assert!(elsewhere.findings()[0].remedy.starts_with(remedy));
        }
    }
}
