//! The rules against the deployed definitions, their mutants and the reference implementation.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::evaluate::Sight;
use super::flow::Memory;
use super::jsonata::{self, Reference};
use super::mutants;
use super::rules::RULES;
use super::shape::{Maybe, Shape};
use super::{deployed, findings, limits, walk};

#[test]
fn every_deployed_state_machine_keeps_every_rule() {
    let machines = deployed::machines("aws");
    let reference = Reference::of(machines.iter().map(|machine| &machine.definition));
    assert_eq!(reference.version, "2.0.6");
    let memory = Memory::default();
    let mut broken = Vec::new();
    for machine in &machines {
        let found = findings(machine, &reference, &memory);
        broken.extend(found.iter().map(|it| format!("{}: {it}", machine.resource)));
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Each mutant is refused by exactly the rule that it is made for, and each rule refuses one.
#[test]
fn every_rule_refuses_its_mutants_and_no_others() {
    let machines = deployed::machines("aws");
    let mutants: Vec<_> = mutants::all().map(|mutant| mutant.of(&machines)).collect();
    let reference = Reference::of(mutants.iter().map(|machine| &machine.definition));
    let memory = Memory::default();
    let mut wrong = Vec::new();
    for (mutant, machine) in mutants::all().zip(&mutants) {
        let found = findings(machine, &reference, &memory);
        let rules: BTreeSet<_> = found.iter().map(|it| it.rule).collect();
        if rules != BTreeSet::from([mutant.rule]) {
            let found: Vec<_> = found.iter().map(|it| format!("    {it:.300}")).collect();
            let name = mutant.name();
            wrong.push(format!(
                "{} {name:.200}:\n{}",
                mutant.rule,
                found.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let listed: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    let tried: BTreeSet<_> = mutants::all().map(|mutant| mutant.rule).collect();
    assert_eq!(
        listed, tried,
        "a rule without a mutant, or a mutant of no rule"
    );
    assert_eq!(listed.len(), RULES.len(), "a rule stands there twice");
}

/// In each partition the same file is deployed, and nothing in it is of another.
#[test]
fn no_definition_names_a_partition() {
    for partition in ["aws", "aws-cn", "aws-us-gov", "aws-eusc"] {
        for machine in deployed::machines(partition) {
            let source = crate::read(&format!("statemachine/{}.asl.json", machine.file));
            assert!(!source.contains("arn:aws"), "{}", machine.file);
            let found = limits::checked(&machine, partition);
            assert_eq!(found, [], "{} in {partition}", machine.resource);
            assert!(
                machine
                    .text
                    .contains(&format!("\"arn:{partition}:states:::"))
            );
        }
    }
}

/// Where the walk takes a value for granted, the reference implementation has one: of every function,
/// operator and construction, over something and over nothing.
#[test]
fn what_the_walk_takes_for_granted_is_there() {
    let reference = Reference::of([]);
    let mut texts: Vec<String> = [
        "$nope",
        "$some.a",
        "$some.b",
        "$nope.a",
        "$nope + 1",
        "-$nope",
        "$nope & 'x'",
        "$nope = 1",
        "$nope != 1",
        "$nope < 1",
        "1 >= $nope",
        "1 in $nope",
        "$nope and true",
        "$nope or false",
        "[$nope]",
        "[1..$nope]",
        "{'a': $nope}",
        "{'a': $nope}.a",
        "$nope ? 1",
        "$nope ? 1 : $nope",
        "$some.a = 'x' ? 1 : 2",
        "($x := $nope; $x)",
        "($x := 1; $x)",
        "($nope)[0]",
        "($some.a)[0]",
        "$list[0]",
        "([])[0]",
        "($empty)[0]",
        "$list[$ = 9]",
        "$some[a = 'y']",
        "$list.a",
        "$merge([$nope, {'a': 1}]).a",
        "$merge([{'a': 1}, $some]).a",
        "$merge([$some, $nope]).b",
        "$exists($some.b) ? $some.b : 1",
        "$exists($some.b) and $some.b",
        "$count($some.b) = 0 ? 1 : $some.b",
        "$not($exists($some.b)) ? 1 : $some.b",
        "$type($some.b) = 'string' ? $some.b : 1",
        "$some.b = 'x' ? $some.b : 1",
    ]
    .map(str::to_owned)
    .into();
    let arguments = [
        "",
        "$nope",
        "$nope, 1",
        "$nope, 'a'",
        "'a', $nope",
        "'x', 'a'",
        "1, 2",
        "$list",
        "$list, 1",
    ];
    // Some end the evaluation, some have another answer each time.
    let without = [
        "error",
        "assert",
        "eval",
        "partition",
        "range",
        "hash",
        "uuid",
        "parse",
    ];
    for name in reference
        .functions
        .iter()
        .filter(|name| !without.contains(&name.as_str()))
    {
        texts.extend(arguments.map(|arguments| format!("${name}({arguments})")));
    }
    let bindings = json!({"some": {"a": "x"}, "list": [1, 2], "empty": []});
    let of = |text: &String| json!({"States": {"S": {"Type": "Pass", "Output": format!("{{% {text} %}}")}}, "QueryLanguage": "JSONata"});
    let reference = Reference::of(&texts.iter().map(of).collect::<Vec<_>>());
    let asked: Vec<_> = texts
        .iter()
        .map(|text| (text.clone(), bindings.clone()))
        .collect();
    let mut variables: BTreeMap<String, Maybe> = BTreeMap::new();
    for (name, value) in walk::fields(&bindings) {
        variables.insert(name.clone(), Maybe::always(Shape::of(value)));
    }
    let some = Shape::of_all(&[json!({"a": "x"}), json!({"a": "x", "b": "y"})], None);
    variables.insert("some".to_owned(), Maybe::always(some));
    let sight = Sight::new(Shape::Null, variables);
    let mut granted = 0;
    for (text, told) in texts.iter().zip(jsonata::evaluated(&asked)) {
        let Ok(tree) = reference.tree(text) else {
            continue;
        };
        let value = sight.value(tree, &mut |_| {});
        if value.always {
            granted += 1;
            assert_ne!(told, Ok(None), "{text} is undefined");
        }
    }
    assert!(granted > 50, "{granted}");
}
