//! How long a function may still run.

use std::time::{Duration, Instant, SystemTime};

/// The moment at which the platform ends the function.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    end: Instant,
}

impl Deadline {
    /// From what the runtime says: milliseconds since 1970.
    pub fn at_ms(epoch_ms: u64) -> Self {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms);
        // A deadline that has passed leaves no time.
        let left = at.duration_since(SystemTime::now()).unwrap_or_default();
        Self::after(left)
    }

    /// In so long.
    pub fn after(left: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            end: start + left,
        }
    }

    /// What is left, without a twentieth that answering and logging may need.
    pub fn left(&self) -> Duration {
        let spare = (self.end - self.start) / 20;
        self.end.saturating_duration_since(Instant::now() + spare)
    }

    /// Hundredths of the time that are over, 100 at most.
    pub fn hundredths(&self) -> u32 {
        let whole = (self.end - self.start).as_millis().max(1);
        let over = self.start.elapsed().as_millis().saturating_mul(100) / whole;
        u32::try_from(over).unwrap_or(u32::MAX).min(100)
    }

    /// Whether it is too late to begin something that takes long: four fifths are over. What is
    /// begun before that has the last fifth to end in.
    pub fn is_near(&self) -> bool {
        Instant::now() >= self.start + (self.end - self.start) * 4 / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_has_passed_leaves_no_time() {
        let passed = Deadline::at_ms(1);
        assert!(passed.is_near() && passed.hundredths() <= 100);
        assert_eq!(passed.left(), Duration::ZERO);
    }

    #[test]
    fn a_far_deadline_is_not_near_and_keeps_a_twentieth_back() {
        let far = Deadline::after(Duration::from_hours(1));
        assert!(!far.is_near() && far.hundredths() == 0);
        assert!(far.left() <= Duration::from_mins(57) && far.left() > Duration::from_mins(56));
    }
}
