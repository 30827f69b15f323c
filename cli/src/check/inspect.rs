//! What AWS says of a subject, and what is not fit of it.

use std::collections::BTreeSet;

use backup_aws::Clients;
use backup_aws::deployment::{self, Inspected};
use backup_domain::deployment::{
    Bucket, DefaultKey, Finding, Queue, Role, Severity, Table, Topic, less_encrypted, named_key,
    service_key,
};

use super::subject::{Place, Subject};

/// Everything that is not fit, the worst first.
pub async fn findings(clients: &Clients, subject: &Subject) -> Vec<Finding> {
    let mut found = subject.own_findings();
    let mut keys: BTreeSet<String> = subject.keys.iter().flatten().cloned().collect();
    if let Some(source) = &subject.source {
        keys.extend(source_key(&mut found, clients, subject, source).await);
    }
    for place in &subject.places {
        keys.extend(place_key(&mut found, clients, subject, place).await);
    }
    if let Some(reports) = &subject.reports {
        let region = &subject.region;
        let seen = look(&mut found, clients, reports, Role::Reports, region, None).await;
        if let Some((_, Some(DefaultKey::OfOwner(_)))) = seen {
            found.push(service_key(format!("bucket {reports}")));
        }
    }
    let placed: BTreeSet<_> = subject.places.iter().map(|it| &it.bucket).collect();
    for name in subject.others.iter().filter(|it| !placed.contains(it)) {
        let seen = deployment::bucket(clients, name, Role::Other, None, None).await;
        take(&mut found, seen, Bucket::findings);
    }
    if !keys.is_empty() || subject.topic.is_some() {
        match deployment::account(clients).await {
            Ok(account) => {
                for arn in &keys {
                    let key = deployment::key(clients, arn, &account).await;
                    take(&mut found, key, |it| it.findings(&account));
                }
                let topic = subject.topic.as_ref();
                found.extend(topic.and_then(|it| foreign_topic(it, &subject.region, &account)));
            }
            Err(finding) => found.push(finding),
        }
    }
    if let Some(name) = &subject.table {
        let seen = deployment::table(clients, name).await;
        let key = seen.resource.as_ref();
        let key = key.and_then(|it| it.encryption_key.clone());
        take(&mut found, seen, Table::findings);
        if let Some(key) = key {
            let on = format!("table {name}");
            let key = deployment::owners_key(clients, &key, &subject.region, &on).await;
            take(&mut found, key, |_| vec![service_key(on.as_str())]);
        }
    }
    if let Some(url) = &subject.queue {
        let queue = deployment::queue(clients, url).await;
        take(&mut found, queue, Queue::findings);
    }
    if let Some(arn) = &subject.topic {
        let topic = deployment::topic(clients, arn).await;
        take(&mut found, topic, Topic::findings);
    }
    found.sort_by_key(|it| std::cmp::Reverse(it.severity));
    found.dedup();
    found
}

fn take<T>(found: &mut Vec<Finding>, seen: Inspected<T>, of: impl Fn(&T) -> Vec<Finding>) {
    found.extend(seen.findings);
    found.extend(seen.resource.iter().flat_map(of));
}

/// What keeps a table from being the catalog. Whose key encrypts it is not asked: each command begins with this,
/// and needs no rights of KMS for it.
pub async fn of_table(clients: &Clients, name: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let seen = deployment::table(clients, name).await;
    take(&mut found, seen, Table::findings);
    found
}

/// Looks at a bucket; of one that is there says its region and the key of its default encryption.
async fn look(
    found: &mut Vec<Finding>,
    clients: &Clients,
    name: &str,
    role: Role,
    region: &str,
    owner: Option<&str>,
) -> Option<(String, Option<DefaultKey>)> {
    let seen = deployment::bucket(clients, name, role, Some(region), owner).await;
    let region = seen.resource.as_ref().map(|it| {
        let own = it.region.clone();
        own.unwrap_or_else(|| region.to_owned())
    });
    take(found, seen, Bucket::findings);
    let region = region?;
    let key = deployment::default_key(clients, name, &region).await;
    found.extend(key.findings);
    Some((region, key.resource))
}

/// The key of the source's objects, where it is one of the owner's.
async fn source_key(
    found: &mut Vec<Finding>,
    clients: &Clients,
    subject: &Subject,
    name: &str,
) -> Option<String> {
    let region = &subject.region;
    let (region, key) = look(found, clients, name, Role::Source, region, None).await?;
    let key = key?;
    // Whosever key it is: a destination without one encrypts less.
    let covered = |place: &Place| place.key.is_some() || place.weaker;
    if subject.unnamed_place || !subject.places.iter().all(covered) {
        found.push(less_encrypted(name));
    }
    let DefaultKey::OfOwner(arn) = key else {
        return None;
    };
    found.extend(named_key(name, &arn, subject.keys.as_deref(), &region));
    Some(arn)
}

/// The key of the copies in a destination, where it is one of the owner's.
async fn place_key(
    found: &mut Vec<Finding>,
    clients: &Clients,
    subject: &Subject,
    place: &Place,
) -> Option<String> {
    let Place { bucket, region, .. } = place;
    let owner = place.account.as_deref();
    let seen = look(found, clients, bucket, Role::Destination, region, owner).await;
    let (region, default) = seen.unwrap_or_else(|| (region.clone(), None));
    // The bucket's own default encrypts where the policy names no key.
    let arn = match (&place.key, default) {
        (Some(named), _) => named.clone(),
        (None, Some(DefaultKey::OfOwner(arn))) => arn,
        (None, _) => return None,
    };
    found.extend(named_key(bucket, &arn, subject.keys.as_deref(), &region));
    Some(arn)
}

/// CloudWatch notifies topics of its own region and account alone.
fn foreign_topic(arn: &str, region: &str, account: &str) -> Option<Finding> {
    let mut parts = arn.split(':').skip(3);
    let own = parts.next() == Some(region) && parts.next() == Some(account);
    (!own).then(|| {
        Finding::new(
            "WrongRegion",
            Severity::Unfit,
            format!("topic {arn}"),
            format!("it is not in {region} and in the account {account}: alarms cannot notify it"),
            "name a topic of the stack's region and account",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::foreign_topic;

    #[test]
    fn a_topic_is_of_the_stacks_region_and_account() {
        let of = |arn| foreign_topic(arn, "eu-west-1", "111122223333").map(|it| it.name);
        assert_eq!(of("arn:aws:sns:eu-west-1:111122223333:told"), None);
        for arn in [
            "arn:aws:sns:us-east-1:111122223333:told",
            "arn:aws:sns:eu-west-1:444455556666:told",
        ] {
            assert_eq!(of(arn), Some("WrongRegion"), "{arn}");
        }
    }
}
