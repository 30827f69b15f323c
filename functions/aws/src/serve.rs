//! The entry of every Lambda: raw JSON in, a named failure or JSON out, one log line an event.

use std::future::Future;

use backup_domain::error::{Cause, CauseObject, one_line};
use backup_domain::limits::CAUSE_MESSAGE_BYTES_MAX;
use backup_domain::{ErrorName, event};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::{Instrument, error, info, info_span};

use crate::{Deadline, Failure};

/// What `main` returns when the runtime itself ends.
pub type Error = lambda_runtime::Error;

/// Serves one handler until the environment is frozen for good.
///
/// A task that cannot be read is `InvalidEvent`; a failure leaves with the object and destination
/// of its task in the cause.
///
/// # Errors
/// Only what the runtime API itself refuses.
pub async fn serve<T, R, F, Fut>(handler: F) -> Result<(), Error>
where
    T: DeserializeOwned,
    R: Serialize,
    F: Fn(T) -> Fut,
    Fut: Future<Output = Result<R, Failure>>,
{
    serve_until(|task, _| handler(task)).await
}

/// As [`serve`], for a handler that must know when its time is over.
///
/// # Errors
/// Only what the runtime API itself refuses.
pub async fn serve_until<T, R, F, Fut>(handler: F) -> Result<(), Error>
where
    T: DeserializeOwned,
    R: Serialize,
    F: Fn(T, Deadline) -> Fut,
    Fut: Future<Output = Result<R, Failure>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let deadline = Deadline::at_ms(event.context.deadline);
        invoke(&handler, event.payload, deadline)
    }))
    .await
}

/// One invocation: the task is read, handled, and a failure gets its place.
///
/// # Errors
/// What the handler raised, or `InvalidEvent` for a task that cannot be read.
pub fn invoke<T, R, F, Fut>(
    handler: &F,
    payload: Value,
    deadline: Deadline,
) -> impl Future<Output = Result<R, Raised>>
where
    T: DeserializeOwned,
    R: Serialize,
    F: Fn(T, Deadline) -> Fut,
    Fut: Future<Output = Result<R, Failure>>,
{
    let place = Place::of(&payload);
    let span = place.span();
    let work = match serde_json::from_value::<T>(payload) {
        // Boxed: the layout of all that a handler awaits is too deep for the compiler in one piece.
        Ok(task) => Ok(Box::pin(handler(task, deadline))),
        Err(problem) => Err(Failure::new(
            ErrorName::InvalidEvent,
            format!("the task cannot be read: {problem}"),
        )),
    };
    async move {
        let result = match work {
            Ok(work) => work.await,
            Err(failure) => Err(failure),
        };
        match result {
            Ok(answer) => {
                info!("done");
                Ok(answer)
            }
            Err(failure) => {
                error!(error = %failure.name, problem = %failure.message, "failed");
                Err(place.raise(failure))
            }
        }
    }
    .instrument(span)
}

/// Starts JSON logs on standard output; the level comes from `AWS_LAMBDA_LOG_LEVEL`, else `info`.
/// The runtime's own lines are left out: they repeat each failure without its fields.
pub fn start_logging() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "{level},aws_config=warn,hyper=warn,lambda_runtime=off"
    ));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
    if let Err(problem) = started {
        eprintln!("logging was started before: {problem}");
    }
}

/// Where an invocation is: for its log lines and its cause.
struct Place {
    execution: String,
    object: Option<CauseObject>,
    destination: Option<String>,
}

impl Place {
    fn of(payload: &Value) -> Self {
        let text = |pointer: &str| {
            payload
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let object = payload
            .get("object")
            .and_then(|object| serde_json::from_value(object.clone()).ok())
            .or_else(|| payload.get("event").and_then(event::object_of));
        Self {
            execution: text("/execution/id").unwrap_or_default(),
            object,
            destination: text("/target/name"),
        }
    }

    fn span(&self) -> tracing::Span {
        let object = self.object.as_ref();
        info_span!(
            "step",
            execution = %self.execution,
            bucket = object.map(|object| object.bucket.as_str()),
            key = object.map(|object| object.key.as_str()),
            version_id = object.and_then(|object| object.version_id.as_deref()),
            destination = self.destination.as_deref(),
        )
    }

    fn raise(self, failure: Failure) -> Raised {
        let (error, destination) = match failure.behind {
            Some(behind) => (behind.error, behind.destination),
            None => (failure.name.to_string(), self.destination),
        };
        Raised {
            name: failure.name,
            sent_nothing: failure.sent_nothing,
            cause: Cause {
                error,
                object: self.object,
                destination,
                message: one_line(&failure.message, CAUSE_MESSAGE_BYTES_MAX),
                advice: failure.advice,
                side: failure.side,
            },
        }
    }
}

/// The only way out for an error: its name as `errorType`, its cause as JSON.
#[derive(Debug)]
pub struct Raised {
    /// `errorType` of the answer.
    pub name: ErrorName,
    /// `errorMessage` of the answer, as JSON.
    pub cause: Cause,
    /// Said beside it, see [`Failure::sent_nothing`].
    pub sent_nothing: bool,
}

impl Raised {
    /// `errorMessage` of the answer.
    pub fn message(&self) -> String {
        let mut said = serde_json::json!(self.cause);
        if let Some(fields) = said.as_object_mut().filter(|_| self.sent_nothing) {
            fields.insert("sentNothing".to_owned(), true.into());
        }
        said.to_string()
    }
}

impl From<Raised> for Diagnostic {
    fn from(raised: Raised) -> Self {
        Self {
            error_type: raised.name.to_string(),
            error_message: raised.message(),
        }
    }
}
