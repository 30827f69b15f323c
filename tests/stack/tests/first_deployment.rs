//! A first deployment as README's page has it: its very commands, in a fresh copy of the repository,
//! with the real SAM CLI, to the local stack.
//!
//! In every run a stand-in for cargo makes empty bootstraps. `.ci/run --all` builds all functions for
//! real, as for AWS, which takes half an hour, and has an object backed up by them:
//! `cargo test -p backup-stack --test first_deployment -- --ignored --nocapture`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use backup_stack::{Layout, Options, Service, Stack, template_parameters};
use tempfile::TempDir;

/// The name that the page's reader answers.
const NAME: &str = "s3-backup";
/// The page's configuration file.
const CONFIGURATION: &str = "samconfig.shop.toml";
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(2);

const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Stands in for cargo: a bootstrap that does nothing.
const CARGO: &str = r#"#!/bin/sh
if [ "$1" = metadata ]; then
  printf '{"packages": [], "target_directory": "%s/target"}' "$SANDBOX"
  exit
fi
while [ "$#" -gt 0 ]; do
  if [ "$1" = --bin ]; then binary=$2; fi
  shift
done
mkdir -p "$SANDBOX/target/lambda/$binary"
printf '#!/bin/sh\nexit 1\n' >"$SANDBOX/target/lambda/$binary/bootstrap"
"#;

/// The commands of README's section "Deploy", in order.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Layout::of_workspace().root().join("README.md")).unwrap();
    let section = readme.split("\n## Deploy\n").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let lines = section.lines();
    lines
        .filter_map(|line| line.strip_prefix("$ "))
        .map(str::to_owned)
        .collect()
}

/// A user's machine: a fresh copy of what git has, the SAM CLI, and a local stack as AWS.
struct Reader {
    stack: Stack,
    folder: TempDir,
    stand_in: bool,
}

impl Reader {
    fn new(stand_in: bool) -> Self {
        let stack = Stack::start(Options::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let listed = Command::new("git")
            .current_dir(Layout::of_workspace().root())
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .unwrap();
        for name in String::from_utf8(listed.stdout)
            .unwrap()
            .split_terminator('\0')
        {
            let from = Layout::of_workspace().root().join(name);
            let to = folder.path().join("copy").join(name);
            // Listed and there: what was deleted and not committed yet is still listed.
            if from.is_file() {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(from, to).unwrap();
            }
        }
        let reader = Self {
            stack,
            folder,
            stand_in,
        };
        reader.settle_in();
        reader
    }

    /// Settings of SAM CLI, so that it asks nobody for its newest version; the stand-in.
    fn settle_in(&self) {
        let path = self.folder.path();
        fs::create_dir_all(path.join("sam")).unwrap();
        fs::create_dir_all(path.join("bin")).unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let settings = format!("{{\"telemetryEnabled\": false, \"lastVersionCheck\": {now}}}");
        fs::write(path.join("sam/metadata.json"), settings).unwrap();
        if self.stand_in {
            let cargo = path.join("bin/cargo");
            fs::write(&cargo, CARGO).unwrap();
            fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("copy")
    }

    /// Runs a command as the page has it; what is on its standard input are the answers.
    fn run(&self, command: &str, answers: &[String]) -> String {
        let sam = Layout::of_workspace().local().join("venv/sam/bin");
        let path = env::var("PATH").unwrap();
        let own = self.folder.path();
        let mut shell = Command::new("bash");
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("AWS_") || name.starts_with("CARGO") {
                shell.env_remove(name);
            }
        }
        let mut child = shell
            .args(["-c", command])
            .current_dir(self.copy())
            .env(
                "PATH",
                format!("{}:{}:{path}", own.join("bin").display(), sam.display()),
            )
            .env("SANDBOX", self.copy())
            .env("AWS_ENDPOINT_URL", self.stack.endpoint())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .env("SAM_CLI_TELEMETRY", "0")
            .env("SAM_CLI_POLL_DELAY", "0.1")
            .env("__SAM_CLI_APP_DIR", own.join("sam"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(fs::File::create(own.join("errors")).unwrap()))
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(answers.concat().as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &fs::read_to_string(own.join("errors")).unwrap();
        assert!(output.status.success(), "{command}: {said}");
        said
    }

    /// What the guide asks, in its order, answered: a name, this machine's processor, and Enter.
    fn answers(&self) -> Vec<String> {
        let template = fs::read_to_string(self.copy().join("template.yaml")).unwrap();
        let mut answers = vec![NAME.to_owned(), String::new()];
        let names = template_parameters(&template).into_iter();
        answers.extend(names.map(|name| match name.as_str() {
            "Architecture" => ARCHITECTURE.to_owned(),
            _ => String::new(),
        }));
        assert!(answers.len() > 40, "{answers:?}");
        // Confirm changes; create roles, disable rollback, save, file, environment; the change set.
        answers.push("y".to_owned());
        answers.extend(std::iter::repeat_n(String::new(), 5));
        answers.push("N".to_owned());
        answers.into_iter().map(|answer| answer + "\n").collect()
    }

    /// The value that the stack was deployed with.
    fn parameter(&self, name: &str) -> String {
        let name_of_stack = [("StackName", NAME)];
        let cloud = self.stack.cloud();
        let xml = cloud.query(Service::CloudFormation, "DescribeStacks", &name_of_stack);
        let xml = xml.unwrap();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let key = document
            .descendants()
            .find(|node| node.has_tag_name("ParameterKey") && node.text() == Some(name));
        let of = key.and_then(|it| it.parent()).unwrap();
        let value = of
            .descendants()
            .find(|it| it.has_tag_name("ParameterValue"));
        value.unwrap().text().unwrap_or_default().to_owned()
    }

    /// Follows the page from its first command to its last.
    fn follow(&self) {
        let page = commands();
        let page: Vec<_> = page.iter().map(String::as_str).collect();
        let [
            target,
            build,
            "sam validate --lint",
            "touch samconfig.shop.toml",
            guided,
            check,
            deploy,
            ..,
        ] = page[..]
        else {
            panic!("the page has other commands: {page:#?}");
        };
        assert_eq!(target, "rustup target add aarch64-unknown-linux-gnu");
        // The page says what to add for another processor: the local stack has this machine's.
        self.run(
            &format!("{build} --parameter-overrides Architecture={ARCHITECTURE}"),
            &[],
        );
        self.run("sam validate --lint", &[]);
        self.run("touch samconfig.shop.toml", &[]);
        self.run(guided, &self.answers());
        assert!(self.outputs().is_empty(), "nothing is deployed yet");
        // What it finds, the end-to-end tests show; here it comes before the deployment.
        assert!(check.contains("-- check --config-file"), "{check}");
        let yes = ["y\n".to_owned()];
        self.run(deploy, &yes);
        assert_eq!(self.parameter("Architecture"), ARCHITECTURE);

        // A parameter is changed in the stack's own file; the tracked one is as it was.
        let tracked = Layout::of_workspace().root().join("samconfig.toml");
        let copied = self.copy().join("samconfig.toml");
        assert_eq!(fs::read(tracked).unwrap(), fs::read(copied).unwrap());
        let configuration = self.copy().join(CONFIGURATION);
        let saved = fs::read_to_string(&configuration).unwrap();
        let again = |days: &str, objects: &str| {
            let (before, other) = ("DrillDays=\\\"0\\\"", "DrillObjects=\\\"100\\\"");
            assert!(saved.contains(before) && saved.contains(other), "{saved}");
            let objects = format!("DrillObjects=\\\"{objects}\\\"");
            let edited = saved.replace(before, days).replace(other, &objects);
            fs::write(&configuration, edited).unwrap();
            self.run(deploy, &yes);
            assert_eq!(self.parameter("Architecture"), ARCHITECTURE);
            (self.parameter("DrillDays"), self.parameter("DrillObjects"))
        };
        let deployed = |days: &str, objects: &str| (days.to_owned(), objects.to_owned());
        assert_eq!(again("DrillDays=\\\"7\\\"", "20"), deployed("7", "20"));
        // What the file does not name any more keeps its value; the default comes back where it is written.
        assert_eq!(again("", "30"), deployed("7", "30"));
        assert_eq!(again("DrillDays=\\\"0\\\"", "30"), deployed("0", "30"));
    }

    fn outputs(&self) -> backup_stack::Outputs {
        self.stack.cloud().stack_outputs(NAME).unwrap()
    }
}

#[test]
fn the_commands_of_the_readme_deploy_a_stack_and_change_it() {
    let reader = Reader::new(true);
    reader.follow();
    assert!(reader.outputs().contains_key("SourceBucket"));
}

/// The configuration file has to be there before SAM CLI is told of it: hence `touch`.
#[test]
fn sam_refuses_a_configuration_file_that_is_not_there() {
    let sam = Layout::of_workspace().local().join("venv/sam/bin/sam");
    backup_stack::Toolchain::ensure(&backup_stack::Silent).unwrap();
    let output = Command::new(sam)
        .args(["deploy", "--guided", "--config-file", CONFIGURATION])
        .current_dir(Layout::of_workspace().root().join("events"))
        .env("SAM_CLI_TELEMETRY", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("does not exist"), "{said}");
}

#[test]
#[ignore = "half an hour: all functions optimised as for AWS"]
fn a_first_deployment_backs_up_an_object() {
    let reader = Reader::new(false);
    let begun = Instant::now();
    reader.follow();
    println!("built and deployed in {} s", begun.elapsed().as_secs());
    let outputs = reader.outputs();
    let cloud = reader.stack.cloud();
    let (source, backup) = (&outputs["SourceBucket"], &outputs["BackupBucket"]);
    cloud
        .put_object(source, "hello.txt", b"hello", &[])
        .unwrap();
    let begun = Instant::now();
    while cloud.get_object(backup, "hello.txt", None).is_err() {
        assert!(begun.elapsed() < UPLOAD_TIMEOUT, "no backup of hello.txt");
        thread::sleep(Duration::from_millis(200));
    }
    let bootstrap = |path: &Path| fs::metadata(path.join("bootstrap")).is_ok_and(|it| it.len() > 0);
    let built = fs::read_dir(reader.copy().join(".aws-sam/build")).unwrap();
    let built: Vec<_> = built
        .map(|it| it.unwrap().path())
        .filter(|it| it.is_dir())
        .collect();
    assert!(built.iter().all(|path| bootstrap(path)));
    println!("{} functions built; hello.txt is backed up", built.len());
}
