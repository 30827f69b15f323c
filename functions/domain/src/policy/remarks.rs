//! What a valid policy costs that its owner may not have meant.

use super::{Policy, Rule};
use crate::limits::{BILLED_CLASSES, BilledClass};

/// Points out minimum charges: a rule that lets small objects into a class that bills a minimum size,
/// and what a copy costs that does not stay for the minimum time. No error: it may be meant.
///
/// ```
/// use backup_domain::policy::{parse, remarks};
/// let policy = parse(r#"{"version":1,
///     "destinations":{"cold":{"bucket":"b","region":"r","storageClass":"GLACIER_IR"}},
///     "rules":[{"name":"all","destinations":["cold"]}]}"#, &[])?;
/// assert!(remarks(&policy)[0].starts_with("rule all puts objects under 131072 bytes into GLACIER_IR"));
/// # Ok::<(), backup_domain::policy::PolicyError>(())
/// ```
pub fn remarks(policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    for rule in &policy.rules {
        for name in &rule.destinations {
            let destination = policy.destinations.get(name);
            let class = destination.and_then(|it| it.storage_class.as_deref());
            let billed = BILLED_CLASSES.iter().find(|it| Some(it.class) == class);
            found.extend(billed.and_then(|billed| remark(rule, name, billed)));
        }
    }
    found
}

fn remark(rule: &Rule, destination: &str, billed: &BilledClass) -> Option<String> {
    let BilledClass {
        class,
        bytes_min,
        days_min,
        charge,
    } = billed;
    let size = rule.matching.size.as_ref();
    let smallest = size.and_then(|size| size.min_bytes).unwrap_or_default();
    (smallest < *bytes_min).then(|| {
        format!(
            "rule {} puts objects under {bytes_min} bytes into {class} (destination {destination}): \
             {charge}, and each copy for {days_min} days at least; \
             give the rule \"size\": {{\"minBytes\": {bytes_min}}} and the small ones another destination",
            rule.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn remarks_of(class: &str, size: &str) -> Vec<String> {
        let document = format!(
            r#"{{"version":1,"destinations":{{"d":{{"bucket":"b","region":"r","storageClass":"{class}"}}}},
                "rules":[{{"name":"all","match":{{{size}}},"destinations":["d"]}}]}}"#
        );
        remarks(&parse(&document, &[]).expect("a policy"))
    }

    #[test]
    fn small_objects_in_classes_with_a_minimum_are_pointed_out() {
        for class in [
            "STANDARD_IA",
            "ONEZONE_IA",
            "GLACIER_IR",
            "GLACIER",
            "DEEP_ARCHIVE",
        ] {
            let said = remarks_of(class, "");
            assert_eq!(said.len(), 1, "{class}");
            assert!(
                said[0].contains(class) && said[0].contains("days"),
                "{said:?}"
            );
        }
        for class in ["STANDARD", "INTELLIGENT_TIERING"] {
            assert!(remarks_of(class, "").is_empty(), "{class}");
        }
    }

    #[test]
    fn a_rule_that_keeps_small_objects_out_is_not() {
        let large = r#""size":{"minBytes":131072}"#;
        assert!(remarks_of("GLACIER_IR", large).is_empty());
        let nearly = r#""size":{"minBytes":131071}"#;
        assert_eq!(remarks_of("GLACIER_IR", nearly).len(), 1);
    }
}
