//! The deployed definition, read: which states there are, and how each can be reached.

use std::collections::{BTreeMap, BTreeSet};

use backup_e2e::{World, planned};
use serde_json::{Value, json};

/// Raised where a state is only to lead to its catcher: named, and not retried.
const TO_BE_CAUGHT: &str = "AccessDenied";

/// A state with what it can lead to.
pub struct State {
    /// Its text in the definition.
    pub text: Value,
    next: Vec<String>,
    /// Error names of a catcher, and where it leads.
    caught: Vec<(Vec<String>, String)>,
}

impl State {
    pub fn is_task(&self) -> bool {
        self.text["Type"] == "Task"
    }

    /// Whether it invokes this function.
    pub fn invokes(&self, function: &str) -> bool {
        let name = self.text["Arguments"]["FunctionName"].as_str();
        name.and_then(|arn| arn.rsplit(':').next())
            .is_some_and(|name| name.contains(&format!("-{function}Function-")))
    }

    /// Whether it sends to a queue.
    pub fn parks(&self) -> bool {
        self.text["Resource"]
            .as_str()
            .is_some_and(|resource| resource.ends_with("sqs:sendMessage"))
    }

    /// How often an error is tried in all, by the first retrier that names it.
    pub fn tries_of(&self, error: &str) -> usize {
        let retriers = self.text["Retry"].as_array();
        let retrier = retriers
            .into_iter()
            .flatten()
            .find(|retrier| names(retrier).any(|name| name == error || name == "States.ALL"));
        let again = retrier.map_or(0, |retrier| retrier["MaxAttempts"].as_u64().unwrap_or(3));
        1 + usize::try_from(again).unwrap()
    }
}

fn names(retrier: &Value) -> impl Iterator<Item = &str> {
    let names = retrier["ErrorEquals"].as_array();
    names.into_iter().flatten().filter_map(Value::as_str)
}

/// What a Map repeats.
fn inner(state: &Value) -> Option<&Value> {
    state.get("ItemProcessor").filter(|inner| inner.is_object())
}

fn collect(scope: &Value, found: &mut BTreeMap<String, State>) {
    for (name, state) in scope["States"].as_object().unwrap() {
        let each = |field: &str| state[field].as_array().into_iter().flatten();
        let next = [
            &state["Next"],
            &state["Default"],
            &state["ItemProcessor"]["StartAt"],
        ];
        let next = next
            .into_iter()
            .chain(each("Choices").map(|choice| &choice["Next"]));
        let caught = each("Catch").map(|catcher| {
            let names = names(catcher).map(str::to_owned).collect();
            (names, catcher["Next"].as_str().unwrap().to_owned())
        });
        let state_read = State {
            text: state.clone(),
            next: next.filter_map(Value::as_str).map(str::to_owned).collect(),
            caught: caught.collect(),
        };
        found.insert(name.clone(), state_read);
        if let Some(inner) = inner(state) {
            collect(inner, found);
        }
    }
}

/// An object whose good execution passes some tasks.
pub struct Sample {
    rule: &'static str,
    pub body: &'static [u8],
    passes: BTreeSet<String>,
}

impl Sample {
    /// A key of its rule in the policy.
    pub fn key(&self, rest: &str) -> String {
        format!("{}/{rest}", self.rule)
    }
}

/// Rule and content, one for each way that a good execution can take: a task that none of them leads
/// to fails the tests, and wants another one here.
const SAMPLES: &[(&str, &[u8])] = &[("told", b"small"), ("told", LARGE)];

/// Copied in parts: two of them.
const LARGE: &[u8] = &[7; 8 * 1024 * 1024];

/// All states, and samples that were run once to see which of them they pass.
pub struct Machine {
    pub definition: Value,
    pub states: BTreeMap<String, State>,
    pub samples: Vec<Sample>,
}

/// How a state is reached: the sample to upload, and which states must throw what.
pub type Way<'a> = (&'a Sample, BTreeMap<String, String>);

impl Machine {
    pub fn read(world: &World, test: &str) -> Self {
        let definition: Value = serde_json::from_str(&world.definition).unwrap();
        let mut states = BTreeMap::new();
        collect(&definition, &mut states);
        let traced = trace(world, &definition, &states, test);
        let run = |(number, (rule, body)): (usize, &(&'static str, &'static [u8]))| {
            let mut sample = Sample {
                rule,
                body,
                passes: BTreeSet::new(),
            };
            let key = sample.key(&format!("{test}/sample-{number}"));
            let first = world.upload(&key, body, &[]);
            world.forget(&key);
            let ended = world.start_on(&traced, &world.input_of(&first.arn));
            assert_eq!(ended.status, "SUCCEEDED", "sample {number}: {ended:?}");
            let passed = ended.failures.iter().map(String::as_str);
            let task = |cause: &str| Some(cause.strip_prefix(&planned(TRACE))?.to_owned());
            sample.passes = passed.filter_map(task).collect();
            assert!(sample.passes.len() >= 5, "{:?}", sample.passes);
            sample
        };
        let samples = SAMPLES.iter().enumerate().map(run).collect();
        Self {
            definition,
            states,
            samples,
        }
    }

    pub fn tasks(&self) -> Vec<&String> {
        let tasks = self.states.iter().filter(|(_, state)| state.is_task());
        let tasks: Vec<_> = tasks.map(|(name, _)| name).collect();
        assert!(tasks.len() >= 8, "{tasks:?}");
        tasks
    }

    /// How to reach a state: a sample that passes it, or one that passes a state whose failure
    /// leads there.
    pub fn way_to(&self, name: &str) -> Way<'_> {
        if let Some(sample) = self.samples.iter().find(|it| it.passes.contains(name)) {
            return (sample, BTreeMap::new());
        }
        let mut reach = BTreeSet::from([name]);
        loop {
            for sample in &self.samples {
                if let Some((from, error)) = self.thrown_into(&reach, sample) {
                    return (sample, BTreeMap::from([(from.to_owned(), error)]));
                }
            }
            let before = reach.len();
            let leads = |state: &State| state.next.iter().any(|to| reach.contains(to.as_str()));
            let more = self.states.iter().filter(|(_, state)| leads(state));
            let more: Vec<_> = more.map(|(from, _)| from.as_str()).collect();
            reach.extend(more);
            assert!(reach.len() > before, "no sample leads to {name}");
        }
    }

    /// A task that the sample passes, and the error by which it leads to one of `reach`.
    fn thrown_into(&self, reach: &BTreeSet<&str>, sample: &Sample) -> Option<(&str, String)> {
        let mut passed = self.states.iter().filter(|(name, state)| {
            state.is_task() && sample.passes.contains(*name) && !reach.contains(name.as_str())
        });
        passed.find_map(|(name, state)| {
            let (errors, _) = state
                .caught
                .iter()
                .find(|(_, to)| reach.contains(to.as_str()))?;
            let error = match errors.first()?.as_str() {
                "States.ALL" => TO_BE_CAUGHT,
                named => named,
            };
            Some((name.as_str(), error.to_owned()))
        })
    }

    /// The definition with one task run twice: a second state of the same text stands behind it.
    ///
    /// The first hands its own input on, so that the second is asked the same; and the second is
    /// told that it is a retry, as Step Functions does when an answer was lost.
    pub fn doubled(&self, task: &str) -> Value {
        let mut definition = self.definition.clone();
        assert!(double(&mut definition, task), "{task} is in no scope");
        definition
    }
}

/// Begins the name of the state before each task that shows that it was reached.
const TRACE: &str = "Trace";

/// A machine whose history names each task that it reaches, those inside of Maps too, which leave no
/// events of their own on the local stack: before each stands one that fails by plan and is caught.
fn trace(
    world: &World,
    definition: &Value,
    states: &BTreeMap<String, State>,
    test: &str,
) -> String {
    let tasks = states.iter().filter(|(_, state)| state.is_task());
    let tasks: BTreeSet<_> = tasks.map(|(name, _)| name.clone()).collect();
    let mut definition = definition.clone();
    traced(&mut definition, &tasks);
    let name = format!("traced-{test}");
    let machine = world.create_machine(&name, &definition);
    let throws = tasks
        .iter()
        .map(|task| (format!("{TRACE}{task}"), TO_BE_CAUGHT.to_owned()));
    world.mock(&name, &[(name.clone(), throws.collect())]);
    format!("{machine}#{name}")
}

/// Leads every way to a task past the state that shows it.
fn traced(value: &mut Value, tasks: &BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| traced(value, tasks)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value.as_str() {
                    Some(to)
                        if ["Next", "Default", "StartAt"].contains(&name.as_str())
                            && tasks.contains(to) =>
                    {
                        *value = format!("{TRACE}{to}").into();
                    }
                    _ => traced(value, tasks),
                }
            }
            let Some(Value::Object(states)) = fields.get_mut("States") else {
                return;
            };
            let own: Vec<_> = states
                .keys()
                .filter(|name| tasks.contains(*name))
                .cloned()
                .collect();
            for task in own {
                let shown = json!({
                    "Type": "Task",
                    "Resource": states[&task]["Resource"],
                    "Arguments": {},
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": task}],
                    "End": true,
                });
                states.insert(format!("{TRACE}{task}"), shown);
            }
        }
        _ => {}
    }
}

fn double(scope: &mut Value, task: &str) -> bool {
    let states = scope["States"].as_object_mut().unwrap();
    if let Some(first) = states.get_mut(task) {
        let mut second = first.clone();
        let arguments = second["Arguments"].to_string();
        let retried = arguments.replace("$states.context.State.RetryCount", "1");
        second["Arguments"] = serde_json::from_str(&retried).unwrap();
        let name = format!("{task}Again");
        let fields = first.as_object_mut().unwrap();
        fields.remove("End");
        fields.insert("Next".to_owned(), name.clone().into());
        fields.insert("Output".to_owned(), "{% $states.input %}".into());
        states.insert(name, second);
        return true;
    }
    let mut inner = states
        .values_mut()
        .filter_map(|state| state.get_mut("ItemProcessor"));
    inner.any(|inner| double(inner, task))
}
