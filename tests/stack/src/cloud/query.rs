//! Services that speak forms and XML: CloudFormation, IAM and SNS.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use roxmltree::{Document, Node};
use ureq::http::Request;

use super::{Cloud, Service, unsendable};
use crate::deploy::Outputs;
use crate::error::{Error, Result};

/// A stack as CloudFormation describes it.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) status: String,
    pub(crate) outputs: Outputs,
    pub(crate) parameters: Outputs,
}

impl Cloud {
    /// Calls an action by the query protocol and hands back the XML of the answer.
    pub fn query(&self, service: Service, action: &str, input: &[(&str, &str)]) -> Result<String> {
        let version = match service {
            Service::Sns => "2010-03-31",
            Service::Iam => "2010-05-08",
            _ => "2010-05-15",
        };
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in input {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            let _ = write!(form, "&{name}={value}");
        }
        let request = Request::post(format!("{}/", self.endpoint))
            .header("authorization", self.authorization(service))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into_bytes())
            .map_err(unsendable(action))?;
        let answer = self.send(action, request)?;
        let success = answer.status().is_success();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if success {
            return Ok(text);
        }
        Err(refusal(service, action, &text))
    }

    /// The stack of this name, if there is one.
    pub(crate) fn describe_stack(&self, name: &str) -> Result<Option<Described>> {
        let action = "DescribeStacks";
        let xml = match self.query(Service::CloudFormation, action, &[("StackName", name)]) {
            Err(Error::Refused { message, .. }) if message.contains("does not exist") => {
                return Ok(None);
            }
            answer => answer?,
        };
        let document = parse(action, &xml)?;
        Ok(Some(Described {
            status: first(document.root(), "StackStatus").unwrap_or_default(),
            outputs: pairs(&document, "Outputs", "OutputKey", "OutputValue"),
            parameters: pairs(&document, "Parameters", "ParameterKey", "ParameterValue"),
        }))
    }

    /// The outputs of a deployed stack.
    pub fn stack_outputs(&self, name: &str) -> Result<Outputs> {
        let described = self.describe_stack(name)?;
        Ok(described.unwrap_or_default().outputs)
    }

    /// What went wrong with the stack's resources, the newest first: "resource (type): reason".
    pub(crate) fn failed_resources(&self, name: &str) -> Result<Vec<String>> {
        let action = "DescribeStackEvents";
        let xml = self.query(Service::CloudFormation, action, &[("StackName", name)])?;
        let document = parse(action, &xml)?;
        Ok(document
            .descendants()
            .filter(|node| node.has_tag_name("member"))
            .filter_map(failed_event)
            .collect())
    }
}

fn failed_event(event: Node) -> Option<String> {
    let status = first(event, "ResourceStatus")?;
    let reason = first(event, "ResourceStatusReason").unwrap_or_default();
    // The rest of a failed deployment is cancelled, which explains nothing.
    if !status.ends_with("_FAILED") || reason.contains("cancelled") {
        return None;
    }
    let resource = first(event, "LogicalResourceId")?;
    let kind = first(event, "ResourceType")?;
    Some(format!("{resource} ({kind}): {reason}"))
}

fn parse<'x>(action: &str, xml: &'x str) -> Result<Document<'x>> {
    Document::parse(xml).map_err(|cause| Error::Answer {
        action: action.into(),
        what: cause.to_string(),
    })
}

/// The text of the first element of this name, whatever its namespace.
fn first(node: Node, name: &str) -> Option<String> {
    node.descendants()
        .find(|node| node.tag_name().name() == name)
        .map(|node| node.text().unwrap_or_default().to_owned())
}

fn pairs(document: &Document, list: &str, key: &str, value: &str) -> Outputs {
    document
        .descendants()
        .filter(|node| node.tag_name().name() == list)
        .flat_map(|list| list.children())
        .filter_map(|member| Some((first(member, key)?, first(member, value)?)))
        .collect()
}

pub(super) fn refusal(service: Service, action: &str, xml: &str) -> Error {
    let document = Document::parse(xml).ok();
    let text = |name| document.as_ref().and_then(|xml| first(xml.root(), name));
    Error::Refused {
        service: service.name(),
        action: action.into(),
        code: text("Code").unwrap_or_else(|| "UnknownError".into()),
        message: text("Message").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_and_parameters_are_told_apart() {
        let xml = "<R xmlns=\"urn:x\"><Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus>\
            <Parameters><member><ParameterKey>P</ParameterKey><ParameterValue>a&lt;b</ParameterValue>\
            </member></Parameters><Outputs><member><OutputKey>O</OutputKey>\
            <OutputValue>v</OutputValue></member></Outputs></member></Stacks></R>";
        let document = Document::parse(xml).unwrap();
        let outputs = pairs(&document, "Outputs", "OutputKey", "OutputValue");
        assert_eq!(outputs, Outputs::from([("O".into(), "v".into())]));
        let parameters = pairs(&document, "Parameters", "ParameterKey", "ParameterValue");
        assert_eq!(parameters, Outputs::from([("P".into(), "a<b".into())]));
    }

    #[test]
    fn refusal_that_is_no_xml_is_still_told() {
        assert_eq!(
            refusal(Service::Sns, "Subscribe", "gateway down").to_string(),
            "SNS refused Subscribe: UnknownError"
        );
    }
}
