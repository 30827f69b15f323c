//! Deployed definitions with one fault each: every rule refuses those made for it, and only they.

/// A copy's states, and those of a copy in parts.
macro_rules! small {
    ($at:literal) => {
        concat!("/States/MapSmall/ItemProcessor/States/", $at)
    };
}
macro_rules! large {
    ($at:literal) => {
        concat!("/States/MapLarge/ItemProcessor/States/", $at)
    };
}
macro_rules! slice {
    ($at:literal) => {
        concat!("/States/RestoreSlice/", $at)
    };
}

mod structure;
mod values;

use serde_json::Value;

use super::deployed::Machine;

/// What stands for a name or text that is too long for its place.
const LONG: usize = 81;
const HUGE: usize = 1024 * 1024;

pub struct Mutant {
    pub rule: &'static str,
    /// Logical id of the state machine.
    machine: &'static str,
    /// Where, as a JSON pointer, and what stands there; nothing: it is removed.
    edits: &'static [(&'static str, &'static str)],
}

impl Mutant {
    /// The deployed machine with the fault in it.
    pub fn of(&self, machines: &[Machine]) -> Machine {
        let machine = machines.iter().find(|it| it.resource == self.machine);
        let machine = machine.unwrap();
        let mut definition = machine.definition.clone();
        for (at, text) in self.edits {
            let at = at.replace("LONG", &"a".repeat(LONG));
            let text = text.replace("LONG", &"a".repeat(LONG));
            edit(
                &mut definition,
                &at,
                &text.replace("HUGE", &"a".repeat(HUGE)),
            );
        }
        machine.with(definition)
    }

    /// For a reader: the machine, and what is changed in it.
    pub fn name(&self) -> String {
        let edit = |(at, text): &(&str, &str)| {
            let at = at.trim_start_matches("/States/");
            let at = at.replace("/ItemProcessor/States", "");
            if text.is_empty() {
                format!("no {at}")
            } else {
                format!("{at}: {text}")
            }
        };
        let edits: Vec<_> = self.edits.iter().map(edit).collect();
        format!("{}: {}", self.machine, edits.join(", "))
    }
}

fn edit(definition: &mut Value, at: &str, text: &str) {
    let (parent, last) = at.rsplit_once('/').unwrap();
    let parent = definition
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("{at} is nowhere"));
    if text.is_empty() {
        let removed = parent.as_object_mut().unwrap().remove(last);
        assert!(removed.is_some(), "{at} is not there");
        return;
    }
    let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
    match parent {
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        parent => {
            parent[last] = value;
        }
    }
}

pub const fn backup(rule: &'static str, edits: &'static [(&'static str, &'static str)]) -> Mutant {
    Mutant {
        rule,
        machine: "BackupStateMachine",
        edits,
    }
}

pub const fn restore(rule: &'static str, edits: &'static [(&'static str, &'static str)]) -> Mutant {
    Mutant {
        rule,
        machine: "RestoreStateMachine",
        edits,
    }
}

pub const fn audit(rule: &'static str, edits: &'static [(&'static str, &'static str)]) -> Mutant {
    Mutant {
        rule,
        machine: "AuditStateMachine",
        edits,
    }
}

pub const fn express(rule: &'static str, edits: &'static [(&'static str, &'static str)]) -> Mutant {
    Mutant {
        rule,
        machine: "ExpressStateMachine",
        edits,
    }
}

pub fn all() -> impl Iterator<Item = &'static Mutant> {
    values::MUTANTS.iter().chain(structure::MUTANTS)
}
