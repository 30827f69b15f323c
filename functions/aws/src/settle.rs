//! Settling the order of a key's versions at one destination: look, act, look again.
//!
//! Safe to run twice or beside itself: every round decides on what it has just read, a promotion on
//! top of a promotion is one version more and never one less, and nothing is deleted.

mod promote;

use backup_domain::catalog::{RecoveryPoint, partition_key, sort_key};
use backup_domain::order::{Listing, Step, Version, View, owed_after, settle, unrecorded};
use tracing::info;

use crate::catalog::{Catalog, Owed};
use crate::glance::Place;
use crate::prepare::at_destination;
use crate::s3::head::Head;
use crate::s3::{delete, versions};
use crate::{Deadline, Failure};

/// Settles one key at one destination.
pub struct Settle<'a> {
    /// The key, and who asks for it.
    pub place: Place<'a>,
    /// The catalog.
    pub catalog: &'a Catalog,
    /// From this size on a promotion is made in parts.
    pub multipart_bytes: u64,
}

/// One round of reads.
struct Seen {
    backup: Option<Head>,
    points: Vec<RecoveryPoint>,
    source: versions::Versions,
}

impl Settle<'_> {
    /// Looks and acts until nothing is to do.
    ///
    /// # Errors
    /// `Unsettled` when something is to do still after many rounds, `OutOfTime` in the middle of a
    /// large promotion, which goes on when asked again, and what either side answers.
    pub async fn until_done(&self, deadline: Deadline) -> Result<(), Failure> {
        let mut noted = Vec::new();
        for round in 0.. {
            let seen = self.look().await?;
            let view = self.view(&seen);
            match settle(&view, round)? {
                Step::Done => {
                    let Some((version, copy)) = unrecorded(&view) else {
                        break;
                    };
                    let mut points = seen.points.iter();
                    let point = points.find(|point| point.in_order().version.is(&version));
                    let Some(point) = point else { break };
                    info!(
                        round,
                        version = version.id,
                        "recording the promotion on top"
                    );
                    if !self.adopt(point, copy, deadline).await? {
                        break;
                    }
                }
                Step::Promote { version, from } => {
                    let point = seen
                        .points
                        .iter()
                        .find(|point| point.in_order().version.is(&version));
                    if let Some(point) = point {
                        info!(round, version = version.id, "promoting");
                        noted.push(self.promote(point, from, deadline).await?);
                    }
                }
                Step::MarkDeleted => noted.push(self.mark_deleted(round).await?),
            }
        }
        for owed in noted.into_iter().filter(|owed| !owed.shared) {
            self.catalog
                .settled(&self.pk(), &owed.sk, owed.after)
                .await?;
        }
        Ok(())
    }

    fn pk(&self) -> String {
        partition_key(&self.place.object.bucket, &self.place.object.key)
    }

    /// Reads the backup, then the catalog, then the source: in this order a copy that lies on top has
    /// its point, and a point its version at the source.
    async fn look(&self) -> Result<Seen, Failure> {
        let object = self.place.object;
        let backup = self.place.backup().await?;
        let points = self
            .catalog
            .points_at(&self.pk(), &self.place.target.name)
            .await?;
        let owner = Some(object.account.as_str());
        let source = versions::list(&self.place.source(), &object.bucket, &object.key, owner)
            .await
            .map_err(|api| api.at_source(&object.bucket))?;
        Ok(Seen {
            backup,
            points,
            source,
        })
    }

    fn view<'s>(&self, seen: &'s Seen) -> View<'s> {
        let listed = seen.source.versions.iter().map(|listed| Version {
            id: &listed.id,
            etag: &listed.etag,
            modified: listed.modified,
        });
        View {
            backup: self.place.as_latest(seen.backup.as_ref()),
            points: seen.points.iter().map(RecoveryPoint::in_order).collect(),
            source: Listing {
                versions: listed.collect(),
                delete_marker: seen.source.marker_is_latest,
            },
            deletes: self.place.target.deletes,
        }
    }

    /// Noted at the point that asks for it, before it is sent.
    async fn mark_deleted(&self, round: u32) -> Result<Owed, Failure> {
        let sk = sort_key(&self.place.target.name, self.place.object);
        let owed = self
            .catalog
            .owe(&self.pk(), &sk, owed_after(self.catalog.now()))
            .await?;
        info!(round, "mirroring a deletion by a delete marker");
        delete::put_marker(&self.place.destination(), self.place.target)
            .await
            .map_err(|api| at_destination(&api, self.place.target))?;
        Ok(owed)
    }
}
