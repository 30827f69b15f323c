//! A template for `sam local invoke` against the kept stack: the functions as they are deployed, with
//! the variables that only a deployment knows, their code from `sam build`.

use std::env;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cloud::Cloud;
use crate::deploy::STACK_NAME;
use crate::error::Result;

/// The template as JSON, which is YAML too.
pub(crate) fn template(cloud: &Cloud, root: &Path) -> Result<String> {
    let functions = cloud.functions()?;
    let functions = functions.iter().filter_map(|function| {
        let id = logical_id(function["FunctionName"].as_str()?)?;
        Some((id.to_owned(), resource(id, function, cloud, root)))
    });
    let resources: Map<String, Value> = functions.collect();
    let template = json!({
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "For `sam local invoke -t`, after `sam build`; made by `cargo local up`.",
        "Resources": resources,
    });
    Ok(format!("{template:#}\n"))
}

/// `FilterFunction` of `s3-backup-FilterFunction-1A2B3C`.
fn logical_id(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(STACK_NAME)?.strip_prefix('-')?;
    Some(rest.rsplit_once('-').map_or(rest, |(id, _)| id))
}

fn resource(id: &str, function: &Value, cloud: &Cloud, root: &Path) -> Value {
    let mut variables = function["Environment"]["Variables"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    // SAM hands on what a template declares, and a variable of the shell by this name goes before it.
    variables.insert("AWS_ENDPOINT_URL".into(), cloud.endpoint().into());
    let architecture = match env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "CodeUri": root.join(".aws-sam/build").join(id),
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Architectures": [architecture],
            "Timeout": function["Timeout"],
            "MemorySize": function["MemorySize"],
            "Environment": {"Variables": variables},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_ids_are_read_from_function_names() {
        assert_eq!(
            logical_id("s3-backup-RecordFailureFunction-0A1B"),
            Some("RecordFailureFunction")
        );
        assert_eq!(logical_id("somebody-elses"), None);
    }

    #[test]
    fn functions_keep_their_variables_and_get_the_endpoint() {
        let function = json!({"Timeout": 60, "MemorySize": 256,
            "Environment": {"Variables": {"CATALOG_TABLE": "t"}}});
        let cloud = Cloud::new("http://127.0.0.1:4566");
        let resource = resource("CopyFunction", &function, &cloud, Path::new("/w"));
        let properties = &resource["Properties"];
        assert_eq!(properties["CodeUri"], "/w/.aws-sam/build/CopyFunction");
        assert_eq!(
            properties["Environment"]["Variables"],
            json!({"CATALOG_TABLE": "t", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
        );
    }
}
