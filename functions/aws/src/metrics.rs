//! Metrics by way of the log: CloudWatch takes them out of lines in its embedded metric format (Amazon
//! CloudWatch User Guide, "Specification: Embedded metric format"), so no call and no grant is needed.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Value, json};

/// One line: values of one set of dimensions. Names that end in `Bytes`, `Seconds` or `Percent` have
/// that unit, others are counts.
pub fn line(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, f64)],
    now: Timestamp,
) -> Value {
    let unit = |name: &str| {
        if name.ends_with("Seconds") {
            "Seconds"
        } else if name.contains("Bytes") {
            "Bytes"
        } else if name.ends_with("Percent") {
            "Percent"
        } else {
            "Count"
        }
    };
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let definitions: Vec<_> = metrics
        .iter()
        .map(|(name, _)| json!({"Name": name, "Unit": unit(name)}))
        .collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{"Namespace": namespace, "Dimensions": [names], "Metrics": definitions}],
        },
    });
    for (name, value) in dimensions {
        line[*name] = json!(value);
    }
    for (name, value) in metrics {
        line[*name] = json!(value);
    }
    line
}

/// Writes a line where the log agent reads it.
pub fn emit(line: &Value) {
    let written = writeln!(std::io::stdout().lock(), "{line}");
    if let Err(problem) = written {
        tracing::warn!(%problem, "metrics could not be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_metrics_with_units_and_dimensions() {
        let now = Timestamp::from_millisecond(7).expect("a time");
        let metrics = [
            ("Pending", 2.0),
            ("OldestSeconds", 9.0),
            ("BytesPending", 5.0),
        ];
        let line = line("N", &[("Destination", "primary")], &metrics, now);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Destination"]]));
        let units: Vec<_> = directive["Metrics"]
            .as_array()
            .expect("metrics")
            .iter()
            .map(|it| it["Unit"].as_str().expect("a unit"))
            .collect();
        assert_eq!(units, ["Count", "Seconds", "Bytes"]);
        assert_eq!(
            (&line["Destination"], &line["Pending"]),
            (&json!("primary"), &json!(2.0))
        );
        assert_eq!(line["_aws"]["Timestamp"], 7);
    }
}
