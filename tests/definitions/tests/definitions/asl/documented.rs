//! The table of the rules in docs/testing.md, written from the rules, their mutants and the tools.

use std::collections::BTreeSet;

use super::deployed::{self, Machine};
use super::mutants;
use super::rules::{ELSEWHERE, RULES};
use super::tools::{TOOLS, refusals};
use crate::{page, read};

/// `refused` has the tools that refuse each mutant.
fn table(refused: &[BTreeSet<&str>]) -> String {
    let mut lines = vec![
        format!("| rule | page | mutants | {} |", TOOLS.join(" | ")),
        format!("|---|---|---|{}", "---|".repeat(TOOLS.len())),
    ];
    for rule in RULES {
        let of_rule = mutants::all()
            .zip(refused)
            .filter(|(it, _)| it.rule == rule.id);
        let seen: Vec<_> = of_rule.map(|(_, tools)| tools).collect();
        let by = TOOLS.map(
            |tool| match seen.iter().filter(|it| it.contains(tool)).count() {
                0 => "–".to_owned(),
                all if all == seen.len() => "all".to_owned(),
                some => some.to_string(),
            },
        );
        lines.push(format!(
            "| `{}`: {} | {} | {} | {} |",
            rule.id,
            rule.says,
            rule.page,
            seen.len(),
            by.join(" | ")
        ));
    }
    lines.push(String::new());
    lines.push("| rule | page | test |".to_owned());
    lines.push("|---|---|---|".to_owned());
    for (rule, page, test) in ELSEWHERE {
        lines.push(format!("| {rule} | {page} | `{test}` |"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// `UPDATE_DOCS=1 cargo test -p backup-definitions` writes it.
#[test]
fn the_documentation_lists_every_rule_of_state_machines_and_who_else_sees_it() {
    let machines = deployed::machines("aws");
    let mutants = mutants::all().map(|mutant| mutant.of(&machines));
    let all: Vec<Machine> = machines.iter().cloned().chain(mutants).collect();
    let refused = refusals(&all);
    let (own, refused) = refused.split_at(machines.len());
    assert!(own.iter().all(BTreeSet::is_empty), "{own:?}");
    page::says(
        "docs/testing.md",
        "rules of state machines",
        &table(refused),
    );
    // A test that is named is there.
    let tests: String = ["machine.rs", "payload.rs", "errors.rs"]
        .map(|file| read(&format!("tests/definitions/tests/definitions/{file}")))
        .concat()
        + &read("tests/simulation/tests/simulation/seeds.rs");
    for (_, _, test) in ELSEWHERE {
        assert!(tests.contains(&format!("fn {test}(")), "{test} is nowhere");
    }
}
