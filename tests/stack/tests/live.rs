//! The local stack itself, with small templates that need no Lambda functions.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use backup_stack::{Error, Layout, Options, Progress, Service, Stack};
use serde_json::json;
use tempfile::TempDir;

/// `Fails` makes the second resource one that cannot be created: its name is taken.
const TEMPLATE: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Text: {Type: String, Default: none}
  Fails: {Type: String, Default: 'no'}
Conditions:
  Fails: !Equals [!Ref Fails, 'yes']
Resources:
  First: {Type: AWS::SSM::Parameter, Properties: {Name: /first, Type: String, Value: !Ref Text}}
  Impossible:
    Type: AWS::SSM::Parameter
    Condition: Fails
    DependsOn: First
    Properties: {Name: /first, Type: String, Value: x}
Outputs:
  Text: {Value: !Ref Text}
";

fn start() -> (Stack, TempDir) {
    start_with(TEMPLATE)
}

fn start_with(text: &str) -> (Stack, TempDir) {
    start_telling(text, Options::default().progress)
}

fn start_telling(text: &str, progress: Arc<dyn Progress>) -> (Stack, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.yaml");
    fs::write(&template, text).unwrap();
    let stack = Stack::start(Options {
        template: Some(template),
        progress,
        ..Options::default()
    });
    (stack.unwrap(), folder)
}

#[test]
fn parameters_arrive_byte_for_byte() {
    let policy = json!({"version": 1, "rules": [{"name": "it's \"all\"", "match": ["**", "a b"]}]});
    let texts = [
        "plain",
        "two  spaces \\ and a trailing backslash \\",
        "'wrapped in quotes'",
        "\"wrapped in \\\"others\\\"\"",
        "P0=taken ParameterKey=P0,ParameterValue=taken",
        "file:///etc/hostname",
        "tab\tnext line\r\nand é🦀 \u{85}\u{2028}\n",
        "${AWS::Region} !Ref x #: - {% $x %}",
        &serde_json::to_string_pretty(&policy).unwrap(),
    ];
    let names: Vec<_> = (0..texts.len()).map(|at| format!("P{at}")).collect();
    let (stack, _folder) = start_with(&template_of(&names));
    let parameters: Vec<_> = names.iter().map(String::as_str).zip(texts).collect();
    stack.deploy(&parameters).unwrap();
    for (name, text) in parameters {
        let input = json!({"Name": format!("/{name}")});
        let answer = stack.cloud().json(Service::Ssm, "GetParameter", &input);
        assert_eq!(answer.unwrap()["Parameter"]["Value"], text);
    }
}

/// A template that keeps each of these parameters in one of the Parameter Store.
fn template_of(names: &[String]) -> String {
    let resource = |name: &String| {
        let properties = json!({"Name": format!("/{name}"), "Type": "String",
            "Value": {"Ref": name}});
        (
            name.clone(),
            json!({"Type": "AWS::SSM::Parameter", "Properties": properties}),
        )
    };
    let resources: serde_json::Map<_, _> = names.iter().map(resource).collect();
    let mut template = String::from("Transform: AWS::Serverless-2016-10-31\nParameters:\n");
    for name in names {
        template.push_str(&["  ", name, ": {Type: String}\n"].concat());
    }
    template
        + &json!(resources)
            .to_string()
            .replacen('{', "Resources: {", 1)
        + "\n"
}

#[test]
fn failed_deployment_names_its_resource_and_can_be_mended() {
    let (stack, _folder) = start();
    let error = stack.deploy(&[("Fails", "yes")]).unwrap_err();
    let Error::DeployFailed { lines, log } = &error else {
        panic!("{error}");
    };
    assert!(
        lines.contains("Impossible (AWS::SSM::Parameter)"),
        "{lines}"
    );
    assert!(log.exists());

    let outputs = stack.deploy(&[("Text", "mended")]).unwrap();
    assert_eq!(outputs["Text"], "mended");
}

/// A table that is kept when its stack goes, beside what fails if asked to.
const KEPT: &str = "\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Fails: {Type: String, Default: 'no'}
Conditions:
  Fails: !Equals [!Ref Fails, 'yes']
Resources:
  Kept:
    Type: AWS::DynamoDB::GlobalTable
    DeletionPolicy: POLICY
    UpdateReplacePolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      Replicas: [{Region: !Ref AWS::Region}]
  First: {Type: AWS::SSM::Parameter, DependsOn: Kept, Properties: {Name: /first, Type: String, Value: x}}
  Impossible:
    Type: AWS::SSM::Parameter
    Condition: Fails
    DependsOn: First
    Properties: {Name: /first, Type: String, Value: x}
";

/// The template's own resources say `RetainExceptOnCreate`; `Retain` would leave a table with each attempt.
#[test]
fn a_creation_that_fails_leaves_nothing_of_what_a_deletion_keeps() {
    let tables = |stack: &Stack| {
        let listed = stack
            .cloud()
            .json(Service::DynamoDb, "ListTables", &json!({}));
        listed.unwrap()["TableNames"].as_array().unwrap().len()
    };
    for (policy, left) in [("RetainExceptOnCreate", 0), ("Retain", 1)] {
        let (stack, _folder) = start_with(&KEPT.replace("POLICY", policy));
        stack.deploy(&[("Fails", "yes")]).unwrap_err();
        assert_eq!(tables(&stack), left, "{policy}");
    }

    let (stack, _folder) = start_with(&KEPT.replace("POLICY", "RetainExceptOnCreate"));
    stack.deploy(&[]).unwrap();
    // What an update finds it leaves, though it fails.
    stack.deploy(&[("Fails", "yes")]).unwrap_err();
    assert_eq!(tables(&stack), 1);
    let named = [("StackName", backup_stack::STACK_NAME)];
    let cloud = stack.cloud();
    cloud
        .query(Service::CloudFormation, "DeleteStack", &named)
        .unwrap();
    let begun = Instant::now();
    while cloud
        .query(Service::CloudFormation, "DescribeStacks", &named)
        .is_ok()
    {
        assert!(begun.elapsed() < Duration::from_mins(1));
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(tables(&stack), 1);
}

/// Counts the runs of `sam deploy`.
#[derive(Default)]
struct Deployments(AtomicUsize);

impl Deployments {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Progress for Deployments {
    fn begin(&self, step: &str) {
        if step.contains("`sam deploy`") {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn unchanged_template_is_not_deployed_again() {
    let told = Arc::new(Deployments::default());
    let (stack, folder) = start_telling(TEMPLATE, told.clone());
    stack.deploy(&[("Text", "once")]).unwrap();
    assert_eq!(told.count(), 1);
    let outputs = stack.deploy(&[("Text", "once")]).unwrap();
    assert_eq!(outputs["Text"], "once");
    assert_eq!(told.count(), 1);

    let changed = TEMPLATE.replace(
        "Name: /first, Type: String, Value: !Ref Text",
        "Name: /second, Type: String, Value: x",
    );
    fs::write(folder.path().join("template.yaml"), changed).unwrap();
    stack.deploy(&[("Text", "once")]).unwrap();
    assert_eq!(told.count(), 2);
    let input = json!({"Name": "/second"});
    let answer = stack.cloud().json(Service::Ssm, "GetParameter", &input);
    assert_eq!(answer.unwrap()["Parameter"]["Value"], "x");
}

#[test]
fn misspelt_parameter_is_refused() {
    let (stack, _folder) = start();
    let error = stack.deploy(&[("Txet", "x")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has no parameter `Txet`; it has Text, Fails"
    );
}

#[test]
fn stacks_run_side_by_side_and_stop_alone() {
    let ((one, _), (other, _)) = (start(), start());
    one.cloud().create_bucket("only-here").unwrap();
    let bucket_elsewhere = other.cloud().put_object("only-here", "k", b"v", &[]);
    assert!(bucket_elsewhere.is_err());

    let gone = one.endpoint().to_owned();
    one.stop().unwrap();
    assert!(!listens(&gone));
    other.cloud().create_bucket("still-there").unwrap();
}

#[test]
fn taken_port_is_told() {
    let (stack, _folder) = start();
    let port = stack
        .endpoint()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let error = Stack::start(Options {
        port: Some(port),
        ..Options::default()
    });
    assert!(matches!(error.unwrap_err(), Error::PortTaken { port: taken } if taken == port));
}

#[test]
fn an_address_of_another_machine_is_told() {
    // TEST-NET-1 of RFC 5737: nobody has it.
    let address = std::net::Ipv4Addr::new(192, 0, 2, 1);
    let error = Stack::start(Options {
        address: Some(address),
        ..Options::default()
    });
    assert!(
        matches!(error.unwrap_err(), Error::NoSuchAddress { address: told } if told == address)
    );
}

#[test]
fn a_stack_listens_where_it_is_told() {
    let stack = Stack::start(Options {
        address: Some(std::net::Ipv4Addr::new(127, 0, 0, 2)),
        ..Options::default()
    })
    .unwrap();
    assert!(stack.endpoint().starts_with("http://127.0.0.2:"));
    stack.cloud().create_bucket("over-there").unwrap();
}

/// A killed process cannot clean up, so others must. The holder is this very test program.
#[test]
fn nothing_outlives_a_killed_holder() {
    let mut holder = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holder", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let endpoint = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("endpoint ").map(String::from))
        .unwrap();
    assert!(listens(&endpoint));

    holder.kill().unwrap();
    holder.wait().unwrap();
    let run = run_folder(holder.id());
    let begun = Instant::now();
    while listens(&endpoint) || run.exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{endpoint}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "part of nothing_outlives_a_killed_holder"]
fn holder() {
    let (stack, _folder) = start();
    println!("endpoint {}", stack.endpoint());
    std::io::stdout().flush().unwrap();
    thread::sleep(Duration::from_mins(1));
}

fn run_folder(process: u32) -> PathBuf {
    Layout::of_workspace()
        .local()
        .join(format!("run/{process}-1"))
}

fn listens(endpoint: &str) -> bool {
    TcpStream::connect(endpoint.trim_start_matches("http://")).is_ok()
}
