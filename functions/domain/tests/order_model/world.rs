//! The state of the model: one key, one destination, and what is under way.

use backup_domain::catalog::Status;
use backup_domain::policy::Deletes;

/// Number of a version, in the order in which they were written.
pub type Id = usize;
/// Most versions that a setup writes.
pub const VERSIONS_MAX: usize = 4;

/// What a run of the model allows for; counts are budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    pub deletes: Deletes,
    /// Whether the source keeps versions; else a write replaces what was there.
    pub versioned: bool,
    /// Whether copies are multipart uploads, whose place among the versions is that of their start.
    pub multipart: bool,
    pub versions: usize,
    /// Delete markers, removals of a version, removals of a marker.
    pub deletions: u8,
    pub duplicates: u8,
    /// A Lambda dies and is retried.
    pub crashes: u8,
    /// Retries run out; the failure is recorded, parked and told.
    pub exhausted: u8,
    /// An execution is stopped by hand or times out: nothing is recorded.
    pub deaths: u8,
    /// A copy that verification refuses.
    pub bad_copies: u8,
    /// Failed points that are started again.
    pub redrives: u8,
    /// Whether the sweep comes while others are at work.
    pub sweeps_beside: bool,
    /// What is left out on purpose; `None` for the rule itself.
    pub mutant: Option<Mutant>,
}

/// One flaw. Each must be caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A promotion ends the settling.
    PromoteOnce,
    /// While the source's latest version is not stored, it is left to that version's execution.
    LeaveItToTheLatest,
    /// A duplicate that meets a stored point ends without settling.
    DuplicatesDoNotSettle,
    /// A promotion is conditional on the ETag seen, and ends the settling when it succeeds.
    IfMatch,
    /// Deletions are recorded only, although they are to be mirrored.
    DeletionsDoNotSettle,
    /// The sequencer alone makes the order.
    SequencerAlone,
    /// A copy on top counts although its execution failed.
    FailedCopyCounts,
    /// A copy on top counts although verification refused it.
    BadCopyCounts,
    /// A failure that left a copy behind does not settle.
    FailuresDoNotSettle,
    /// A version that went after a try was cut off ends as gone, without settling.
    GoneDoesNotSettle,
    /// Writes whose answer may be lost are not noted for the sweep.
    NothingIsOwed,
    /// The sweep looks at the catalog alone, not for executions that ended untold.
    SweepOfTheCatalogAlone,
    /// A sweep takes back also what was noted while it was at work.
    SweepTakesAllBack,
    /// A retry takes an earlier copy for its own without a look at the one on top.
    AdoptsWhatLiesBelow,
    /// A mirrored removal of the latest version leaves its copy on top.
    RemovedVersionsStay,
}

/// The backup's latest version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Latest {
    Nothing,
    Marker,
    Copy { of: Id, bad: bool },
}

/// A point of the catalog. Who holds its lease is noted with the execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    pub status: Option<Recorded>,
    /// A copy was refused by verification.
    pub refused: bool,
}

/// [`Status`], hashable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recorded {
    Copying,
    Stored,
    Unsettled,
    Failed,
    Gone,
}

impl Recorded {
    pub fn status(self) -> Status {
        match self {
            Self::Copying => Status::Copying,
            Self::Stored => Status::Stored,
            Self::Unsettled => Status::Unsettled,
            Self::Failed => Status::Failed,
            Self::Gone => Status::Gone,
        }
    }

    pub fn is_stored(self) -> bool {
        matches!(self, Self::Stored | Self::Unsettled)
    }
}

pub type Points = [Point; VERSIONS_MAX];

/// What started an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    Created(Id),
    Deleted,
    /// No event: the sweep settles the key.
    Sweep,
    /// One of the first two, where it makes no difference any more which: it settles.
    Any,
}

/// Where an execution stands: what it does next, with what it has read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Filter,
    Copy,
    /// The copy is in flight.
    Copying,
    /// The copy was refused by verification: note it, copy once more.
    Refuse,
    Record,
    RecordGone,
    RecordFailure,
    HeadSource,
    /// `right`: the source's HEAD allows for the fast path.
    HeadBackup {
        right: bool,
    },
    Query {
        backup: Latest,
    },
    ListSource {
        backup: Latest,
        points: Points,
    },
    /// A promotion or a delete marker is in flight.
    Acting {
        copy_of: Option<Id>,
    },
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Execution {
    pub event: Event,
    pub step: Step,
    /// It holds the lease of its version.
    pub holds: bool,
    /// It names the owner that it follows.
    pub redriven: bool,
    /// It has sent a copy.
    pub sent: bool,
    /// An earlier try, of it or of another, may have sent one.
    pub cut_off: bool,
}

impl Execution {
    pub fn new(event: Event, step: Step, redriven: bool) -> Self {
        Self {
            event,
            step,
            holds: false,
            redriven,
            sent: false,
            cut_off: false,
        }
    }
}

/// A write to the backup that was sent and has not landed. In the order in which they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flight {
    /// A copy of this version, or a delete marker.
    pub copy_of: Option<Id>,
    pub promotion: bool,
    /// Somebody waits for the answer; nobody does after a crash.
    pub awaited: bool,
    /// A write that began later has landed.
    pub overtaken: bool,
    /// Content that must be the latest ([`Mutant::IfMatch`]).
    pub if_match: Option<u8>,
}

/// Whether the key is to be settled again once no orphaned write can land any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owed {
    No,
    Due,
    /// A sweep that began after the last due write is at it.
    InSweep,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub written: usize,
    /// The source's versions, the newest first.
    pub source: Vec<Id>,
    pub source_marker: bool,
    pub backup: Latest,
    pub points: Points,
    pub owed: Owed,
    /// Versions with a good copy somewhere in the backup.
    pub landed: [bool; VERSIONS_MAX],
    /// Versions that were stored once.
    pub ever_stored: [bool; VERSIONS_MAX],
    pub events: Vec<Event>,
    pub executions: Vec<Execution>,
    pub flights: Vec<Flight>,
    /// What executions were at that ended without a word.
    pub dead: Vec<Event>,
    pub deletions: u8,
    pub duplicates: u8,
    pub crashes: u8,
    pub exhausted: u8,
    pub deaths: u8,
    pub bad_copies: u8,
    pub redrives: u8,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        Self {
            written: 0,
            source: vec![],
            source_marker: false,
            backup: Latest::Nothing,
            points: Points::default(),
            owed: Owed::No,
            landed: Default::default(),
            ever_stored: Default::default(),
            events: vec![],
            executions: vec![],
            flights: vec![],
            dead: vec![],
            deletions: setup.deletions,
            duplicates: setup.duplicates,
            crashes: setup.crashes,
            exhausted: setup.exhausted,
            deaths: setup.deaths,
            bad_copies: setup.bad_copies,
            redrives: setup.redrives,
        }
    }

    /// Nothing is under way and nothing is left for the sweep; failures may be parked.
    pub fn is_quiet(&self) -> bool {
        let unfinished =
            |point: &Point| matches!(point.status, Some(Recorded::Copying | Recorded::Unsettled));
        self.events.is_empty()
            && self.executions.is_empty()
            && self.flights.is_empty()
            && self.dead.is_empty()
            && self.owed == Owed::No
            && !self.points.iter().any(unfinished)
    }

    /// The source's latest version, `None` where a GET finds nothing.
    pub fn source_latest(&self) -> Option<Id> {
        self.source.first().copied().filter(|_| !self.source_marker)
    }

    pub fn happened(&mut self, event: Event) {
        self.events.push(event);
        self.events.sort_unstable();
    }

    /// Its request goes on without anybody who waits for it.
    pub fn orphan(&mut self, step: Step, event: Event) {
        let sent = match (step, event) {
            (Step::Copying, Event::Created(id)) => (Some(id), false),
            (Step::Acting { copy_of }, _) => (copy_of, true),
            _ => return,
        };
        let flight = self
            .flights
            .iter_mut()
            .find(|flight| flight.awaited && (flight.copy_of, flight.promotion) == sent);
        if let Some(flight) = flight {
            flight.awaited = false;
        }
    }

    /// Whether an execution can still be made to fail.
    pub fn is_calm(&self) -> bool {
        self.crashes == 0 && self.exhausted == 0 && self.deaths == 0
    }
}
