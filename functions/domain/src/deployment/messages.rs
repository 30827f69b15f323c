//! A queue and a topic that are there before the stack is.

use serde_json::{Value, json};

use super::encryption::{part, service_key};
use super::statement::{Access, is_about, matches, statements, texts};
use super::{Finding, Severity};

/// How long the dead-letter queue is to keep messages, in seconds: 14 days, the most that SQS takes
/// (Amazon SQS API Reference, "SetQueueAttributes", MessageRetentionPeriod).
const RETENTION_SECONDS: u64 = 1_209_600;

/// A queue as SQS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its ARN.
    pub arn: String,
    /// Its policy, absent where it has none.
    pub policy: Option<Value>,
    /// How long it keeps messages.
    pub retention_seconds: u64,
    /// Whether it is encrypted with a KMS key.
    pub has_key: bool,
}

impl Queue {
    /// What keeps it from being the dead-letter queue.
    pub fn findings(&self) -> Vec<Finding> {
        let name = self.arn.rsplit(':').next().unwrap_or_default();
        let region = part(&self.arn, 3);
        let on = format!("queue {name}");
        let set = format!(
            "aws sqs set-queue-attributes --region {region} --queue-url \"$(aws sqs get-queue-url --region {region} --queue-name {name} --query QueueUrl --output text)\" --attributes"
        );
        let mut found = Vec::new();
        let access = self.policy.as_ref();
        match access.map_or(Access::No, |it| self.lets_eventbridge_in(it)) {
            Access::Allowed => {}
            Access::No => found.push(Finding::new(
                "QueueRefusesEvents",
                Severity::Problem,
                on.as_str(),
                "its policy does not let EventBridge send to it from every rule of this account: events that cannot be delivered for 24 hours would be lost",
                format!(
                    "write {} to attributes.json, with the statements that the policy has already, then {set} file://attributes.json",
                    self.attributes()
                ),
            )),
            Access::Undecided => found.push(Finding::new(
                "QueuePolicyHasConditions",
                Severity::Advice,
                on.as_str(),
                "its policy denies something, or has conditions of its own: whether it lets EventBridge in, the first event that cannot be delivered shows",
                "read it by aws sqs get-queue-attributes --attribute-names Policy",
            )),
        }
        if self.retention_seconds < RETENTION_SECONDS {
            found.push(Finding::new(
                "ShortRetention",
                Severity::Problem,
                on.as_str(),
                format!(
                    "it keeps messages for {} seconds, {RETENTION_SECONDS} (14 days) are needed",
                    self.retention_seconds
                ),
                format!("{set} MessageRetentionPeriod={RETENTION_SECONDS}"),
            ));
        }
        if self.has_key {
            found.push(service_key(on));
        }
        found
    }

    fn rules(&self) -> String {
        let (partition, region, account) =
            (part(&self.arn, 1), part(&self.arn, 3), part(&self.arn, 4));
        format!("arn:{partition}:events:{region}:{account}:rule/")
    }

    /// The attributes that let EventBridge in.
    fn attributes(&self) -> Value {
        let statement = json!({
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn,
            "Condition": {"ArnLike": {"aws:SourceArn": format!("{}*", self.rules())}},
        });
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        json!({"Policy": policy.to_string()})
    }

    /// A rule has another name with each deployment: a policy that names rules does not do.
    fn lets_eventbridge_in(&self, policy: &Value) -> Access {
        let statements = statements(policy);
        let concerns: Vec<_> = statements
            .into_iter()
            .filter(|it| is_about(it, "sqs:SendMessage") && self.is_for_eventbridge(it))
            .collect();
        let allowing = concerns.iter().filter(|it| it["Effect"] == "Allow");
        let conditions: Vec<_> = allowing.map(|it| self.condition(it)).collect();
        let denies = concerns.iter().any(|it| it["Effect"] == "Deny");
        if conditions.contains(&Access::Allowed) && !denies {
            Access::Allowed
        } else if conditions.iter().any(|it| *it != Access::No) {
            Access::Undecided
        } else {
            Access::No
        }
    }

    fn is_for_eventbridge(&self, statement: &Value) -> bool {
        let principal = &statement["Principal"];
        let service = texts(&principal["Service"]);
        let anybody = texts(principal).contains(&"*") || texts(&principal["AWS"]).contains(&"*");
        let resources = texts(&statement["Resource"]);
        (anybody || service.contains(&"events.amazonaws.com"))
            && (resources.is_empty() || resources.iter().any(|it| matches(it, &self.arn)))
    }

    /// Whether the conditions of a statement hold for any rule of the account.
    fn condition(&self, statement: &Value) -> Access {
        let Some(operators) = statement["Condition"].as_object() else {
            return Access::Allowed;
        };
        let any_rule = self.rules() + "s3-backup-AnyRule-1A2B3C";
        let account = part(&self.arn, 4);
        let mut worst = Access::Allowed;
        for (operator, keys) in operators {
            let likes = ["ArnLike", "ArnEquals", "StringLike", "StringEquals"];
            for (key, values) in keys.as_object().into_iter().flatten() {
                let holds = |wanted: &str| texts(values).iter().any(|it| matches(it, wanted));
                let this = match key.to_ascii_lowercase().as_str() {
                    _ if !likes.contains(&operator.as_str()) => Access::Undecided,
                    "aws:sourcearn" if holds(&any_rule) => Access::Allowed,
                    "aws:sourceaccount" if holds(account) => Access::Allowed,
                    "aws:sourcearn" | "aws:sourceaccount" => Access::No,
                    _ => Access::Undecided,
                };
                worst = match (worst, this) {
                    (Access::No, _) | (_, Access::No) => Access::No,
                    (Access::Undecided, _) | (_, Access::Undecided) => Access::Undecided,
                    _ => Access::Allowed,
                };
            }
        }
        worst
    }
}

/// A topic as SNS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its ARN.
    pub arn: String,
    /// Subscriptions that were confirmed.
    pub confirmed: u64,
    /// Whether it is encrypted with a KMS key.
    pub has_key: bool,
}

impl Topic {
    /// What it lacks.
    pub fn findings(&self) -> Vec<Finding> {
        let Self { arn, .. } = self;
        let on = format!("topic {}", arn.rsplit(':').next().unwrap_or_default());
        let region = part(arn, 3);
        let nobody = (self.confirmed == 0).then(|| {
            Finding::new(
                "NobodySubscribed",
                Severity::Advice,
                on.as_str(),
                "it has no confirmed subscription: nobody is notified of failures",
                format!("aws sns subscribe --region {region} --topic-arn {arn} --protocol email --notification-endpoint ADDRESS, then confirm by the link in the e-mail"),
            )
        });
        let key = self.has_key.then(|| service_key(on.as_str()));
        nobody.into_iter().chain(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:sqs:eu-west-1:111122223333:letters";

    fn queue(policy: Value) -> Queue {
        Queue {
            arn: ARN.to_owned(),
            policy: Some(policy),
            retention_seconds: 1_209_600,
            has_key: false,
        }
    }

    fn names(queue: &Queue) -> Vec<&'static str> {
        queue.findings().iter().map(|it| it.name).collect()
    }

    fn allow(change: &Value) -> Value {
        let mut statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": ARN});
        for (name, value) in change.as_object().into_iter().flatten() {
            statement[name] = value.clone();
        }
        json!({"Statement": [statement]})
    }

    #[test]
    fn a_policy_lets_every_rule_of_the_account_in() {
        let any = "arn:aws:events:eu-west-1:111122223333:rule/*";
        for change in [
            json!({}),
            json!({"Principal": "*"}),
            json!({"Principal": {"AWS": "*"}, "Action": ["SQS:Send*"]}),
            json!({"Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": any}}}),
            json!({"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}),
        ] {
            assert_eq!(names(&queue(allow(&change))), [""; 0], "{change}");
        }
        let own = "arn:aws:events:eu-west-1:111122223333:rule/s3-backup-SourceRule-OLD";
        for change in [
            json!({"Effect": "Deny"}),
            json!({"Action": "sqs:ReceiveMessage"}),
            json!({"Principal": {"Service": "sns.amazonaws.com"}}),
            json!({"Resource": "arn:aws:sqs:eu-west-1:111122223333:other"}),
            // The rules of the stack that made the queue, which are gone.
            json!({"Condition": {"ArnEquals": {"aws:SourceArn": [own]}}}),
            json!({"Condition": {"StringEquals": {"aws:SourceAccount": "444455556666"}}}),
        ] {
            assert_eq!(
                names(&queue(allow(&change))),
                ["QueueRefusesEvents"],
                "{change}"
            );
        }
        let secure = json!({"Condition": {"Bool": {"aws:SecureTransport": "true"}}});
        assert_eq!(names(&queue(allow(&secure))), ["QueuePolicyHasConditions"]);
        let mut denying = allow(&json!({}));
        let deny = allow(&json!({"Effect": "Deny", "Principal": "*"}))["Statement"][0].clone();
        denying["Statement"]
            .as_array_mut()
            .expect("a list")
            .push(deny);
        assert_eq!(names(&queue(denying)), ["QueuePolicyHasConditions"]);
    }

    #[test]
    fn the_attributes_that_are_printed_let_eventbridge_in() {
        let closed = Queue {
            policy: None,
            ..queue(Value::Null)
        };
        assert_eq!(names(&closed), ["QueueRefusesEvents"]);
        let attributes = closed.attributes();
        let policy = attributes["Policy"].as_str().expect("text");
        let policy = serde_json::from_str(policy).expect("JSON");
        assert_eq!(names(&queue(policy)), [""; 0]);
    }

    #[test]
    fn a_queue_keeps_messages_for_14_days_and_has_no_key_of_its_own() {
        let short = Queue {
            retention_seconds: 345_600,
            has_key: true,
            ..queue(allow(&json!({})))
        };
        assert_eq!(names(&short), ["ShortRetention", "KeyOfService"]);
        assert!(short.findings()[0].remedy.contains("--region eu-west-1"));
    }

    #[test]
    fn a_topic_has_a_subscription_and_no_key() {
        let names = |confirmed, has_key| {
            let arn = "arn:aws:sns:eu-west-1:111122223333:told".to_owned();
            let topic = Topic {
                arn,
                confirmed,
                has_key,
            };
            topic
                .findings()
                .iter()
                .map(|it| it.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(1, false), [""; 0]);
        assert_eq!(names(0, true), ["NobodySubscribed", "KeyOfService"]);
    }
}
