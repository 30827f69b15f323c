//! A deployment to come, as a samconfig file describes it.

use std::collections::BTreeMap;
use std::path::Path;

use backup_domain::deployment::overrides;
use toml::{Table, Value};

use crate::failure::Failure;

/// What `sam deploy` would be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Name of the stack.
    pub stack: String,
    /// Region, absent where the environment decides.
    pub region: Option<String>,
    /// Parameters that are given; the others have the template's defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Config {
    /// Reads the environment `section` of a file.
    pub fn read(file: &Path, section: &str) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|problem| unusable(file, &problem.to_string()))?;
        Self::parse(&text, section).map_err(|problem| unusable(file, &problem))
    }

    fn parse(text: &str, section: &str) -> Result<Self, String> {
        let document: Table = text.parse().map_err(|it: toml::de::Error| it.to_string())?;
        let of = |command: &str| document.get(section)?.get(command)?.get("parameters");
        // What `deploy` says counts before what is said for all commands.
        let both = [of("deploy"), of("global")];
        let get = |name: &str| both.into_iter().flatten().find_map(|it| it.get(name));
        let word = |name: &str| get(name).and_then(Value::as_str).map(str::to_owned);
        let given = match get("parameter_overrides") {
            None => BTreeMap::new(),
            Some(Value::String(text)) => overrides(text).map_err(|it| it.to_string())?,
            Some(Value::Array(values)) => {
                let mut all = BTreeMap::new();
                for value in values {
                    let text = value.as_str().unwrap_or_default();
                    all.extend(overrides(text).map_err(|it| it.to_string())?);
                }
                all
            }
            Some(Value::Table(values)) => values
                .iter()
                .map(|(name, value)| Ok((name.clone(), plain(name, value)?)))
                .collect::<Result<_, String>>()?,
            Some(other) => {
                return Err(format!(
                    "parameter_overrides is a {}, not a text",
                    other.type_str()
                ));
            }
        };
        let stack = word("stack_name")
            .ok_or_else(|| format!("[{section}.deploy.parameters] names no stack_name"))?;
        if let Some(profile) = word("profile")
            && std::env::var("AWS_PROFILE").ok() != Some(profile.clone())
        {
            return Err(format!(
                "it names the profile {profile}: run this with AWS_PROFILE={profile}"
            ));
        }
        Ok(Self {
            stack,
            region: word("region"),
            parameters: given,
        })
    }

    /// A parameter's value, empty where it is not given.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter that is a list of values separated by commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let names = self.parameter(name).split(',').map(str::trim);
        names
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// A value of a table of parameters, as SAM CLI hands it on.
fn plain(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(value) => Ok(value.to_string()),
        other => Err(format!("{name} is a {}, not a text", other.type_str())),
    }
}

fn unusable(file: &Path, problem: &str) -> Failure {
    Failure::Unmeant {
        message: format!("{} cannot be used: {problem}", file.display()),
        advice: "give it the file that sam deploy --guided --config-file has written".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_sam_deploy_guided_is_read() {
        let text = r#"
            version = 0.1
            [default.deploy.parameters]
            stack_name = "shop-backup"
            region = "eu-west-1"
            capabilities = "CAPABILITY_IAM"
            parameter_overrides = "SourceBucketName=\"shop\" KmsKeyArns=\"a,b\" DrillDays=\"7\""
        "#;
        let config = Config::parse(text, "default").expect("there");
        assert_eq!(config.stack, "shop-backup");
        assert_eq!(config.region.as_deref(), Some("eu-west-1"));
        assert_eq!(config.parameter("SourceBucketName"), "shop");
        assert_eq!(config.parameter("BackupBucketName"), "");
        assert_eq!(config.list("KmsKeyArns"), ["a", "b"]);
        assert_eq!(config.list("MoreBackupBucketNames"), [""; 0]);
    }

    #[test]
    fn parameters_may_be_a_list_and_names_may_stand_under_global() {
        let text = r#"
            [prod.global.parameters]
            stack_name = "one"
            [prod.deploy.parameters]
            parameter_overrides = ["SourceBucketName=shop DrillDays=7", "AuditSchedule=\"cron(0 3 ? * SUN *)\""]
        "#;
        let config = Config::parse(text, "prod").expect("there");
        assert_eq!(config.stack, "one");
        assert_eq!(config.parameter("AuditSchedule"), "cron(0 3 ? * SUN *)");
        assert_eq!(config.parameter("DrillDays"), "7");
        let other = "[prod.deploy.parameters]\nstack_name='a'\nprofile='no-such-profile'";
        let told = Config::parse(other, "prod").expect_err("refused");
        assert!(told.contains("AWS_PROFILE=no-such-profile"), "{told}");
        let told = Config::parse(text, "default").expect_err("refused");
        assert!(told.contains("names no stack_name"), "{told}");
    }

    #[test]
    fn parameters_may_be_a_table_as_one_writes_it_by_hand() {
        let text = r#"
            [default.deploy.parameters]
            stack_name = "one"
            [default.deploy.parameters.parameter_overrides]
            SourceBucketName = "shop"
            DrillDays = 7
            PolicyDocument = '''
{ "version": 1 }'''
        "#;
        let config = Config::parse(text, "default").expect("read");
        assert_eq!(config.parameter("SourceBucketName"), "shop");
        assert_eq!(config.parameter("DrillDays"), "7");
        assert_eq!(config.parameter("PolicyDocument"), "{ \"version\": 1 }");
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, part) in [
            ("not toml", "TOML"),
            (
                "[default.deploy.parameters]\nstack_name='a'\nparameter_overrides='A=x y'",
                "\"y\"",
            ),
            (
                "[default.deploy.parameters]\nstack_name='a'\nparameter_overrides=1",
                "is a integer",
            ),
        ] {
            let told = Config::parse(text, "default").expect_err("refused");
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
