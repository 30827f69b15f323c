//! What somebody sees who deploys: parameters that explain themselves, outputs that lead on.

use crate::read;

/// Names and blocks of a section of the template, which is written in one style.
fn section(name: &str) -> Vec<(String, String)> {
    let template = read("template.yaml");
    let (_, rest) = template.split_once(&format!("\n{name}:\n")).unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in rest.lines() {
        if !line.is_empty() && !line.starts_with(' ') {
            break;
        }
        match line.strip_prefix("  ") {
            Some(head) if !head.starts_with(' ') && head.ends_with(':') => {
                found.push((head.trim_end_matches(':').to_owned(), String::new()));
            }
            _ => {
                if let Some((_, block)) = found.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
            }
        }
    }
    found
}

/// `sam deploy --guided` asks for each: it says what it is, has a default, and where it refuses a
/// value it says what it takes.
#[test]
fn every_parameter_explains_itself() {
    let template = read("template.yaml");
    let (metadata, _) = template.split_once("\nParameters:\n").unwrap();
    let parameters = section("Parameters");
    assert!(parameters.len() >= 10, "{parameters:?}");
    for (name, block) in parameters {
        for part in ["    Type: ", "    Default: ", "    Description: "] {
            assert!(block.contains(part), "{name} has no{part}");
        }
        let refuses = ["AllowedPattern", "MinValue", "MaxLength"]
            .iter()
            .any(|limit| block.contains(limit));
        assert_eq!(
            block.contains("ConstraintDescription: "),
            refuses,
            "{name}: a limit and its ConstraintDescription go together"
        );
        let free_text = block.contains("Type: String") || block.contains("List");
        assert!(
            !free_text || block.contains("AllowedPattern") || block.contains("AllowedValues"),
            "{name} takes any text"
        );
        assert!(
            metadata.contains(&format!("      {name}: {{ default: ")),
            "{name} has no label"
        );
        let groups = metadata
            .lines()
            .filter(|line| line.contains("Parameters: ["));
        let listed = groups.flat_map(|line| line.split(['[', ']', ',', ' ']));
        assert_eq!(listed.filter(|it| *it == name).count(), 1, "{name}: groups");
    }
}

#[test]
fn every_output_says_what_it_is_and_consoles_are_https_pages() {
    for (name, block) in section("Outputs") {
        assert!(block.contains("    Description: "), "{name}");
        let is_page = block.contains("[\"https://${Host}/")
            && block.contains("Host: !FindInMap [Consoles, !Ref AWS::Partition, Host]");
        assert_eq!(name.ends_with("Console"), is_page, "{name}");
    }
}
