//! What goes wrong, how often, and how often it did.

use std::collections::BTreeMap;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A call is turned away for its pace, before it took effect.
    Throttled,
    /// A call fails with 500, before it took effect.
    FailedBefore,
    /// The connection ends before the call took effect.
    LostBefore,
    /// The call took effect, the answer is a 500.
    FailedAfter,
    /// The call took effect, the answer never came.
    LostAfter,
    /// No answer came, and the call takes effect up to twenty minutes later.
    LandsLate,
    /// An answer of 200 that says InternalError; half of them took effect.
    ErrorIn200,
    /// A copy comes out with another content.
    Spoilt,
    /// A Lambda dies between two calls.
    Killed,
    /// A Lambda could not be started.
    NotStarted,
    /// The answer of a Lambda is lost, and it goes on beside its own retry.
    RunsBesideItself,
    /// An execution is stopped by hand; its Lambdas go on.
    Stopped,
    /// The status change of an execution never comes.
    Unheard,
    /// An event comes more than once.
    Duplicated,
    /// An event comes late, after those of later writes.
    Delayed,
    /// The clocks of the functions are off.
    ClockOff,
}

/// All kinds.
pub const ALL: [Fault; 16] = [
    Fault::Throttled,
    Fault::FailedBefore,
    Fault::LostBefore,
    Fault::FailedAfter,
    Fault::LostAfter,
    Fault::LandsLate,
    Fault::ErrorIn200,
    Fault::Spoilt,
    Fault::Killed,
    Fault::NotStarted,
    Fault::RunsBesideItself,
    Fault::Stopped,
    Fault::Unheard,
    Fault::Duplicated,
    Fault::Delayed,
    Fault::ClockOff,
];

/// How often each happened.
pub type Counts = BTreeMap<Fault, u64>;

/// The faults of one run.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// 0 when all is well; else what chances are multiplied by.
    pub intensity: f64,
    /// Kinds that this run leaves out.
    pub without: Vec<Fault>,
    /// What has happened.
    pub counts: Counts,
}

impl Faults {
    /// Whether a fault of this chance happens now; counted if so.
    pub fn strikes(&mut self, rng: &mut fastrand::Rng, fault: Fault, chance: f64) -> bool {
        let strikes = rng.f64() < chance * self.intensity && !self.without.contains(&fault);
        if strikes {
            self.count(fault);
        }
        strikes
    }

    /// Counts one.
    pub fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }
}
