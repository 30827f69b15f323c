//! A listing cut into ranges of keys, so that many pages are read at once.
//!
//! A range is halved where its keys are expected to be; whether there are any behind the cut, one
//! question to S3 says ([`middle`]). That works for folders and for flat names alike, and every key is
//! in exactly one range whatever the cuts are.

use serde::{Deserialize, Serialize};

/// Keys behind `after`, up to and with `until`, compared byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The last key that is not in it; empty at the beginning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// The last key that may be in it; absent: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl Range {
    /// Whether a key lies behind its end.
    pub fn is_over(&self, key: &str) -> bool {
        self.until.as_deref().is_some_and(|until| key > until)
    }

    /// Whether a key is in it.
    pub fn has(&self, key: &str) -> bool {
        key > self.after.as_str() && !self.is_over(key)
    }

    /// Cuts it behind `key`: the two ranges have every key that it had, each once.
    pub fn cut(self, key: &str) -> (Self, Self) {
        let lower = Self {
            after: self.after,
            until: Some(key.to_owned()),
        };
        let upper = Self {
            after: key.to_owned(),
            until: self.until,
        };
        (lower, upper)
    }
}

/// Below the first printable character, and behind the last one of ASCII: names rarely hold others,
/// which then are all in the last range.
const BELOW: u32 = 0x1f;
const ABOVE: u32 = 0x7f;

/// A text within the range, about half of the printable ones before it; it need not be a key. `None`
/// where there is no room.
///
/// ```
/// use backup_domain::backfill::ranges::{Range, middle};
/// let range = Range { after: "photos/a".into(), until: Some("photos/c".into()) };
/// assert_eq!(middle(&range, "photos/").as_deref(), Some("photos/b"));
/// ```
pub fn middle(range: &Range, prefix: &str) -> Option<String> {
    let low = range.after.as_str().max(prefix);
    let low: Vec<char> = low.chars().collect();
    // Without an end: behind everything that begins with the prefix.
    let mut high: Option<Vec<char>> = range.until.as_ref().map(|it| it.chars().collect());
    let open = prefix.chars().count();
    let mut begin = String::new();
    for at in 0..=low.len() + 1 {
        let below = low.get(at).map_or(BELOW, |it| u32::from(*it));
        let above = match &high {
            Some(high) => high.get(at).map_or(0, |it| u32::from(*it)),
            None if at < open => below,
            None => ABOVE.max(below),
        };
        if above > below + 1 {
            let half = char::from_u32(below + (above - below) / 2)?;
            begin.push(half);
            return range.has(&begin).then_some(begin);
        }
        if above > below && high.is_some() {
            // Whatever begins with the lower one comes before the end.
            high = None;
        } else if above < below {
            return None;
        }
        begin.push(*low.get(at)?);
    }
    None
}

#[cfg(test)]
mod tests;
