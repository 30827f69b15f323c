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

impl Policy {
    /// The rules that may take an object of this key, of which nothing else is known: up to the first
    /// that asks for the key alone.
    pub fn may_take<'a>(&'a self, key: &str) -> Vec<&'a Rule> {
        let mut rules = Vec::new();
        for rule in &self.rules {
            if !matches_key(&rule.matching, key) {
                continue;
            }
            rules.push(rule);
            if rule.matching.size.is_none() && !rule.matching.needs_head() {
                break;
            }
        }
        rules
    }

    /// The rule that a destination goes by for a key that has been backed up there by a rule of this
    /// name: that one; where it is no more, the first that may take the key there; `None` where there
    /// is none, or no such destination.
    pub fn of_backed_up(&self, name: &str, destination: &str, key: &str) -> Option<&Rule> {
        if !self.destinations.contains_key(destination) {
            return None;
        }
        let named = self.rules.iter().find(|rule| rule.name == name);
        let goes = |rule: &&Rule| rule.destinations.iter().any(|it| it == destination);
        named.or_else(|| self.may_take(key).into_iter().find(goes))
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

fn matches_key(matching: &Match, key: &str) -> bool {
    matching.keys.as_ref().is_none_or(|keys| {
        (keys.include.is_empty() || any(&keys.include, key)) && !any(&keys.exclude, key)
    })
}

fn matches_event(matching: &Match, facts: Facts<'_>) -> bool {
    let size = matching.size.as_ref().is_none_or(|size| {
        size.min_bytes.is_none_or(|min| facts.size >= min)
            && size.max_bytes.is_none_or(|max| facts.size <= max)
    });
    matches_key(matching, facts.key) && size
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

    #[test]
    fn a_deletion_goes_by_the_rules_that_the_key_alone_does_not_rule_out() {
        let policy = policy(
            r#"[{"name":"large","match":{"size":{"minBytes":100}},"destinations":["p"]},
                {"name":"logs","match":{"keys":{"include":["logs/**"]}},"destinations":["p"]},
                {"name":"no-more","match":{"keys":{"include":["other/**"]}},"destinations":[]},
                {"name":"all","destinations":["p"]}]"#,
        );
        let names = |key| {
            let rules = policy.may_take(key).into_iter();
            rules.map(|rule| rule.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names("logs/a"), ["large", "logs"]);
        assert_eq!(names("other/a"), ["large", "no-more"]);
        assert_eq!(names("x"), ["large", "all"]);
    }

    #[test]
    fn what_was_backed_up_keeps_a_rule_when_its_own_is_renamed_and_none_when_its_place_is_gone() {
        let policy = policy(
            r#"[{"name":"no-tmp","match":{"keys":{"include":["*.tmp"]}},"destinations":[]},
                {"name":"new","match":{"keys":{"include":["logs/**"]}},"destinations":["p"]},
                {"name":"kept","match":{"keys":{"include":["x"]}},"destinations":["p"]}]"#,
        );
        let rule = |name, destination, key| {
            let rule = policy.of_backed_up(name, destination, key);
            rule.map(|rule| rule.name.as_str())
        };
        assert_eq!(rule("kept", "p", "logs/a"), Some("kept"));
        assert_eq!(rule("old", "p", "logs/a"), Some("new"));
        assert_eq!(rule("old", "p", "a.tmp"), None);
        assert_eq!(rule("kept", "gone", "x"), None);
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
