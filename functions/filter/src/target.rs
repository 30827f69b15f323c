//! One destination of one object, as the policy has it.

use backup_aws::{ErrorName, Failure};
use backup_domain::policy::{Rule, Verify};
use backup_domain::task::Target;
use backup_domain::{Policy, SourceObject, evidence};

/// The target of a destination that a rule names.
pub fn target(
    policy: &Policy,
    rule: &Rule,
    name: &str,
    object: &SourceObject,
) -> Result<Target, Failure> {
    // The check of the policy has made sure that the name is there.
    let mut destination = policy.destinations.get(name).cloned().ok_or_else(|| {
        Failure::new(
            ErrorName::InvalidPolicy,
            format!("rule {} names {name}, which is not there", rule.name),
        )
    })?;
    // Every call names the owner it expects, so that a bucket that changed hands gets nothing.
    destination
        .account
        .get_or_insert_with(|| object.account.clone());
    let read = match rule.verify {
        Verify::Stored => false,
        Verify::Read => true,
        Verify::Sample(share) => evidence::is_sampled(share, object),
    };
    Ok(Target {
        name: name.to_owned(),
        // Whether that is too long is Copy's to say: it concerns this destination alone.
        key: format!("{}{}", destination.prefix, object.key),
        destination,
        read,
        archived: rule.archived,
        annotations: rule.annotations,
        deletes: rule.deletes,
        settle_only: None,
        rule: rule.name.clone(),
        attempts: 1,
        upload: None,
        bad: vec![],
        owed_after: None,
    })
}
