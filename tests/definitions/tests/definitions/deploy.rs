//! What SAM CLI makes of the deployment's page and of the build settings.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_domain::policy;
use backup_stack::{Silent, Toolchain};

use crate::{read, root};

/// Where the SAM CLI of the tests lies.
fn sam_programs() -> PathBuf {
    let toolchain = Toolchain::ensure(&Silent).unwrap();
    toolchain.layout().local().join("venv/sam/bin")
}

/// A folder of the test's own, empty.
fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The fenced blocks of a page that are written in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let blocks = page.split(fence.as_str()).skip(1);
    blocks.map(|it| it.split("```").next().unwrap()).collect()
}

/// The parameters that reach CloudFormation from this command line, as the shell and SAM CLI read
/// it.
fn arriving(folder: &Path, command: &str) -> BTreeMap<String, String> {
    let arguments = command.strip_prefix("sam deploy ").unwrap();
    let script = format!(
        "exec '{}/python' '{}' {arguments}",
        sam_programs().display(),
        root().join("tests/definitions/overrides.py").display(),
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("SAM_CLI_TELEMETRY", "0")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with the configuration file of the page and with a policy.
fn deployment(name: &str) -> (PathBuf, String) {
    let folder = empty(name);
    let page = read("docs/deploy.md");
    let [configuration] = blocks(&page, "toml")[..] else {
        panic!("docs/deploy.md has one configuration file");
    };
    fs::write(folder.join("samconfig.shop.toml"), configuration).unwrap();
    fs::copy(root().join("template.yaml"), folder.join("template.yaml")).unwrap();
    let readme = read("README.md");
    let policy = blocks(&readme, "json")[0].to_owned();
    fs::write(folder.join("policy.json"), &policy).unwrap();
    (folder, policy)
}

const SCHEDULE: &str = "cron(0 3 ? * SUN *)";

#[test]
fn values_in_a_configuration_file_arrive_whole() {
    let (folder, _) = deployment("configuration-file");
    let arrived = arriving(&folder, "sam deploy --config-file samconfig.shop.toml");
    assert_eq!(arrived["AuditSchedule"], SCHEDULE);
    assert_eq!(arrived["DrillDays"], "7");
    policy::parse(&arrived["PolicyDocument"], &["source".to_owned()]).unwrap();
}

/// Defaults that the page writes out arrive, the empty one too, and what a file does not name is not sent: then it keeps
/// the value of the last deployment (`tests/stack/tests/first_deployment.rs` deploys so).
#[test]
fn defaults_that_are_written_arrive_and_what_is_not_named_does_not() {
    let folder = empty("written-defaults");
    fs::copy(root().join("template.yaml"), folder.join("template.yaml")).unwrap();
    let page = read("docs/deploy.md");
    let defaults = ["DrillDays = 0", "CatalogTableName = \"\""];
    for line in defaults {
        assert!(page.contains(&format!("`{line}`")), "{line}");
    }
    let arrived = |lines: &[&str]| {
        let head = "version = 0.1\n[default.deploy.parameters]\nstack_name = \"s\"\n\
                    [default.deploy.parameters.parameter_overrides]\nDigestMinutes = 5\n";
        let file = head.to_owned() + &lines.join("\n");
        fs::write(folder.join("samconfig.shop.toml"), file).unwrap();
        arriving(&folder, "sam deploy --config-file samconfig.shop.toml")
    };
    let written = arrived(&defaults);
    assert_eq!(written["DrillDays"], "0");
    assert_eq!(written["CatalogTableName"], "");
    let names: Vec<_> = arrived(&[]).into_keys().collect();
    assert_eq!(names, ["DigestMinutes"]);
}

#[test]
fn values_on_the_command_line_arrive_whole_in_two_pairs_of_quotation_marks() {
    let (folder, policy) = deployment("command-line");
    let page = read("docs/deploy.md");
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("$ ").filter(|it| it.contains("cron(")))
        .unwrap();
    let arrived = arriving(&folder, line);
    assert_eq!(arrived["AuditSchedule"], SCHEDULE);
    assert_eq!(arrived["PolicyDocument"].trim(), policy.trim());

    // One pair is the shell's, and SAM CLI splits at the first space.
    let once = "sam deploy --config-file samconfig.shop.toml --parameter-overrides";
    let once = format!("{once} 'AuditSchedule={SCHEDULE}' \"PolicyDocument=$(cat policy.json)\"");
    let arrived = arriving(&folder, &once);
    assert_eq!(arrived["AuditSchedule"], "cron(0");
    assert_ne!(arrived["PolicyDocument"].trim(), policy.trim());
}

/// The page says which characters a policy loses on its way through SAM CLI.
#[test]
fn some_quotation_marks_inside_a_policy_do_not_survive() {
    let (folder, _) = deployment("quotation-marks");
    let on_the_command_line = |text: &str| {
        fs::write(folder.join("policy.json"), text).unwrap();
        let value = "\"PolicyDocument='$(cat policy.json)'\"";
        let command = format!("sam deploy --stack-name s --parameter-overrides {value}");
        arriving(&folder, &command)["PolicyDocument"] == text
    };
    let in_a_file = |text: &str| {
        let configuration = format!(
            "version = 0.1\n[default.deploy.parameters]\nstack_name = \"s\"\n\
             [default.deploy.parameters.parameter_overrides]\nPolicyDocument = '''{text}'''\n"
        );
        fs::write(folder.join("samconfig.shop.toml"), configuration).unwrap();
        let command = "sam deploy --config-file samconfig.shop.toml";
        arriving(&folder, command)["PolicyDocument"] == text
    };
    for (text, survives) in [
        (r#"{"name": "all"}"#, (true, true)),
        (r#"{"name": "it's"}"#, (false, true)),
        (r#"{"name": "the \"tmp\" folder"}"#, (false, false)),
    ] {
        let seen = (on_the_command_line(text), in_a_file(text));
        assert_eq!(seen, survives, "{text}");
    }
}

/// What the command line says holds for one deployment: the next one without it takes it back. Only the
/// page that says so shows it.
#[test]
fn no_page_changes_a_parameter_on_the_command_line() {
    let folder = root().join("docs");
    let pages = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let pages = pages.chain([root().join("README.md"), root().join("CONTRIBUTING.md")]);
    for page in pages.filter(|page| !page.ends_with("docs/deploy.md")) {
        for line in fs::read_to_string(&page).unwrap().lines() {
            let tells = line.contains("sam deploy") && line.contains("--parameter-overrides");
            assert!(!tells, "{}: {line}", page.display());
        }
    }
}

/// What is tracked belongs to every stack: a name or a parameter in it would be everyone's.
#[test]
fn the_tracked_configuration_holds_build_settings_alone() {
    let tables = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| line.starts_with('['))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        tables(&read("samconfig.toml")),
        ["[default.build.parameters]"]
    );

    let ignored = |path: &str| {
        let git = Command::new("git")
            .current_dir(root())
            .args(["check-ignore", "--quiet", "--no-index", path])
            .status();
        git.unwrap().success()
    };
    assert!(ignored("samconfig.shop.toml"));
    assert!(!ignored("samconfig.toml"));
}

/// Stands in for cargo: notes each build, and makes what `sam build` fetches.
const CARGO: &str = r#"#!/bin/sh
if [ "$1" = metadata ]; then
  printf '{"packages": [], "target_directory": "%s/target"}' "$SANDBOX"
else
  echo "$@" >>"$SANDBOX/builds"
  mkdir -p "$SANDBOX/target/lambda/notify"
  date +%N >"$SANDBOX/target/lambda/notify/bootstrap"
fi
"#;

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The stand-ins of the folder before everything else.
fn path_with(folder: &Path) -> String {
    let path = std::env::var("PATH").unwrap();
    let sam = sam_programs();
    format!("{}/bin:{}:{path}", folder.display(), sam.display())
}

/// One function, built as each of the real template is.
const TEMPLATE: &str = r"Transform: AWS::Serverless-2016-10-31
Resources:
  NotifyFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: notify } }
    Properties: { CodeUri: functions/notify, Handler: bootstrap, Runtime: provided.al2023 }
";

/// `sam build` with the settings of the repository: how often it has asked cargo.
fn built(folder: &Path) -> usize {
    let output = Command::new(sam_programs().join("sam"))
        .arg("build")
        .current_dir(folder)
        .env("SAM_CLI_TELEMETRY", "0")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SANDBOX", folder)
        .env("PATH", path_with(folder))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let builds = fs::read_to_string(folder.join("builds")).unwrap();
    builds.lines().count()
}

/// SAM's cache sees a function's own folder: a change of a crate that it shares would deploy the
/// binary of before. Cargo knows what has changed, so each build has to ask it.
#[test]
fn every_build_asks_cargo_what_has_changed() {
    let folder = empty("builds");
    fs::write(folder.join("template.yaml"), TEMPLATE).unwrap();
    for path in [
        "samconfig.toml",
        "functions/notify/Cargo.toml",
        "functions/domain/src/lib.rs",
    ] {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::copy(root().join(path), folder.join(path)).unwrap();
    }
    fs::create_dir(folder.join("bin")).unwrap();
    script(&folder.join("bin/cargo"), CARGO);

    assert_eq!(built(&folder), 1);
    fs::write(folder.join("functions/domain/src/lib.rs"), "// changed").unwrap();
    assert_eq!(built(&folder), 2);

    // It is the setting that does it.
    let cached = read("samconfig.toml").replace("cached = false", "cached = true");
    fs::write(folder.join("samconfig.toml"), cached).unwrap();
    assert_eq!(built(&folder), 3, "the cache is empty at first");
    fs::write(folder.join("functions/domain/src/lib.rs"), "// again").unwrap();
    assert_eq!(built(&folder), 3, "the cache sees functions/notify alone");
}

/// Notes what cargo-lambda asks of cargo, and builds nothing.
const NOTING: &str = r#"#!/bin/sh
if [ "$1" = metadata ]; then exec "$REAL_CARGO" "$@"; fi
echo "$@" >>"$SANDBOX/asked"
exit 1
"#;

/// What `cargo lambda build --release` asks of cargo with this manifest of the workspace.
fn asked(name: &str, manifest: &str) -> String {
    let folder = empty(name);
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/main.rs"), "fn main() {}").unwrap();
    let profile = manifest.split("[profile.release]").nth(1).unwrap();
    let package = "[package]\nname = \"asked\"\nedition = \"2024\"\n[workspace]\n";
    let manifest = format!("{package}[profile.release]{profile}");
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    script(&folder.join("bin/cargo"), NOTING);
    let status = Command::new(sam_programs().join("cargo-lambda"))
        .args(["lambda", "build", "--release", "--bin", "asked"])
        .arg(if cfg!(target_arch = "aarch64") {
            "--arm64"
        } else {
            "--x86-64"
        })
        .current_dir(&folder)
        .env_remove("CARGO") // or it asks that one
        .env("REAL_CARGO", env!("CARGO"))
        .env("SANDBOX", &folder)
        .env("PATH", path_with(&folder))
        .output()
        .unwrap();
    assert!(!status.status.success(), "nothing is built");
    fs::read_to_string(folder.join("asked")).unwrap()
}

/// A panic is an error with a name only where it unwinds: the runtime catches it and answers.
#[test]
fn a_release_unwinds_because_the_profile_says_so() {
    let manifest = read("Cargo.toml");
    let release = asked("unwinds", &manifest);
    assert!(release.contains("--release"), "{release}");
    assert!(release.contains("target-cpu="), "{release}");
    assert!(!release.contains("panic"), "{release}");

    let silent = manifest.replace("panic = \"unwind\"", "");
    let release = asked("aborts", &silent);
    assert!(release.contains("panic=\"abort\""), "{release}");
}
