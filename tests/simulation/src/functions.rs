//! The Lambdas: the very handlers that are deployed, behind the entry that raises their errors.

use std::time::Duration;

use backup_aws::breakers::Breakers;
use backup_aws::catalog::Catalog;
use backup_aws::dead::Closing;
use backup_aws::notices::Notices;
use backup_aws::policy_store::PolicyStore;
use backup_aws::{Clients, Deadline, Raised, invoke};
use backup_domain::breaker::Limits;
use backup_domain::lease::LeaseSeconds;
use function_abort_multipart::abort;
use function_begin_multipart::begin::Begin;
use function_complete_multipart::complete;
use function_copy::copy;
use function_copy_parts::parts;
use function_filter::filter::Filter;
use function_notify::notify::Notify;
use function_read_range::range;
use function_record::record::Record;
use function_record_failure::failure;
use function_sweep::sweep::Sweep;
use function_verify::verify;
use function_watcher::watcher::Watcher;
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::{Value, json};

use crate::sdk::clients;
use crate::services::MACHINE;
use crate::world::{Mutant, World};

/// What a Lambda answers: its output, or `Error` and `Cause`.
pub type Answered = Result<Value, (String, String)>;

/// Source bucket that keeps versions.
pub const SOURCE: &str = "source";
/// Source bucket whose versioning is suspended.
pub const SUSPENDED: &str = "source-suspended";
/// Source bucket that never had any.
pub const UNVERSIONED: &str = "source-unversioned";

/// Seconds that a lease lasts, as the template has it.
pub const LEASE_SECONDS: i64 = 90_000;

/// Opens soon, so that it is seen to.
const BREAKER: Limits = Limits {
    failures: 2,
    window: SignedDuration::from_mins(30),
    cool_down: SignedDuration::from_mins(5),
};

/// All functions of one run.
pub struct Functions {
    world: World,
    clients: Clients,
    catalog: Catalog,
    filter: Filter,
    begin: Begin,
    notify: Notify,
    record: Record,
    watcher: Watcher,
    sweep: Sweep,
    breakers: Breakers,
}

impl Functions {
    /// Wired as their `main.rs` does.
    pub fn new(world: &World) -> Self {
        let shared = clients(world);
        let catalog = Catalog::new(shared.dynamodb(), "catalog".to_owned());
        let sources = [SOURCE, SUSPENDED, UNVERSIONED].map(str::to_owned).to_vec();
        let filter = Filter {
            policy: PolicyStore::new(shared.ssm(), "policy".to_owned(), sources, Duration::ZERO),
            catalog: catalog.clone(),
            executions: shared.step_functions(),
            lease_seconds: LeaseSeconds {
                standard: LEASE_SECONDS,
                express: LEASE_SECONDS,
            },
            multipart_mib: 5,
            clients: clients(world),
        };
        // Each function has its own, and believes what it has read for a while.
        let breakers = || Breakers::new(catalog.clone(), BREAKER);
        let begin = Begin {
            breakers: breakers(),
            clients: clients(world),
            catalog: catalog.clone(),
            part_mib_min: 5,
        };
        let notices = Notices {
            sns: shared.sns(),
            topic: "arn:aws:sns:eu-west-1:111122223333:topic".to_owned(),
            catalog: catalog.clone(),
            window: SignedDuration::from_mins(15),
        };
        let notify = Notify {
            notices: notices.clone(),
            breakers: breakers(),
            region: "eu-west-1".to_owned(),
        };
        let record = Record {
            breakers: breakers(),
            clients: clients(world),
            catalog: catalog.clone(),
            multipart_mib: 5,
        };
        let closing = Closing {
            catalog: catalog.clone(),
            sqs: shared.sqs(),
            queue: "https://sqs.eu-west-1.amazonaws.com/111122223333/dead".to_owned(),
            notices,
            region: "eu-west-1".to_owned(),
        };
        Self {
            watcher: Watcher {
                executions: shared.step_functions(),
                closing: closing.clone(),
            },
            sweep: Sweep {
                executions: shared.step_functions(),
                machine: MACHINE.to_owned(),
                closing,
                breakers: breakers(),
            },
            breakers: breakers(),
            record,
            world: world.clone(),
            clients: shared,
            catalog,
            filter,
            begin,
            notify,
        }
    }

    /// Runs one, by the name that the definition has for its ARN.
    pub async fn run(&self, arn: &str, payload: Value) -> Answered {
        let mutant = self.world.state().mutant;
        let payload = mutated(mutant, payload);
        let far = Deadline::after(Duration::from_hours(1));
        let clients = &self.clients;
        match arn {
            "${FilterFunctionArn}" => {
                answered(invoke(&|task, _| self.filter.decide(task), payload, far)).await
            }
            "${CopyFunctionArn}" => {
                answered(invoke(
                    &|task, _| copy::copy(clients, &self.breakers, task),
                    payload,
                    far,
                ))
                .await
            }
            "${BeginMultipartFunctionArn}" => {
                answered(invoke(&|task, _| self.begin.begin(task), payload, far)).await
            }
            "${CopyPartsFunctionArn}" => {
                let handler = |task, deadline| parts::copy_parts(clients, task, deadline);
                answered(invoke(&handler, payload, far)).await
            }
            "${CompleteMultipartFunctionArn}" => {
                let handler = |task, _| complete::complete(clients, task);
                answered(invoke(&handler, payload, far)).await
            }
            "${AbortMultipartFunctionArn}" => {
                answered(invoke(&|task, _| abort::abort(clients, task), payload, far)).await
            }
            "${VerifyFunctionArn}" if mutant == Some(Mutant::RecordsUnverified) => {
                let now = self.catalog.now().to_string();
                Ok(json!({"at": now}))
            }
            "${VerifyFunctionArn}" => {
                let handler = |task, deadline| verify::verify(clients, task, deadline);
                answered(invoke(&handler, payload, far)).await
            }
            "${ReadRangeFunctionArn}" => {
                let handler = |task, deadline| range::read(clients, task, deadline);
                answered(invoke(&handler, payload, far)).await
            }
            "${RecordFunctionArn}" => {
                let handler = |task, deadline| self.record.record(task, deadline);
                answered(invoke(&handler, payload, far)).await
            }
            "${RecordFailureFunctionArn}" => {
                let handler = |task, _| failure::record(&self.catalog, &self.breakers, task);
                answered(invoke(&handler, payload, far)).await
            }
            "${NotifyFunctionArn}" => {
                answered(invoke(&|task, _| self.notify.tell(task), payload, far)).await
            }
            "watcher" => answered(invoke(&|task, _| self.watcher.watch(task), payload, far)).await,
            "sweep" => {
                let handler = |task, deadline| self.sweep.run(task, deadline);
                answered(invoke(&handler, payload, far)).await
            }
            _ => panic!("no function {arn}"),
        }
    }
}

fn mutated(mutant: Option<Mutant>, mut payload: Value) -> Value {
    if mutant == Some(Mutant::IgnoresMarker) && payload.get("retry").is_some() {
        payload["retry"] = json!(0);
        payload["begun"] = json!(0);
        payload["target"]["attempts"] = json!(1);
    }
    payload
}

async fn answered<R: Serialize>(run: impl Future<Output = Result<R, Raised>>) -> Answered {
    match run.await {
        Ok(output) => Ok(serde_json::to_value(output).expect("JSON")),
        Err(raised) => {
            let message = raised.message();
            let name = raised.name.to_string();
            let cause = json!({"errorType": name, "errorMessage": message});
            Err((name, cause.to_string()))
        }
    }
}
