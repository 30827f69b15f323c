//! The state machines of the template, each as Step Functions gets it.

use serde_json::Value;

use crate::read;

/// Execution type of a state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Standard,
    Express,
}

/// A state machine resource of the template, its substitutions filled in.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Logical id.
    pub resource: String,
    /// Name of the file below `statemachine/`, without its ending.
    pub file: String,
    pub kind: Kind,
    /// What `CreateStateMachine` is sent.
    pub text: String,
    pub definition: Value,
}

impl Machine {
    /// The same resource with another definition.
    pub fn with(&self, definition: Value) -> Self {
        Self {
            text: definition.to_string(),
            definition,
            ..self.clone()
        }
    }
}

/// All five, in a partition.
pub fn machines(partition: &str) -> Vec<Machine> {
    let template = read("template.yaml");
    let resources = template.split("\n  ").collect::<Vec<_>>();
    let mut found = Vec::new();
    let mut at = 0;
    while at < resources.len() {
        // A resource's name stands two spaces in, its properties deeper.
        let name = resources[at];
        let end = (at + 1..resources.len())
            .find(|next| !resources[*next].starts_with([' ', '#']))
            .unwrap_or(resources.len());
        let block = &resources[at + 1..end];
        if block
            .iter()
            .any(|line| line.trim() == "Type: AWS::Serverless::StateMachine")
        {
            found.push(machine(name.trim_end_matches(':'), block, partition));
        }
        at = end;
    }
    assert_eq!(found.len(), 5, "state machines of the template");
    found
}

fn machine(resource: &str, block: &[&str], partition: &str) -> Machine {
    let field = |name: &str| {
        let prefix = format!("    {name}: ");
        block.iter().find_map(|line| line.strip_prefix(&prefix))
    };
    let uri = field("DefinitionUri").unwrap();
    let substitutions = block
        .iter()
        .skip_while(|line| line.trim() != "DefinitionSubstitutions:")
        .skip(1)
        .take_while(|line| line.starts_with("      "))
        .filter_map(|line| line.trim().split_once(": "))
        .filter(|(name, _)| !name.starts_with('#'));
    let mut text = read(uri);
    for (name, value) in substitutions {
        let value = if name.ends_with("Url") {
            format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}")
        } else {
            value_of(value, partition)
        };
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    let missing = text
        .split("${")
        .nth(1)
        .and_then(|rest| rest.split('}').next());
    assert_eq!(missing, None, "{resource}: a substitution is missing");
    Machine {
        resource: resource.to_owned(),
        file: uri
            .trim_start_matches("statemachine/")
            .trim_end_matches(".asl.json")
            .to_owned(),
        kind: match field("Type").unwrap() {
            "STANDARD" => Kind::Standard,
            "EXPRESS" => Kind::Express,
            other => panic!("{resource} is {other}"),
        },
        definition: serde_json::from_str(&text).unwrap(),
        text,
    }
}

/// What CloudFormation makes of the value of a substitution.
fn value_of(value: &str, partition: &str) -> String {
    let value = value.split(" #").next().unwrap().trim();
    if value == "!Ref AWS::Partition" {
        return partition.to_owned();
    }
    if let Some(function) = value.strip_prefix("!GetAtt ") {
        let function = function.trim_end_matches(".Arn");
        return format!("arn:{partition}:lambda:eu-west-1:111122223333:function:{function}");
    }
    if let Some(name) = value.strip_prefix("!Ref ") {
        return default_of(name).unwrap();
    }
    value.trim_matches('"').to_owned()
}

/// Default of a parameter, which is what a first deployment gives.
fn default_of(parameter: &str) -> Option<String> {
    let template = read("template.yaml");
    let parameters = template.split("\nResources:").next().unwrap();
    let block = parameters.split(&format!("\n  {parameter}:\n")).nth(1)?;
    let lines = block.lines().take_while(|line| line.starts_with("    "));
    let mut defaults = lines.filter_map(|line| line.strip_prefix("    Default: "));
    Some(defaults.next()?.trim_matches('"').to_owned())
}
