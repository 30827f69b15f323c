//! Every path through a definition at once: which variables and fields are surely there in each state,
//! and which expression or path may find nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::Finding;
use super::deployed::Machine;
use super::jsonata::Reference;
use super::shape::{Maybe, Shape};
use super::state::Here;
use super::walk::is_jsonata;

/// What a state finds when it is entered.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub input: Shape,
    pub variables: BTreeMap<String, Maybe>,
}

impl Entry {
    fn or(&self, other: &Self) -> Self {
        let names: BTreeSet<_> = self
            .variables
            .keys()
            .chain(other.variables.keys())
            .collect();
        let variable = |name: &&String| {
            let of = |entry: &Self| entry.variables.get(*name).cloned();
            let (one, other) = (of(self), of(other));
            let none = Maybe::never;
            let both = one.unwrap_or_else(none).or(&other.unwrap_or_else(none));
            ((*name).clone(), both)
        };
        Self {
            input: self.input.or(&other.input),
            variables: names.iter().map(variable).collect(),
        }
    }
}

/// More ways into a state than this are looked at as one.
const ENTRIES_MAX: usize = 8;
/// Rounds after which a definition would never settle.
const ROUNDS_MAX: usize = 20_000;

/// What the walk of a definition finds.
pub fn checked(machine: &Machine, reference: &Reference, memory: &Memory) -> Vec<Finding> {
    let walk = Walk {
        machine,
        reference,
        memory,
    };
    let start = Entry {
        input: Shape::Any,
        variables: BTreeMap::new(),
    };
    let mut found = Vec::new();
    walk.run(&machine.definition, "", &start, &mut found);
    found.sort();
    found.dedup();
    found
}

pub struct Walk<'a> {
    pub machine: &'a Machine,
    pub reference: &'a Reference,
    memory: &'a Memory,
}

/// Scopes that were gone through, by their text and place, each with the entries that it was gone
/// through with, and what came out and was found. Mutants have most of their scopes in common.
#[derive(Default)]
pub struct Memory(RefCell<BTreeMap<Key, Vec<(Entry, Went)>>>);

type Key = (String, u64);

type Went = (Option<Shape>, Vec<Finding>);

impl Memory {
    fn of(&self, key: &Key, entry: &Entry) -> Option<Went> {
        let all = self.0.borrow();
        let went = all.get(key)?.iter().find(|(it, _)| it == entry)?;
        Some(went.1.clone())
    }
}

/// A state as it is entered by one way or by several.
struct Visit {
    entry: Entry,
    found: Vec<Finding>,
    /// What comes out, where the scope ends with it.
    ends: Vec<Shape>,
}

impl Visit {
    const fn of(entry: Entry) -> Self {
        Self {
            entry,
            found: Vec::new(),
            ends: Vec::new(),
        }
    }
}

/// What a state is to be visited with for another way into it; nothing, where that is known.
fn added(known: &mut Vec<Visit>, entry: Entry) -> Option<Entry> {
    // One that takes this one in has told all that this one could.
    if known
        .iter()
        .any(|visit| visit.entry.or(&entry) == visit.entry)
    {
        return None;
    }
    if known.len() < ENTRIES_MAX {
        return Some(entry);
    }
    let joined = known.iter().fold(entry, |all, one| all.or(&one.entry));
    known.clear();
    Some(joined)
}

/// Where a state leads, and with what.
pub enum Way {
    To(String, Entry),
    /// The machine or the iteration ends with this output.
    End(Shape),
}

impl Walk<'_> {
    /// Goes through the states of a scope until nothing new is learned; hands back what comes out.
    pub fn run(
        &self,
        body: &Value,
        at: &str,
        entry: &Entry,
        found: &mut Vec<Finding>,
    ) -> Option<Shape> {
        let mut text = DefaultHasher::new();
        body.to_string().hash(&mut text);
        let key = (at.to_owned(), text.finish());
        if let Some((out, all)) = self.memory.of(&key, entry) {
            found.extend(all);
            return out;
        }
        // By the ways that lead to a state, as long as these are few.
        let mut visits: BTreeMap<String, Vec<Visit>> = BTreeMap::new();
        let mut waiting = vec![(body["StartAt"].as_str()?.to_owned(), entry.clone())];
        let mut rounds = 0;
        while let Some((name, entry)) = waiting.pop() {
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "{at}: the walk does not settle");
            let known = visits.entry(name.clone()).or_default();
            let Some(entry) = added(known, entry) else {
                continue;
            };
            let mut visit = Visit::of(entry);
            for way in self.ways(body, at, &name, &visit.entry, &mut visit.found) {
                match way {
                    Way::To(next, entry) => waiting.push((next, entry)),
                    Way::End(shape) => visit.ends.push(shape),
                }
            }
            visits.entry(name).or_default().push(visit);
        }
        let visits: Vec<_> = visits.into_values().flatten().collect();
        let ends = visits.iter().flat_map(|visit| visit.ends.iter().cloned());
        let out = ends.reduce(|one, other| one.or(&other));
        let all: Vec<_> = visits.into_iter().flat_map(|visit| visit.found).collect();
        found.extend(all.iter().cloned());
        let mut memory = self.memory.0.borrow_mut();
        let entries = memory.entry(key).or_default();
        entries.push((entry.clone(), (out.clone(), all)));
        out
    }

    fn ways(
        &self,
        body: &Value,
        at: &str,
        name: &str,
        entry: &Entry,
        found: &mut Vec<Finding>,
    ) -> Vec<Way> {
        let state = &body["States"][name];
        let at = if at.is_empty() {
            name.to_owned()
        } else {
            format!("{at}/{name}")
        };
        let here = Here {
            walk: self,
            state,
            entry,
            at,
        };
        if is_jsonata(&self.machine.definition, state) {
            here.jsonata(found)
        } else {
            here.jsonpath(found)
        }
    }
}
