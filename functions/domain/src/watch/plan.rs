//! What one run of the sweep has time for: each part its own, so that none starves another.

use jiff::Timestamp;

/// The parts of a run, in the order in which they are done.
///
/// The lists of executions come last: after an outage they hold hundreds of thousands, nearly all of
/// which have told everything themselves, while the two others are the only net for what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What owes a settling.
    Owed,
    /// What is being copied, as far as anybody knows.
    Copying,
    /// Executions that ended badly.
    Lists,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Owed, Self::Copying, Self::Lists];

    /// Hundredths of the run after which a part makes way for the next one. What comes after the last
    /// is left for what was begun, and for messages.
    pub const fn ends_at(self) -> u32 {
        match self {
            Self::Owed => 30,
            Self::Copying => 50,
            Self::Lists => 80,
        }
    }

    /// Things that a part looks at in one run. What is told by reading alone, such as a debt that
    /// waits for its destination, is none.
    pub const fn looks_max(self) -> u32 {
        2000
    }

    /// Whether a part has had its share: by what it alone has looked at, or by the hundredths of the
    /// run that are over.
    pub const fn is_over(self, looked: u32, hundredths: u32) -> bool {
        looked >= self.looks_max() || hundredths >= self.ends_at()
    }
}

/// Executions of a list that could not be dealt with, and are tried again without its page: more
/// than these hold the list up.
pub const AGAIN_MAX: usize = 100;

/// What a page of a list leaves to the next run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaves {
    /// These are tried again; the list goes on.
    Again(Vec<(String, Timestamp)>),
    /// The page is to come once more: too many were left.
    Page,
}

/// Decides what becomes of those that a page could not deal with, beside those that wait already.
pub fn leaves(mut waiting: Vec<(String, Timestamp)>, left: Vec<(String, Timestamp)>) -> Leaves {
    for one in left {
        if !waiting.contains(&one) {
            waiting.push(one);
        }
    }
    if waiting.len() > AGAIN_MAX {
        return Leaves::Page;
    }
    Leaves::Again(waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs until a backlog of each part is worked off: how many, per part.
    fn runs(backlog: [u32; 3], hundredths_each: f64) -> [u32; 3] {
        let (mut left, mut needed) = (backlog, [0; 3]);
        for run in 1..10_000 {
            let mut clock = 0.0;
            for (place, part) in Part::ALL.into_iter().enumerate() {
                let mut looked = 0;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a hundred at most"
                )]
                while left[place] > 0 && !part.is_over(looked, clock as u32) {
                    (looked, clock) = (looked + 1, clock + hundredths_each);
                    left[place] -= 1;
                    if left[place] == 0 {
                        needed[place] = run;
                    }
                }
            }
            if left == [0; 3] {
                return needed;
            }
        }
        panic!("{left:?} are left");
    }

    #[test]
    fn no_part_of_a_sweep_starves_another() {
        // An hour of an outage at 100 objects a second, each of which is looked at.
        let [owed, copying, _] = runs([100, 100, 360_000], 0.01);
        assert_eq!((owed, copying), (1, 1));
        // And slow ones, or many that are stuck, let the lists go on.
        let [_, copying, lists] = runs([1_000_000, 100, 100], 0.05);
        assert_eq!((copying, lists), (1, 1));
        for pair in Part::ALL.windows(2) {
            assert!(pair[1].ends_at() >= pair[0].ends_at() + 20, "{pair:?}");
        }
    }

    #[test]
    fn a_few_that_are_left_do_not_hold_up_a_list() {
        let one = |number: usize| (format!("e{number}"), Timestamp::UNIX_EPOCH);
        let some: Vec<_> = (0..3).map(one).collect();
        let again = leaves(vec![one(1)], some);
        assert_eq!(again, Leaves::Again(vec![one(1), one(0), one(2)]));
        let many: Vec<_> = (0..=AGAIN_MAX).map(one).collect();
        assert_eq!(leaves(vec![], many), Leaves::Page);
    }
}
