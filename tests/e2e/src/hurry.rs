//! A world whose functions have little time, and executions that are watched while they run.

use std::sync::OnceLock;

use backup_stack::Service;
use serde_json::{Value, json};

use crate::{Ended, World};

/// Time-out of a function that is to run out of it, in seconds; 870 as deployed. A busy machine takes seconds for what a
/// quiet one does at once; but after 10 s a function asks once more instead of waiting.
pub const TIMEOUT_SECONDS: u64 = 8;
/// A call that is held so long is not answered within it.
pub const TOO_LONG_MS: u64 = TIMEOUT_SECONDS * 1000 + 1500;

/// A call that is held so long leaves a function of so many seconds no time to begin anything else, and enough to say so.
pub const fn slow_ms(seconds: u64) -> u64 {
    seconds * 1000 * 4 / 5 + 200
}

/// A function that has little time, as long as this is held.
#[must_use]
pub struct Hurry<'w> {
    world: &'w World,
    function: &'static str,
    before: Value,
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        let before = json!({"Timeout": self.before});
        self.world.set_configuration(self.function, &before);
    }
}

impl World {
    /// The one of this process whose Copy, CopyParts and ReadRange end after [`TIMEOUT_SECONDS`].
    /// Its buckets lie on SeaweedFS, the source keeps versions: see [`World::back_up`].
    pub fn in_a_hurry() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let world = Self::start_on_seaweed("weed-versions", &[])
                .expect("both servers start and the template deploys");
            for function in ["Copy", "CopyParts", "ReadRange"] {
                let seconds = json!({"Timeout": TIMEOUT_SECONDS});
                world.set_configuration(function, &seconds);
            }
            world
        })
    }

    /// Gives a function so many seconds, in a world that the caller has [`World::alone`].
    pub fn hurry(&self, function: &'static str, seconds: u64) -> Hurry<'_> {
        let before = self.configuration(function)["Timeout"].clone();
        self.set_configuration(function, &json!({"Timeout": seconds}));
        Hurry {
            world: self,
            function,
            before,
        }
    }

    /// Starts an execution under a mock case and does not wait for it; returns its ARN.
    pub fn begin_case(&self, input: &str, case: &str) -> String {
        let machine = format!("{}#{case}", self.outputs["StateMachineArn"]);
        let start = json!({"stateMachineArn": machine, "input": input});
        let started = self
            .cloud
            .json(Service::StepFunctions, "StartExecution", &start)
            .expect("it starts");
        started["executionArn"].as_str().expect("an ARN").to_owned()
    }

    /// Stops an execution, as a person or the end of a machine would.
    pub fn stop(&self, execution: &str) {
        let stop = json!({"executionArn": execution, "cause": "stopped by a test"});
        self.cloud
            .json(Service::StepFunctions, "StopExecution", &stop)
            .expect("it stops");
    }

    /// Waits for an execution that [`World::begin_case`] began.
    pub fn wait_for(&self, execution: &str) -> Ended {
        self.ended(|| Some(execution.to_owned()))
    }

    /// Numbers of the parts that a key's copies were asked for, sorted: one entry a request.
    pub fn parts_asked(&self, key: &str) -> Vec<u64> {
        let calls = self.proxy.calls(key);
        let parts = calls
            .iter()
            .filter(|call| call.operation == "UploadPartCopy")
            .filter_map(|call| {
                let number = call.request.split("partNumber=").nth(1)?;
                number.split(['&', ' ']).next()?.parse().ok()
            });
        let mut parts: Vec<_> = parts.collect();
        parts.sort_unstable();
        parts
    }

    /// How many parts the upload holds that a key's recovery point has noted.
    pub fn parts_held(&self, key: &str) -> usize {
        let points = self.points(key);
        let id = points
            .first()
            .and_then(|point| point["upload"]["M"]["id"]["S"].as_str());
        let Some(id) = id else { return 0 };
        let url = format!(
            "{}/{}/{key}?uploadId={id}",
            self.objects.endpoint(),
            self.backup()
        );
        let mut answer = ureq::get(url).call().expect("a listing");
        let text = answer.body_mut().read_to_string().expect("text");
        text.matches("<PartNumber>").count()
    }
}
