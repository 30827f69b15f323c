//! Which destinations may be tried now.

use std::collections::BTreeSet;

/// Holds back what goes to destinations that are known not to take it: it waits, and costs no attempt.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    closed: BTreeSet<String>,
}

impl Gate {
    /// A gate that is closed for these destinations.
    pub fn closed_for(destinations: impl IntoIterator<Item = String>) -> Self {
        Self {
            closed: destinations.into_iter().collect(),
        }
    }

    /// Whether a backup to this destination may be started now. `*`, before one is chosen, always may.
    pub fn may_try(&self, destination: &str) -> bool {
        !self.closed.contains(destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_destination_is_not_tried_and_the_others_are() {
        let gate = Gate::closed_for(["cold".to_owned()]);
        assert!(!gate.may_try("cold"));
        assert!(gate.may_try("primary") && gate.may_try("*"));
        assert!(Gate::default().may_try("cold"));
    }
}
