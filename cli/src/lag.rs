//! How far the backup is behind, as it was measured last.

use backup_domain::lag::Lag;
use jiff::Timestamp;
use serde_json::json;

use crate::failure::{Failure, Verdict};
use crate::stack::Stack;
use crate::{Global, say};

/// Shows the figures of each destination.
pub async fn show(stack: &Stack, global: &Global) -> Result<Verdict, Failure> {
    let marks = stack.catalog().lag_marks().await?;
    let now = Timestamp::now();
    if marks.lags.is_empty() && !global.json {
        say::line("the lag has not been measured yet: it is every five minutes")?;
    }
    let failed = marks.lags.values().any(|lag| lag.failed > 0);
    if global.json {
        for (destination, lag) in &marks.lags {
            let mut figures = json!(lag);
            figures["destination"] = json!(destination);
            figures["oldestSeconds"] = json!(lag.oldest_seconds(now));
            figures["measured"] = json!(marks.counted);
            if let Some(waiting) = marks.waiting {
                figures["eventsWaiting"] = json!(waiting);
            }
            say::json(&figures)?;
        }
    } else if !marks.lags.is_empty() {
        let header = [
            "destination",
            "pending",
            "bytes pending",
            "failed",
            "oldest not safe",
            "in 15 minutes, last day",
        ];
        say::table(
            &header,
            marks.lags.iter().map(|(name, lag)| row(name, lag, now)),
        )?;
        if let Some(waiting) = marks.waiting {
            say::line(&format!("{waiting} events wait in the queue"))?;
        }
    }
    Ok(if failed {
        Verdict::NotWell
    } else {
        Verdict::Well
    })
}

fn row(name: &str, lag: &Lag, now: Timestamp) -> Vec<String> {
    let oldest = lag.oldest.map(|_| format!("{} s", lag.oldest_seconds(now)));
    let share = lag.in_time_percent.map(|share| format!("{share:.2} %"));
    vec![
        name.to_owned(),
        lag.pending.to_string(),
        lag.bytes_pending.to_string(),
        lag.failed.to_string(),
        oldest.unwrap_or_else(|| "-".to_owned()),
        share.unwrap_or_else(|| "-".to_owned()),
    ]
}
