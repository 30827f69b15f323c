//! Evaluates the template as `CloudFormation` does: intrinsic functions, conditions and pseudo parameters
//! (AWS `CloudFormation` Template Reference, "Intrinsic function reference").

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// An account of the documentation.
pub const ACCOUNT: &str = "111122223333";

/// Where a template is deployed, and with which parameters.
pub struct Deployed {
    template: Value,
    values: BTreeMap<String, String>,
}

impl Deployed {
    /// In a partition, under a stack name, its other parameters at their defaults.
    pub fn new(template: Value, place: &Place, stack: &str, parameters: &[(&str, &str)]) -> Self {
        let mut values = BTreeMap::new();
        for (name, parameter) in template["Parameters"].as_object().unwrap() {
            values.insert(name.clone(), plain(&parameter["Default"]));
        }
        for (name, value) in parameters {
            let known = values.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "there is no parameter {name}");
        }
        for (name, value) in [
            ("AWS::Partition", place.partition),
            ("AWS::Region", place.region),
            ("AWS::URLSuffix", place.suffix),
            ("AWS::AccountId", ACCOUNT),
            ("AWS::StackName", stack),
        ] {
            values.insert(name.to_owned(), value.to_owned());
        }
        Self { template, values }
    }

    /// The resources that are made, by logical name.
    pub fn resources(&self) -> BTreeMap<String, Value> {
        self.made("Resources")
    }

    pub fn outputs(&self) -> BTreeMap<String, Value> {
        self.made("Outputs")
    }

    fn made(&self, section: &str) -> BTreeMap<String, Value> {
        let all = self.template[section].as_object().unwrap().iter();
        let made = all.filter(|(_, it)| {
            let condition = it["Condition"].as_str();
            condition.is_none_or(|name| self.condition(name))
        });
        made.map(|(name, it)| (name.clone(), self.value(it).unwrap()))
            .collect()
    }

    /// The length of the longest name that `CloudFormation` makes for a resource without one: of most types the
    /// stack's name, the logical name and 12 or 13 letters, cut at what the type takes (AWS `CloudFormation` User
    /// Guide, "Resource identifiers").
    fn physical(&self, logical: &str) -> String {
        let resource = &self.template["Resources"][logical];
        let kind = resource["Type"]
            .as_str()
            .unwrap_or_else(|| panic!("what is {logical}?"));
        let stack = &self.values["AWS::StackName"];
        let name = format!("{stack}-{logical}-1A2B3C4D5E6F7");
        let cut = |most: usize| name.chars().take(most).collect::<String>();
        match kind {
            "AWS::S3::Bucket" => cut(63).to_lowercase(),
            "AWS::Lambda::Function" | "AWS::IAM::Role" | "AWS::Events::Rule" => cut(64),
            "AWS::SQS::Queue" => cut(80),
            // Without the stack's name.
            "AWS::StepFunctions::StateMachine" => format!("{logical}-1A2B3C4D5E6F"),
            "AWS::DynamoDB::GlobalTable" => cut(255),
            "AWS::SNS::Topic" => cut(256),
            "AWS::Logs::LogGroup" => self
                .value(&resource["Properties"]["LogGroupName"])
                .map_or_else(|| cut(512), |own| plain(&own)),
            "AWS::SSM::Parameter" => plain(&self.value(&resource["Properties"]["Name"]).unwrap()),
            "AWS::SQS::QueuePolicy" | "AWS::Lambda::EventSourceMapping" => "policy".to_owned(),
            other => panic!("{logical}: how is a {other} named?"),
        }
    }

    fn arn(&self, logical: &str) -> String {
        let name = self.physical(logical);
        let partition = &self.values["AWS::Partition"];
        let region = &self.values["AWS::Region"];
        let of = |service: &str, rest: &str| {
            format!("arn:{partition}:{service}:{region}:{ACCOUNT}:{rest}{name}")
        };
        match self.template["Resources"][logical]["Type"]
            .as_str()
            .unwrap()
        {
            "AWS::S3::Bucket" => format!("arn:{partition}:s3:::{name}"),
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{ACCOUNT}:role/{name}"),
            "AWS::Lambda::Function" => of("lambda", "function:"),
            "AWS::SQS::Queue" => of("sqs", ""),
            "AWS::SNS::Topic" => of("sns", ""),
            "AWS::Events::Rule" => of("events", "rule/"),
            "AWS::StepFunctions::StateMachine" => of("states", "stateMachine:"),
            "AWS::Logs::LogGroup" => format!("{}:*", of("logs", "log-group:")),
            other => panic!("{logical}: what is the ARN of a {other}?"),
        }
    }

    fn reference(&self, name: &str) -> String {
        if let Some(own) = self.values.get(name) {
            return own.clone();
        }
        let kind = self.template["Resources"][name]["Type"].as_str();
        match kind {
            Some("AWS::SQS::Queue") => format!(
                "https://sqs.{}.{}/{ACCOUNT}/{}",
                self.values["AWS::Region"],
                self.values["AWS::URLSuffix"],
                self.physical(name)
            ),
            Some("AWS::SNS::Topic" | "AWS::StepFunctions::StateMachine") => self.arn(name),
            _ => self.physical(name),
        }
    }

    fn attribute(&self, path: &str) -> String {
        match path.split_once('.') {
            Some((logical, "Arn")) => self.arn(logical),
            Some((logical, "QueueName" | "Name")) => self.physical(logical),
            _ => panic!("{path} is not known here"),
        }
    }

    pub fn condition(&self, name: &str) -> bool {
        self.holds(&self.template["Conditions"][name])
    }

    fn holds(&self, expression: &Value) -> bool {
        let (function, given) = expression.as_object().unwrap().iter().next().unwrap();
        let list = || given.as_array().unwrap();
        match function.as_str() {
            "Condition" => self.condition(given.as_str().unwrap()),
            "Fn::Equals" => {
                let text = |it| plain(&self.value(it).unwrap());
                text(&list()[0]) == text(&list()[1])
            }
            "Fn::Not" => !self.holds(&list()[0]),
            "Fn::And" => list().iter().all(|it| self.holds(it)),
            "Fn::Or" => list().iter().any(|it| self.holds(it)),
            other => panic!("{other} is not known here"),
        }
    }

    /// What is left of a value; none is `AWS::NoValue`.
    pub fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((function, given)) if map.len() == 1 && is_function(function) => {
                    self.function(function, given)
                }
                _ => Some(Value::Object(self.fields(map))),
            },
            Value::Array(list) => Some(list.iter().filter_map(|it| self.value(it)).collect()),
            Value::Null => None,
            other => Some(other.clone()),
        }
    }

    fn fields(&self, map: &Map<String, Value>) -> Map<String, Value> {
        map.iter()
            .filter_map(|(name, it)| Some((name.clone(), self.value(it)?)))
            .collect()
    }

    fn function(&self, function: &str, given: &Value) -> Option<Value> {
        let list = || given.as_array().unwrap();
        let text = |it: &Value| plain(&self.value(it).unwrap());
        Some(match function {
            "Ref" if given == "AWS::NoValue" => return None,
            "Ref" => {
                let name = given.as_str().unwrap();
                let own = self.reference(name);
                let kind = self.template["Parameters"][name]["Type"].as_str();
                match kind {
                    Some("CommaDelimitedList") => own.split(',').collect(),
                    Some("Number") => own.parse::<u64>().map_or(json!(own), |it| json!(it)),
                    _ => json!(own),
                }
            }
            "Condition" => json!(self.condition(given.as_str().unwrap())),
            "Fn::GetAtt" => json!(match given {
                Value::Array(path) => {
                    let path: Vec<_> = path.iter().map(plain).collect();
                    self.attribute(&path.join("."))
                }
                path => self.attribute(path.as_str().unwrap()),
            }),
            "Fn::If" => {
                let branch = if self.condition(list()[0].as_str().unwrap()) {
                    1
                } else {
                    2
                };
                return self.value(&list()[branch]);
            }
            "Fn::Join" => {
                let items = self.value(&list()[1]).unwrap();
                let items: Vec<_> = items.as_array().unwrap().iter().map(plain).collect();
                json!(items.join(list()[0].as_str().unwrap()))
            }
            "Fn::Split" => text(&list()[1])
                .split(list()[0].as_str().unwrap())
                .collect(),
            "Fn::Select" => {
                let index = usize::try_from(list()[0].as_u64().unwrap()).unwrap();
                self.value(&list()[1]).unwrap()[index].clone()
            }
            "Fn::FindInMap" => {
                let [map, first, second] = [0, 1, 2].map(|it| text(&list()[it]));
                let found = self.template["Mappings"][&map][&first][&second].clone();
                assert!(!found.is_null(), "{map} has nothing for {first}, {second}");
                found
            }
            "Fn::Sub" => json!(match given {
                Value::Array(parts) => {
                    let own = self.fields(parts[1].as_object().unwrap());
                    self.substituted(parts[0].as_str().unwrap(), &own)
                }
                template => self.substituted(template.as_str().unwrap(), &Map::new()),
            }),
            other => panic!("{other} is not known here"),
        })
    }

    fn substituted(&self, template: &str, own: &Map<String, Value>) -> String {
        let mut parts = template.split("${");
        let mut text = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            if let Some(literal) = name.strip_prefix('!') {
                text.push_str("${");
                text.push_str(literal);
                text.push('}');
            } else if let Some(value) = own.get(name) {
                text.push_str(&plain(value));
            } else if name.contains('.') {
                text.push_str(&self.attribute(name));
            } else {
                text.push_str(&self.reference(name));
            }
            text.push_str(rest);
        }
        text
    }
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name == "Condition" || name.starts_with("Fn::")
}

/// A scalar as text.
pub fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A partition, one of its regions, and the suffix of its endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub partition: &'static str,
    pub region: &'static str,
    pub suffix: &'static str,
    pub console: &'static str,
}

/// The partitions that README calls supported (partitions.json of botocore 1.43; the consoles as their
/// documentation names them).
pub const PLACES: [Place; 4] = [
    Place {
        partition: "aws",
        region: "eu-west-1",
        suffix: "amazonaws.com",
        console: "console.aws.amazon.com",
    },
    Place {
        partition: "aws-cn",
        region: "cn-north-1",
        suffix: "amazonaws.com.cn",
        console: "console.amazonaws.cn",
    },
    Place {
        partition: "aws-us-gov",
        region: "us-gov-west-1",
        suffix: "amazonaws.com",
        console: "console.amazonaws-us-gov.com",
    },
    Place {
        partition: "aws-eusc",
        region: "eusc-de-east-1",
        suffix: "amazonaws.eu",
        console: "console.amazonaws-eusc.eu",
    },
];
