//! Deploys the template to the local stack by the real `sam deploy`, as a user would to AWS.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};

use crate::REGION;
use crate::cloud::{Cloud, Service};
use crate::error::{Error, Result, quoted, tells_full_disk};
use crate::functions::{self, Content, Packed};
use crate::layout::{make_folder, read_text, write_text};
use crate::leash::{self, Finished};
use crate::lock::Lock;
use crate::parameters::overrides_file;
use crate::progress::{Progress, step};
use crate::stack::{Life, Stack};
use crate::template;
use crate::venv::hex;

/// The CloudFormation stack's name.
pub const STACK_NAME: &str = "s3-backup";

/// Outputs of a stack by name; also its parameters.
pub type Outputs = BTreeMap<String, String>;

/// Where `sam deploy` puts what it uploads.
const ARTIFACTS: &str = "s3-backup-artifacts";
const DELETE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the local stack differs in from the template's defaults.
fn local_defaults() -> [(&'static str, &'static str); 2] {
    let architecture = match env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x86_64",
    };
    // A test or a demo that changes the policy wants to see it work at once.
    [("Architecture", architecture), ("PolicyCacheSeconds", "0")]
}

/// Builds, packs and deploys; the parameters are all that the stack is to have.
pub(crate) fn deploy(stack: &Stack, parameters: Outputs) -> Result<Outputs> {
    let layout = &stack.toolchain.layout;
    let source = stack.options.template.clone();
    let source = source.unwrap_or_else(|| layout.template());
    let text = read_text(&source)?;
    let parameters = complete(parameters, &template::parameters(&text))?;
    let names = template::functions(&text);
    if names.is_empty() && stack.options.template.is_none() {
        return Err(Error::NoFunctions { path: source });
    }

    let progress = &*stack.options.progress;
    // One deployment at a time in a workspace: they share the binaries.
    let _lock = Lock::hold(&layout.lock("deploy"), || {
        progress.waiting("Waiting for another process that deploys");
    })?;
    let content = match stack.options.life {
        Life::Leashed => Content::Link,
        Life::Kept => Content::Binary,
    };
    let packed = functions::make(&stack.toolchain, &names, content, progress)?;
    let deployment = Deployment::prepare(stack, &text, &packed, parameters)?;
    if deployment.is_done() {
        return stack.cloud().stack_outputs(STACK_NAME);
    }
    let shown = source.strip_prefix(layout.root()).unwrap_or(&source);
    let label = format!("Deploying {} with `sam deploy`", shown.display());
    step(progress, &label, || {
        let outputs = deployment.run(progress)?;
        Ok((outputs, "Template deployed".into()))
    })
}

/// Adds the local defaults; refuses names that the template does not know, which SAM would drop
/// without a word.
fn complete(mut parameters: Outputs, known: &[String]) -> Result<Vec<(String, String)>> {
    if let Some(name) = parameters.keys().find(|name| !known.contains(name)) {
        let name = name.clone();
        let known = match known {
            [] => "none".into(),
            known => known.join(", "),
        };
        return Err(Error::UnknownParameter { name, known });
    }
    for (name, value) in local_defaults() {
        if known.iter().any(|it| it == name) {
            parameters.entry(name.into()).or_insert(value.into());
        }
    }
    Ok(parameters.into_iter().collect())
}

/// One deployment, its files written.
struct Deployment<'s> {
    stack: &'s Stack,
    cloud: Cloud,
    folder: PathBuf,
    parameters: Vec<(String, String)>,
    fingerprint: String,
}

impl<'s> Deployment<'s> {
    fn prepare(
        stack: &'s Stack,
        text: &str,
        packed: &[Packed],
        parameters: Vec<(String, String)>,
    ) -> Result<Self> {
        let layout = &stack.toolchain.layout;
        let folder = stack.folder.join("deploy");
        make_folder(&folder)?;
        let zip = |name: &str| {
            let packed = packed.iter().find(|it| it.name == name)?;
            Some(packed.zip.as_path())
        };
        let rewritten = template::rewrite(text, layout.root(), zip);
        let overrides = overrides_file(&parameters);
        write_text(&folder.join("template.yaml"), &rewritten)?;
        write_text(&folder.join("parameters.yaml"), &overrides)?;

        let mut digest = Sha256::new();
        digest.update(&rewritten);
        digest.update(&overrides);
        for path in template::definitions(text) {
            digest.update(read_text(&layout.root().join(path))?);
        }
        for packed in packed {
            digest.update(packed.version());
        }
        Ok(Self {
            stack,
            cloud: stack.cloud(),
            folder,
            parameters,
            fingerprint: hex(&digest.finalize()),
        })
    }

    /// Whether exactly this was deployed to this very stack last.
    fn is_done(&self) -> bool {
        fs::read_to_string(self.done_file()).is_ok_and(|done| done == self.fingerprint)
    }

    fn done_file(&self) -> PathBuf {
        self.folder.join("done")
    }

    fn run(&self, progress: &dyn Progress) -> Result<Outputs> {
        self.cloud.create_bucket(ARTIFACTS)?;
        self.remove_failed_stack()?;
        let failed_before = self.failed_resources().len();
        // Whatever comes of this attempt, the one before does not stand any more.
        let _ = fs::remove_file(self.done_file());
        let log = self.log()?;
        let finished = leash::run(&mut self.sam_deploy()?, &log, |line| {
            if let Some(resource) = resource_in(line) {
                progress.detail(&resource);
            }
        })?;
        if !finished.success {
            return Err(self.failure(&finished, failed_before, log));
        }
        let described = self.cloud.describe_stack(STACK_NAME)?.unwrap_or_default();
        self.check_parameters(&described.parameters, log)?;
        self.cloud.mend_mappings()?;
        // A table that was given is its owner's.
        let given =
            |(name, value): &(String, String)| name == "CatalogTableName" && !value.is_empty();
        if let (Some(table), false) = (
            described.outputs.get("CatalogTable"),
            self.parameters.iter().any(given),
        ) {
            self.cloud.mend_table(table)?;
        }
        write_text(&self.done_file(), &self.fingerprint)?;
        Ok(described.outputs)
    }

    fn log(&self) -> Result<PathBuf> {
        let name = format!("sam-{}", self.stack.name);
        self.stack.toolchain.layout.log(&name)
    }

    fn sam_deploy(&self) -> Result<Command> {
        let toolchain = &self.stack.toolchain;
        let sam = toolchain.sam.program("sam");
        let mut command = leash::command(&toolchain.layout, &toolchain.python(), &[], sam);
        command
            .current_dir(&self.folder)
            .args(["deploy", "--template-file", "template.yaml"])
            .args(["--stack-name", STACK_NAME, "--s3-bucket", ARTIFACTS])
            .args(["--region", REGION, "--capabilities", "CAPABILITY_IAM"])
            .args(["--no-confirm-changeset", "--no-fail-on-empty-changeset"])
            .arg("--no-progressbar")
            .arg("--parameter-overrides")
            .arg(format!(
                "file://{}",
                self.folder.join("parameters.yaml").display()
            ));
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .env("AWS_ENDPOINT_URL", self.stack.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", self.stack.host())
            .env("no_proxy", self.stack.host())
            .env("SAM_CLI_TELEMETRY", "0")
            .env("SAM_CLI_POLL_DELAY", "0.1")
            .env("__SAM_CLI_APP_DIR", self.sam_settings()?);
        Ok(command)
    }

    /// A settings folder for SAM CLI that keeps it from asking for its newest version: nothing here
    /// leaves loopback.
    fn sam_settings(&self) -> Result<PathBuf> {
        let folder = self.folder.join("sam");
        make_folder(&folder)?;
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let settings = serde_json::json!({
            "telemetryEnabled": false,
            "lastVersionCheck": now.as_secs_f64(),
        });
        write_text(&folder.join("metadata.json"), &settings.to_string())?;
        Ok(folder)
    }

    /// A stack whose first deployment failed cannot be deployed to; CloudFormation asks for its
    /// deletion first.
    fn remove_failed_stack(&self) -> Result<()> {
        let stands =
            |status: &str| matches!(status, "" | "DELETE_COMPLETE") || !is_stillborn(status);
        let status = || -> Result<String> {
            let described = self.cloud.describe_stack(STACK_NAME)?;
            Ok(described.unwrap_or_default().status)
        };
        if stands(&status()?) {
            return Ok(());
        }
        let name = [("StackName", STACK_NAME)];
        self.cloud
            .query(Service::CloudFormation, "DeleteStack", &name)?;
        let begun = Instant::now();
        while !stands(&status()?) && begun.elapsed() < DELETE_TIMEOUT {
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// All failures of resources in the stack's history, the newest first.
    fn failed_resources(&self) -> Vec<String> {
        // Without a stack there is no history.
        self.cloud.failed_resources(STACK_NAME).unwrap_or_default()
    }

    fn failure(&self, finished: &Finished, failed_before: usize, log: PathBuf) -> Error {
        if tells_full_disk(finished.complaint()) {
            let path = self.folder.clone();
            return Error::DiskFull { path };
        }
        let mut resources = self.failed_resources();
        resources.truncate(resources.len().saturating_sub(failed_before));
        resources.reverse();
        let lines = if resources.is_empty() {
            quoted(sam_error(finished.complaint()), 8)
        } else {
            quoted(&resources, 8)
        };
        Error::DeployFailed { lines, log }
    }

    fn check_parameters(&self, arrived: &Outputs, log: PathBuf) -> Result<()> {
        let changed = self.parameters.iter().find(|(name, value)| {
            let hidden = |arrived: &String| arrived == "****";
            arrived
                .get(name)
                .is_some_and(|arrived| !hidden(arrived) && !same(value, arrived))
        });
        match changed {
            None => Ok(()),
            Some((name, _)) => Err(Error::ParameterChanged {
                name: name.clone(),
                file: self.folder.join("parameters.yaml"),
                log,
            }),
        }
    }
}

/// What SAM says from its error on; before it come the uploads.
fn sam_error(talk: &[String]) -> &[String] {
    let first = talk.iter().position(|line| line.starts_with("Error"));
    &talk[first.unwrap_or(0)..]
}

/// Equal but for line ends, which XML does not keep apart in the answer that is compared here.
fn same(given: &str, arrived: &str) -> bool {
    let plain = |value: &str| value.replace("\r\n", "\n").replace('\r', "\n");
    plain(given) == plain(arrived)
}

fn is_stillborn(status: &str) -> bool {
    matches!(
        status,
        "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "CREATE_FAILED"
            | "DELETE_FAILED"
            | "DELETE_IN_PROGRESS"
    )
}

/// The resource that a line of SAM's table of events tells of.
fn resource_in(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let status = words.next()?;
    let _kind = words.next()?;
    let resource = words.next()?;
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE").then(|| resource.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["Architecture", "Intake", "PolicyCacheSeconds"]
            .map(String::from)
            .into()
    }

    #[test]
    fn local_defaults_fill_what_was_not_given() {
        let given = Outputs::from([("PolicyCacheSeconds".into(), "60".into())]);
        let complete = complete(given, &known()).unwrap();
        assert_eq!(complete[0].0, "Architecture");
        assert_eq!(complete[1], ("PolicyCacheSeconds".into(), "60".into()));
        assert_eq!(complete.len(), 2);
    }

    #[test]
    fn defaults_that_the_template_does_not_know_are_left_out() {
        assert_eq!(complete(Outputs::new(), &[]).unwrap(), []);
    }

    #[test]
    fn misspelt_parameter_is_refused_with_the_known_ones() {
        let given = Outputs::from([("Intak".into(), "QUEUED".into())]);
        assert_eq!(
            complete(given, &known()).unwrap_err().to_string(),
            "the template has no parameter `Intak`; it has Architecture, Intake, \
             PolicyCacheSeconds"
        );
    }

    #[test]
    fn resources_are_read_from_the_table_of_events() {
        let line = "CREATE_COMPLETE          AWS::S3::Bucket          SourceBucket     ";
        assert_eq!(resource_in(line), Some("SourceBucket".into()));
        assert_eq!(resource_in("CREATE_IN_PROGRESS AWS::S3::Bucket X"), None);
    }

    #[test]
    fn line_ends_do_not_count_as_a_change() {
        assert!(same("a\r\nb\rc", "a\nb\nc"));
        assert!(!same("a b", "a  b"));
    }
}
