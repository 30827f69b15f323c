//! Rules of state machines that can be decided without an account.

mod answers;
pub mod deployed;
mod documented;
mod evaluate;
mod expressions;
mod fields;
mod flow;
mod given;
mod jsonata;
mod limits;
mod maps;
mod mutants;
mod paths;
mod retries;
mod rules;
mod scopes;
mod shape;
mod state;
mod tests;
mod tools;
mod transitions;
mod walk;

use std::fmt;

use self::deployed::Machine;
use self::flow::Memory;
use self::jsonata::Reference;

/// A rule that a definition breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub rule: &'static str,
    /// State and field.
    pub at: String,
    pub says: String,
}

impl Finding {
    pub fn new(rule: &'static str, at: &str, says: String) -> Self {
        Self {
            rule,
            at: at.to_owned(),
            says,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "{}: {}: {}", self.rule, self.at, self.says)
    }
}

/// Every rule that a definition breaks.
pub fn findings(machine: &Machine, reference: &Reference, memory: &Memory) -> Vec<Finding> {
    let definition = &machine.definition;
    let mut found = scopes::shadowed(definition);
    found.extend(scopes::names(definition, &reference.functions));
    found.extend(expressions::checked(definition, reference));
    found.extend(fields::checked(definition));
    found.extend(transitions::checked(definition));
    found.extend(retries::checked(definition));
    found.extend(maps::checked(definition));
    found.extend(limits::checked(machine, "aws"));
    found.extend(flow::checked(machine, reference, memory));
    found.sort();
    found.dedup();
    found
}
