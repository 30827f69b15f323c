//! Which destinations may be tried now.

use std::collections::BTreeMap;
use std::time::Duration;

use backup_aws::breakers::Ready;
use tracing::{info, warn};

use crate::Run;

/// How long a run waits for the backup that tries whether a destination is back; a small object takes
/// seconds. What is held after that goes with the next run.
const PROBE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What a run knows of the destinations' breakers. What is held back waits, and costs no attempt.
pub type Gate = BTreeMap<String, Passage>;

/// What may pass to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    Open,
    /// One has been let through, to try.
    Trying,
    /// Nothing.
    Closed,
}

impl Run<'_> {
    /// Whether a backup to this destination may be started now. `*`, before one is chosen, always may.
    pub async fn may_try(&mut self, destination: &str) -> bool {
        let passage = match self.gate.get(destination) {
            Some(Passage::Trying) => self.tried(destination).await,
            Some(passage) => *passage,
            None if destination == "*" => Passage::Open,
            None => self.look(destination).await,
        };
        self.gate.insert(destination.to_owned(), passage);
        passage != Passage::Closed
    }

    async fn look(&self, destination: &str) -> Passage {
        match self.redriver.breakers.ready(destination).await {
            Ok(Ready::All) => Passage::Open,
            Ok(Ready::One) => Passage::Trying,
            Ok(Ready::None) => Passage::Closed,
            Err(problem) => {
                // What is started decides for itself.
                warn!(destination, problem = %problem.message, "the breaker does not answer");
                Passage::Open
            }
        }
    }

    /// Waits for what becomes of the one that tries.
    async fn tried(&self, destination: &str) -> Passage {
        let mut waited = Duration::ZERO;
        while waited < PROBE && !self.deadline.is_near() {
            if self.look(destination).await == Passage::Open {
                info!(destination, "it is back");
                return Passage::Open;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            waited += BETWEEN_LOOKS;
        }
        Passage::Closed
    }
}
