//! Telling what is late: once when it has begun to be, once when it has come to its end.

use backup_aws::catalog::Tracked;
use backup_aws::{Deadline, Failure};
use backup_domain::Policy;
use backup_domain::catalog::{RecoveryPoint, Status};
use backup_domain::lag::{self, Late, Marks};
use backup_domain::message::Message;
use backup_domain::policy::NotifyLevel;
use jiff::Timestamp;

use crate::report::{LATE_MAX, Report, SETTLED};

/// What there is to tell, each claimed for this run.
#[derive(Default)]
struct ToTell {
    missed: Vec<Tracked>,
    arrived: Vec<Tracked>,
}

impl Report {
    /// Looks through what is followed, from where the last run stopped, and tells what is new of it.
    /// Each is claimed before it is told, so that runs beside each other tell once; one that dies between
    /// the two leaves it to be told again when its claim has run out.
    pub async fn tell(
        &self,
        policy: &Policy,
        marks: &mut Marks,
        now: Timestamp,
        deadline: Deadline,
    ) -> Result<(usize, usize), Failure> {
        let (mut to_tell, mut looked, mut wrapped) = (ToTell::default(), 0, false);
        let begun = marks.followed.clone();
        while looked < LATE_MAX && !deadline.is_near() {
            let page = self.catalog.followed(marks.followed.clone()).await?;
            if page.is_empty() {
                marks.followed = None;
                if wrapped || begun.is_none() {
                    break;
                }
                wrapped = true;
                continue;
            }
            for tracked in page {
                marks.followed = Some(tracked.id.clone());
                if wrapped && marks.followed > begun {
                    looked = LATE_MAX;
                    break;
                }
                looked += usize::from(self.look(policy, tracked, now, &mut to_tell).await?);
            }
        }
        self.publish(&to_tell.missed, now, lag::missed).await?;
        for tracked in &to_tell.missed {
            self.catalog.told_late(&tracked.id).await?;
        }
        self.publish(&to_tell.arrived, now, lag::arrived).await?;
        for tracked in &to_tell.arrived {
            self.catalog.unfollow(&tracked.id).await?;
        }
        Ok((to_tell.missed.len(), to_tell.arrived.len()))
    }

    /// How one of them is; says whether there is anything new of it.
    async fn look(
        &self,
        policy: &Policy,
        mut tracked: Tracked,
        now: Timestamp,
        to_tell: &mut ToTell,
    ) -> Result<bool, Failure> {
        let (pk, sk) = &tracked.point;
        let point = self.catalog.get(pk, sk).await?;
        let status = point.as_ref().map(|point| point.status);
        let is_dismissed = point.as_ref().is_some_and(RecoveryPoint::is_dismissed);
        let is_open = matches!(status, Some(Status::Copying | Status::Failed)) && !is_dismissed;
        if is_open && tracked.told || point.as_ref().is_some_and(|it| is_just_over(it, now)) {
            return Ok(false);
        }
        if !self.catalog.claim_late(&tracked.id, now).await? {
            return Ok(false);
        }
        if !is_open {
            let status = match status {
                Some(_) if is_dismissed => "dismissed",
                Some(status) => status.as_str(),
                None => "removed from the catalog",
            };
            status.clone_into(&mut tracked.late.status);
        }
        if point.is_some_and(|point| is_silent(policy, &point)) {
            // Followed to its end all the same: its rule may say otherwise by then.
            if is_open {
                self.catalog.told_late(&tracked.id).await?;
            } else {
                self.catalog.unfollow(&tracked.id).await?;
            }
        } else if is_open {
            to_tell.missed.push(tracked);
        } else {
            to_tell.arrived.push(tracked);
        }
        Ok(true)
    }

    /// In one message where nothing is gathered; else each as one of its kind, the first at once.
    async fn publish(
        &self,
        tracked: &[Tracked],
        now: Timestamp,
        compose: fn(&[Late], Timestamp) -> Option<Message>,
    ) -> Result<(), Failure> {
        let lates: Vec<Late> = tracked.iter().map(|it| it.late.clone()).collect();
        let at_once = if self.notices.window.is_zero() {
            lates.len().max(1)
        } else {
            1
        };
        for some in lates.chunks(at_once) {
            if let Some(message) = compose(some, now) {
                let name = some.first().map_or("", |late| &late.key);
                self.notices.tell(&message, name, &self.source).await?;
            }
        }
        Ok(())
    }
}

/// Whether a point ended in the last seconds, which are not counted yet: it would be followed again.
fn is_just_over(point: &RecoveryPoint, now: Timestamp) -> bool {
    let is_stored = point.status == Status::Stored;
    let counted = now.saturating_sub(SETTLED).unwrap_or_default();
    is_stored && point.ended_at.is_some_and(|at| at > counted)
}

fn is_silent(policy: &Policy, point: &RecoveryPoint) -> bool {
    let mut rules = policy.rules.iter();
    let rule = rules.find(|rule| rule.name == point.rule);
    rule.is_some_and(|rule| rule.notify == NotifyLevel::None)
}
