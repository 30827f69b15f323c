//! Choosing the rule for an object.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use super::{Match, Policy, Rule};

/// What is known of an object when a rule is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Key, raw.
    pub key: &'a str,
    /// Size in bytes.
    pub size: u64,
    /// What created events do not carry; `None` before the source was headed.
    pub headed: Option<&'a Known>,
}

/// What only a HEAD of the source tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Storage class, `STANDARD` where S3 sends none.
    pub storage_class: String,
    /// Content type, empty where there is none.
    pub content_type: String,
    /// Tags; empty where no rule asks for them.
    pub tags: BTreeMap<String, String>,
}

/// What the policy says of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice<'a> {
    /// This rule applies.
    Rule(&'a Rule),
    /// No rule applies, for this reason.
    Skip(String),
    /// A rule that comes first looks at the class, type or tags: head the source, then ask again.
    HeadFirst {
        /// Whether the tags are needed too, a call of their own.
        tags: bool,
    },
}

impl Policy {
    /// Chooses the first rule that matches.
    pub fn choose(&self, facts: Facts<'_>) -> Choice<'_> {
        for rule in &self.rules {
            if !matches_event(&rule.matching, facts) {
                continue;
            }
            let headed = match facts.headed {
                None if rule.matching.needs_head() => {
                    return Choice::HeadFirst {
                        tags: self.rules.iter().any(|rule| !rule.matching.tags.is_empty()),
                    };
                }
                None => true,
                Some(known) => matches_known(&rule.matching, known),
            };
            if headed && rule.destinations.is_empty() {
                return Choice::Skip(format!("rule {:?} has no destination", rule.name));
            }
            if headed {
                return Choice::Rule(rule);
            }
        }
        Choice::Skip(format!(
            "no rule matches: {} of {} bytes",
            quoted(facts.key),
            facts.size
        ))
    }
}

impl Match {
    fn needs_head(&self) -> bool {
        !(self.storage_classes.is_empty() && self.tags.is_empty() && self.content_types.is_empty())
    }
}

fn quoted(key: &str) -> String {
    format!("key {key:?}")
}

/// The globs were checked when the policy was read; one that is broken all the same matches nothing.
fn glob(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .ok()
        .map(|glob| glob.compile_matcher())
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns
        .iter()
        .filter_map(|pattern| glob(pattern))
        .any(|glob| glob.is_match(text))
}

fn matches_event(matching: &Match, facts: Facts<'_>) -> bool {
    let keys = matching.keys.as_ref().is_none_or(|keys| {
        (keys.include.is_empty() || any(&keys.include, facts.key)) && !any(&keys.exclude, facts.key)
    });
    let size = matching.size.as_ref().is_none_or(|size| {
        size.min_bytes.is_none_or(|min| facts.size >= min)
            && size.max_bytes.is_none_or(|max| facts.size <= max)
    });
    keys && size
}

fn matches_known(matching: &Match, known: &Known) -> bool {
    (matching.storage_classes.is_empty() || matching.storage_classes.contains(&known.storage_class))
        && matching
            .tags
            .iter()
            .all(|(key, value)| known.tags.get(key) == Some(value))
        && (matching.content_types.is_empty() || any(&matching.content_types, &known.content_type))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse;
    use super::*;

    fn policy(rules: &str) -> Policy {
        let document = format!(
            r#"{{"version":1,"destinations":{{"p":{{"bucket":"b","region":"r"}}}},"rules":{rules}}}"#
        );
        parse(&document, &["source".to_owned()]).expect("a policy")
    }

    fn facts(key: &str) -> Facts<'_> {
        Facts {
            key,
            size: 10,
            headed: None,
        }
    }

    fn name(choice: &Choice<'_>) -> String {
        match choice {
            Choice::Rule(rule) => rule.name.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn first_match_wins_and_no_match_is_a_skip_with_a_reason() {
        let policy = policy(
            r#"[{"name":"no-tmp","match":{"keys":{"include":["**/*.tmp","*.tmp"]}},"destinations":[]},
                {"name":"logs","match":{"keys":{"include":["logs/**"]},"size":{"minBytes":1,"maxBytes":100}},"destinations":["p"]}]"#,
        );
        assert_eq!(name(&policy.choose(facts("logs/a"))), "logs");
        let Choice::Skip(reason) = policy.choose(facts("logs/a.tmp")) else {
            panic!("must skip")
        };
        assert!(reason.contains("no-tmp"));
        let Choice::Skip(reason) = policy.choose(facts("other")) else {
            panic!("must skip")
        };
        assert!(reason.contains("no rule matches"), "{reason}");
        assert!(matches!(
            policy.choose(Facts {
                key: "logs/a",
                size: 101,
                headed: None
            }),
            Choice::Skip(_)
        ));
    }

    #[test]
    fn a_rule_on_tags_asks_for_a_head_only_when_reached() {
        let policy = policy(
            r#"[{"name":"first","match":{"keys":{"include":["a/**"]}},"destinations":["p"]},
                {"name":"tagged","match":{"tags":{"keep":"yes"},"contentTypes":["image/*"]},"destinations":["p"]}]"#,
        );
        assert_eq!(name(&policy.choose(facts("a/x"))), "first");
        assert_eq!(
            policy.choose(facts("b/x")),
            Choice::HeadFirst { tags: true }
        );
        let mut known = Known {
            content_type: "image/png".into(),
            ..Known::default()
        };
        assert!(matches!(
            policy.choose(Facts {
                headed: Some(&known),
                ..facts("b/x")
            }),
            Choice::Skip(_)
        ));
        known.tags.insert("keep".into(), "yes".into());
        assert_eq!(
            name(&policy.choose(Facts {
                headed: Some(&known),
                ..facts("b/x")
            })),
            "tagged"
        );
    }

    proptest! {
        #[test]
        fn everything_means_every_key(key in "\\PC{1,100}|[/\\n a]{1,8}") {
            for include in [r#"[{"name":"all","destinations":["p"]}]"#,
                r#"[{"name":"all","match":{"keys":{"include":["**"]}},"destinations":["p"]}]"#] {
                let policy = policy(include);
                let all = matches!(policy.choose(facts(&key)), Choice::Rule(_));
                prop_assert!(all, "{key:?} is not matched");
            }
        }
    }
}
