//! Flaws of earlier sketches, and some more: the model must find each.

use stateright::{Checker, HasDiscoveries, Model};

use super::world::{Mutant, Setup};
use super::{calm, mirrored};

/// Each flaw with a small setup that shows it.
const FLAWS: [(Mutant, Setup); 15] = [
    (Mutant::PromoteOnce, calm(3)),
    (Mutant::IfMatch, calm(3)),
    (Mutant::LeaveItToTheLatest, failing(3)),
    (Mutant::DuplicatesDoNotSettle, dying(2)),
    (Mutant::SweepOfTheCatalogAlone, dying(2)),
    (Mutant::SweepTakesAllBack, failing(3)),
    (Mutant::SequencerAlone, calm(2)),
    (Mutant::FailedCopyCounts, failing(2)),
    (Mutant::FailuresDoNotSettle, failing(2)),
    (Mutant::NothingIsOwed, crashing(2)),
    (
        Mutant::BadCopyCounts,
        Setup {
            bad_copies: 1,
            ..crashing(2)
        },
    ),
    (
        Mutant::GoneDoesNotSettle,
        Setup {
            deletions: 1,
            ..crashing(2)
        },
    ),
    (
        Mutant::AdoptsWhatLiesBelow,
        Setup {
            bad_copies: 1,
            exhausted: 1,
            redrives: 1,
            ..crashing(1)
        },
    ),
    (Mutant::DeletionsDoNotSettle, mirrored(1)),
    (Mutant::RemovedVersionsStay, mirrored(2)),
];

const fn failing(versions: usize) -> Setup {
    Setup {
        exhausted: 1,
        ..calm(versions)
    }
}

const fn dying(versions: usize) -> Setup {
    Setup {
        deaths: 1,
        ..calm(versions)
    }
}

const fn crashing(versions: usize) -> Setup {
    Setup {
        crashes: 1,
        ..calm(versions)
    }
}

/// Steps of the shortest way in which a flaw breaks the rule, and the property that it breaks.
fn counterexample(setup: Setup) -> Option<(usize, &'static str)> {
    let checker = setup
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let mut failures: Vec<_> = checker
        .discoveries()
        .into_iter()
        .filter(|(name, _)| checker.discovery_classification(name).to_string() == "counterexample")
        .map(|(name, path)| (path.into_actions().len(), name))
        .collect();
    failures.sort_unstable();
    failures.into_iter().next()
}

#[test]
fn every_flaw_is_caught() {
    for (mutant, setup) in FLAWS {
        let flawed = Setup {
            mutant: Some(mutant),
            ..setup.clone()
        };
        let Some((steps, property)) = counterexample(flawed) else {
            panic!("{mutant:?} is not caught");
        };
        println!("{mutant:?}: {steps} steps break {property:?}");
        assert_eq!(counterexample(setup), None, "without {mutant:?}");
    }
}
