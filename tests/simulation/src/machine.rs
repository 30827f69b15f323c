//! Runs an Amazon States Language definition in virtual time: the states and fields that
//! `statemachine/backup.asl.json` uses, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::expressions::Expressions;
use crate::faults::Fault;
use crate::functions::{Answered, Functions};
use crate::world::{FUNCTION, Mutant, Parked, World};

/// Variables of one scope.
type Variables = Map<String, Value>;
/// `Error` and `Cause`.
type Problem = (String, String);

/// Most states that one execution may pass.
const STATES_MAX: usize = 2000;

/// A machine that can run many executions.
#[derive(Clone)]
pub struct Machine(Rc<Inner>);

struct Inner {
    definition: Rc<Value>,
    world: World,
    functions: Rc<Functions>,
    expressions: RefCell<Expressions>,
}

/// How often the retriers of a state have been used up.
type Tries = BTreeMap<usize, u64>;

impl Machine {
    /// A machine in a world.
    pub fn new(definition: Rc<Value>, world: World) -> Self {
        Self(Rc::new(Inner {
            definition,
            functions: Rc::new(Functions::new(&world)),
            world,
            expressions: RefCell::default(),
        }))
    }

    /// Runs one execution to its end.
    pub async fn execute(
        &self,
        input: Value,
        arn: String,
        started: String,
    ) -> Result<Value, Problem> {
        let context = json!({"Execution": {"Id": arn, "StartTime": started, "Input": input}});
        let definition = Rc::clone(&self.0.definition);
        self.states(&definition, input, Variables::new(), &context)
            .await
    }

    async fn states(
        &self,
        states: &Value,
        mut input: Value,
        mut variables: Variables,
        context: &Value,
    ) -> Result<Value, Problem> {
        let mut name = text(&states["StartAt"]).to_owned();
        let outer = variables.clone();
        for _ in 0..STATES_MAX {
            let state = &states["States"][&name];
            let scope = Scope {
                state,
                input: &input,
                variables: &variables,
                context,
            };
            let next = match text(&state["Type"]) {
                "Choice" => self.choose(&scope),
                "Succeed" => return Ok(input),
                "Fail" => {
                    let field = |field: &str| self.value(&scope, &state[field], &[]);
                    return Err((shown(&field("Error")), shown(&field("Cause"))));
                }
                "Pass" => self.leave(&scope, state, input.clone(), &[]),
                "Task" | "Map" => self.attempts(&scope).await?,
                kind => panic!("nothing here runs a {kind}"),
            };
            // As at AWS: what a scope around this one has assigned is only read here.
            for variable in next.assigned.keys() {
                let taken = outer.contains_key(variable);
                assert!(!taken, "{name} assigns {variable} of an outer scope");
            }
            variables.extend(next.assigned);
            input = next.output;
            match next.to {
                Some(to) => name = to,
                None => return Ok(input),
            }
        }
        panic!("an execution goes round in circles at {name}");
    }

    fn choose(&self, scope: &Scope) -> Next {
        let choices = scope.state["Choices"].as_array().expect("choices");
        for choice in choices {
            if self.value(scope, &choice["Condition"], &[]) == json!(true) {
                return self.leave(scope, choice, scope.input.clone(), &[]);
            }
        }
        let mut next = self.leave(scope, scope.state, scope.input.clone(), &[]);
        next.to = scope.state["Default"].as_str().map(str::to_owned);
        next
    }

    /// Assign, Output and Next, of a state or of one of its catchers or choices.
    fn leave(
        &self,
        scope: &Scope,
        fields: &Value,
        otherwise: Value,
        more: &[(&str, &Value)],
    ) -> Next {
        let assigned = match self.value(scope, fields.get("Assign").unwrap_or(&json!({})), more) {
            Value::Object(assigned) => assigned,
            other => panic!("Assign is {other}"),
        };
        let output = fields
            .get("Output")
            .map_or(otherwise, |output| self.value(scope, output, more));
        let to = fields
            .get("Next")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Next {
            assigned,
            output,
            to,
        }
    }

    async fn attempts(&self, scope: &Scope<'_>) -> Result<Next, Problem> {
        let state = scope.state;
        let mut tries = Tries::new();
        let mut retry = 0_u64;
        loop {
            let result = if text(&state["Type"]) == "Map" {
                self.map(scope).await
            } else {
                self.task(scope, retry).await
            };
            let (error, cause) = match result {
                Ok(result) => {
                    return Ok(self.leave(scope, state, result.clone(), &[("result", &result)]));
                }
                Err(problem) => problem,
            };
            if let Some(wait_ms) = self.retry(state, &error, &mut tries) {
                retry += 1;
                self.0.world.sleep(wait_ms).await;
                continue;
            }
            let caught = state["Catch"].as_array().into_iter().flatten();
            let catcher = caught.into_iter().find(|catcher| names(catcher, &error));
            let Some(catcher) = catcher else {
                return Err((error, cause));
            };
            let output = json!({"Error": error, "Cause": cause});
            return Ok(self.leave(scope, catcher, output.clone(), &[("errorOutput", &output)]));
        }
    }

    /// How long to wait before the next try; `None`: no more tries.
    fn retry(&self, state: &Value, error: &str, tries: &mut Tries) -> Option<i64> {
        let retriers = state["Retry"].as_array().into_iter().flatten();
        let (place, retrier) = retriers
            .enumerate()
            .find(|(_, retrier)| names(retrier, error))?;
        let used = tries.entry(place).or_default();
        if *used >= retrier["MaxAttempts"].as_u64().expect("a count") {
            return None;
        }
        let number = |name: &str| retrier[name].as_f64().expect("a number");
        let power = f64::from(u32::try_from(*used).expect("few"));
        let longest = number("IntervalSeconds") * number("BackoffRate").powf(power);
        let longest = longest.min(number("MaxDelaySeconds"));
        *used += 1;
        let jitter = self.0.world.state().rng.f64();
        #[expect(clippy::cast_possible_truncation, reason = "minutes at most")]
        Some((longest * jitter * 1000.0) as i64 + 1)
    }

    async fn map(&self, scope: &Scope<'_>) -> Result<Value, Problem> {
        let items = self.value(scope, &scope.state["Items"], &[]);
        let mut running = Vec::new();
        for item in items.as_array().expect("items").iter().cloned() {
            let (machine, context) = (self.clone(), scope.context.clone());
            let processor = scope.state["ItemProcessor"].clone();
            let variables = scope.variables.clone();
            let iteration =
                async move { machine.states(&processor, item, variables, &context).await };
            running.push(tokio::task::spawn_local(iteration));
        }
        // An iteration that fails ends the others.
        let _guard = Ends(
            running
                .iter()
                .map(tokio::task::JoinHandle::abort_handle)
                .collect(),
        );
        let mut results = Vec::new();
        for iteration in running {
            results.push(iteration.await.expect("an iteration does not panic")?);
        }
        Ok(Value::Array(results))
    }

    async fn task(&self, scope: &Scope<'_>, retry: u64) -> Result<Value, Problem> {
        let mut context = scope.context.clone();
        context["State"] = json!({"RetryCount": retry});
        let scope = Scope {
            context: &context,
            ..*scope
        };
        let arguments = self.value(&scope, &scope.state["Arguments"], &[]);
        match text(&scope.state["Resource"]) {
            "arn:aws:states:::lambda:invoke" => {
                let arn = text(&arguments["FunctionName"]).to_owned();
                let answer = self.lambda(arn, arguments["Payload"].clone()).await;
                answer.map(|payload| json!({"Payload": payload, "StatusCode": 200}))
            }
            "arn:aws:states:::sqs:sendMessage" => self.park(&arguments).await,
            other => panic!("nothing here runs {other}"),
        }
    }

    /// The Lambda runs as a task of its own: it goes on when its execution is stopped.
    pub async fn lambda(&self, arn: String, payload: Value) -> Answered {
        let world = &self.0.world;
        let (number, lost_after) = {
            let mut state = world.state();
            let number = state.number();
            let crate::world::State { rng, faults, .. } = &mut *state;
            if faults.strikes(rng, Fault::NotStarted, 0.01) {
                return Err((
                    "Lambda.TooManyRequestsException".to_owned(),
                    "too many".to_owned(),
                ));
            }
            let lost = faults.strikes(rng, Fault::RunsBesideItself, 0.01);
            let lost_after = lost.then(|| rng.i64(1..1500));
            if lost {
                state.may_be_surplus(text_of(&payload, "/object/key"));
            }
            (number, lost_after)
        };
        let (functions, ended) = (Rc::clone(&self.0.functions), world.clone());
        let handler = tokio::task::spawn_local(async move {
            let running = functions.run(&arn, payload);
            let answer = FUNCTION.scope(arn.clone(), running).await;
            ended.state().running.remove(&number);
            answer
        });
        world.state().running.insert(number, handler.abort_handle());
        if let Some(ms) = lost_after {
            world.sleep(ms).await;
            return Err((
                "Lambda.ServiceException".to_owned(),
                "the answer is lost".to_owned(),
            ));
        }
        match handler.await {
            Ok(answer) => answer,
            Err(end) if end.is_cancelled() => {
                let cause = json!({"errorType": "Runtime.ExitError", "errorMessage": "it died"});
                Err(("Runtime.ExitError".to_owned(), cause.to_string()))
            }
            Err(end) => std::panic::resume_unwind(end.into_panic()),
        }
    }

    async fn park(&self, arguments: &Value) -> Result<Value, Problem> {
        let world = &self.0.world;
        let unavailable = || Err(("SQS.SdkClientException".to_owned(), "no answer".to_owned()));
        world.sleep(5).await;
        let mut state = world.state();
        let crate::world::State { rng, faults, .. } = &mut *state;
        if faults.strikes(rng, Fault::LostBefore, 0.15) {
            return unavailable();
        }
        let lost = faults.strikes(rng, Fault::LostAfter, 0.05);
        let parked = Parked {
            event: serde_json::from_str(text(&arguments["MessageBody"])).expect("an event"),
            destinations: text(&arguments["MessageAttributes"]["destinations"]["StringValue"])
                .to_owned(),
        };
        if state.mutant != Some(Mutant::ParksNothing) {
            state.parked.push(parked);
        }
        if lost {
            return unavailable();
        }
        Ok(json!({"MessageId": "m"}))
    }

    /// A value with its expressions evaluated.
    fn value(&self, scope: &Scope, value: &Value, more: &[(&str, &Value)]) -> Value {
        match value {
            Value::String(expression) => {
                let inner = expression
                    .strip_prefix("{%")
                    .and_then(|it| it.strip_suffix("%}"));
                let Some(inner) = inner else {
                    return value.clone();
                };
                let mut states = json!({"input": scope.input, "context": scope.context});
                for (name, value) in more {
                    states[*name] = (*value).clone();
                }
                let mut expressions = self.0.expressions.borrow_mut();
                expressions.evaluate(inner.trim(), &states, scope.variables)
            }
            Value::Array(items) => items
                .iter()
                .map(|item| self.value(scope, item, more))
                .collect(),
            Value::Object(fields) => {
                let evaluated = fields
                    .iter()
                    .map(|(name, field)| (name.clone(), self.value(scope, field, more)));
                Value::Object(evaluated.collect())
            }
            _ => value.clone(),
        }
    }
}

/// What an expression of a state sees.
struct Scope<'a> {
    state: &'a Value,
    input: &'a Value,
    variables: &'a Variables,
    context: &'a Value,
}

/// Where a state leads.
struct Next {
    assigned: Variables,
    output: Value,
    to: Option<String>,
}

/// Ends tasks that nobody waits for any more.
struct Ends(Vec<tokio::task::AbortHandle>);

impl Drop for Ends {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

fn names(rule: &Value, error: &str) -> bool {
    let listed = rule["ErrorEquals"].as_array().into_iter().flatten();
    listed
        .into_iter()
        .any(|name| name == "States.ALL" || name == error)
}

fn text_of<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
