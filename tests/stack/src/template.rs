//! What the deployment needs to know of `template.yaml`, read line by line: it is our own file, in
//! one style, and a YAML library would lose its comments.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

/// The Lambda functions, in the order of the template: the lines `CodeUri: functions/<name>`.
pub(crate) fn functions(template: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in template.lines() {
        if let Some(name) = local_path(line, "CodeUri:", "functions/") {
            let name = name.trim_end_matches('/').to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The state machine definitions and other files that the template takes in.
pub(crate) fn definitions(template: &str) -> Vec<String> {
    template
        .lines()
        .filter_map(|line| local_path(line, "DefinitionUri:", "statemachine/"))
        .map(|name| format!("statemachine/{name}"))
        .collect()
}

/// The names below `Parameters:`.
pub fn parameters(template: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    let mut indent = None;
    for line in template.lines() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let depth = line.len() - text.len();
        if depth == 0 {
            inside = text.trim_end() == "Parameters:";
            indent = None;
        } else if inside
            && depth == *indent.get_or_insert(depth)
            && let Some((name, _)) = text.split_once(':')
        {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// The template with every local path made absolute, the functions' ones by `packed`, so that it
/// can be deployed from anywhere.
pub(crate) fn rewrite<'p>(
    template: &str,
    root: &Path,
    packed: impl Fn(&str) -> Option<&'p Path>,
) -> String {
    let mut text = String::with_capacity(template.len() + 1024);
    for line in template.lines() {
        let path = local_path(line, "CodeUri:", "functions/").and_then(|name| {
            packed(name.trim_end_matches('/')).map(|path| ("CodeUri:", path.to_owned()))
        });
        let path = path.or_else(|| {
            let name = local_path(line, "DefinitionUri:", "statemachine/")?;
            Some(("DefinitionUri:", root.join("statemachine").join(name)))
        });
        match path {
            Some((key, path)) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                // A JSON string is a YAML string, whatever is in the path.
                let path = Value::from(path.display().to_string());
                let _ = write!(text, "{indent}{key} {path}");
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// The rest of a path below `folder` that `line` gives to `key`; comments and quotes are left off.
fn local_path<'t>(line: &'t str, key: &str, folder: &str) -> Option<&'t str> {
    let value = line.trim_start().strip_prefix(key)?;
    let value = value.split(" #").next().unwrap_or(value).trim();
    let value = value.trim_matches(['"', '\'']);
    let value = value.strip_prefix("./").unwrap_or(value);
    value.strip_prefix(folder).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "\
# CodeUri: functions/commented
Transform: AWS::Serverless-2016-10-31

Parameters:
  # how events come in
  Intake:
    Type: String
    Default: DIRECT
  Architecture: { Type: String }

Globals:
  Function:
    Timeout: 9

Resources:
  FilterFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/filter  # the first step
      Handler: bootstrap
  CopyFunction:
    Properties:
      CodeUri: \"./functions/copy/\"
  Machine:
    Properties:
      DefinitionUri: statemachine/backup.asl.json
      Name: {Parameters: no}
";

    #[test]
    fn functions_are_the_code_uris_outside_comments() {
        assert_eq!(functions(TEMPLATE), ["filter", "copy"]);
    }

    #[test]
    fn parameters_are_the_names_of_their_section() {
        assert_eq!(parameters(TEMPLATE), ["Intake", "Architecture"]);
    }

    #[test]
    fn definitions_are_listed_by_path() {
        assert_eq!(definitions(TEMPLATE), ["statemachine/backup.asl.json"]);
    }

    #[test]
    fn rewriting_touches_local_paths_alone() {
        let packed = |name: &str| match name {
            "filter" => Some(Path::new("/a \"b\"/filter.zip")),
            "copy" => Some(Path::new("/x/copy.zip")),
            _ => None,
        };
        let rewritten = rewrite(TEMPLATE, Path::new("/root"), packed);
        let changed: Vec<_> = TEMPLATE
            .lines()
            .zip(rewritten.lines())
            .filter(|(old, new)| old != new)
            .map(|(_, new)| new)
            .collect();
        assert_eq!(
            changed,
            [
                r#"      CodeUri: "/a \"b\"/filter.zip""#,
                r#"      CodeUri: "/x/copy.zip""#,
                r#"      DefinitionUri: "/root/statemachine/backup.asl.json""#,
            ]
        );
    }
}
