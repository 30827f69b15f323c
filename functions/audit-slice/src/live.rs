//! One key as it is now, where inventories only told of it as it was.

use backup_aws::Failure;
use backup_aws::s3::pages::{From, Listed, Page};
use backup_domain::audit::{Entry, Group};
use backup_domain::policy::Destination;

use crate::context::Context;

/// All versions of exactly this key, at the source and at the destinations.
pub async fn group(
    context: &Context,
    destinations: &[(String, Destination)],
    key: &str,
) -> Result<Group, Failure> {
    let source = context.source_listing(key);
    let source = versions(&source, key).await;
    let mut sides = vec![source.map_err(|api| api.at_source(&context.source))?];
    for (_, destination) in destinations {
        let listed = context.listing(destination, key);
        let copies = versions(&listed, &format!("{}{key}", destination.prefix)).await;
        let bucket = &destination.bucket;
        sides.push(copies.map_err(|api| api.at_destination(bucket, &destination.region))?);
    }
    Ok(Group {
        key: key.to_owned(),
        sides,
    })
}

async fn versions(listed: &Listed, key: &str) -> Result<Vec<Entry>, backup_aws::ApiError> {
    let mut found = Vec::new();
    let mut from: Option<From> = None;
    loop {
        let Page { entries, next } = listed.versions(from).await?;
        // Longer keys follow the key itself.
        let passed = entries.last().is_some_and(|(last, _)| last != key);
        let own = entries.into_iter().filter(|(listed, _)| listed == key);
        found.extend(own.map(|(_, entry)| entry));
        match next {
            Some(next) if !passed => from = Some(next),
            _ => break,
        }
    }
    found.sort_by(|a, b| b.latest.cmp(&a.latest).then(b.modified.cmp(&a.modified)));
    Ok(found)
}
