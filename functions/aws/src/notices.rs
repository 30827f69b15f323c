//! Telling the owner: the first message of a kind at once, further ones in a digest.

use backup_domain::digest::summary;
use backup_domain::message::Message;
use jiff::SignedDuration;
use tracing::{info, warn};

use crate::catalog::Catalog;
use crate::{Failure, Settings, Sns, topic};

/// Where a message is counted before it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// In an open window: nothing is told now.
    ForLater,
    /// In the window that it has opened, until it is told.
    AsFirst,
    /// Nowhere.
    Not,
}

/// Who tells, and how often.
#[derive(Debug, Clone)]
pub struct Notices {
    /// Client of SNS.
    pub sns: Sns,
    /// ARN of the topic.
    pub topic: String,
    /// Where messages are counted.
    pub catalog: Catalog,
    /// How long messages of one kind are gathered; zero tells each by itself.
    pub window: SignedDuration,
}

impl Notices {
    /// Reads topic and window from the environment.
    ///
    /// # Errors
    /// [`crate::SettingError`] when one is missing.
    pub fn from_env(sns: Sns, catalog: Catalog) -> Result<Self, crate::SettingError> {
        Ok(Self {
            sns,
            topic: Settings.text("TOPIC_ARN")?,
            catalog,
            window: SignedDuration::from_mins(Settings.parse("DIGEST_MINUTES")?),
        })
    }

    /// Tells it now, or counts it where its like has been told within the window. `name` stands for
    /// it in the digest. Where nothing can be counted, it is told; what cannot be told is counted, and
    /// goes with the digest.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SNS refuses.
    pub async fn tell(&self, message: &Message, name: &str, bucket: &str) -> Result<(), Failure> {
        let counted = if self.window.is_zero() {
            Counted::Not
        } else {
            self.counted(&message.kind, name).await
        };
        if counted == Counted::ForLater {
            return Ok(());
        }
        let told = topic::publish(&self.sns, &self.topic, message, bucket).await;
        match told {
            // It is counted already: raised, it would be counted again by the next try.
            Err(problem) if counted == Counted::AsFirst => {
                warn!(error = %problem.name, problem = %problem.message, "told later, in the digest");
                Ok(())
            }
            Ok(()) if counted == Counted::AsFirst => {
                if let Err(problem) = self.catalog.told_first(&message.kind).await {
                    warn!(problem = %problem.message, "told, and told once more in the digest");
                }
                Ok(())
            }
            told => told,
        }
    }

    /// Tells it now, whatever was told before.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable` when SNS refuses.
    pub async fn tell_at_once(&self, message: &Message) -> Result<(), Failure> {
        topic::publish(&self.sns, &self.topic, message, "").await
    }

    async fn counted(&self, kind: &str, name: &str) -> Counted {
        let counted = async {
            if self.catalog.count(kind, name).await? {
                return Ok(Counted::ForLater);
            }
            let until = self.catalog.now().saturating_add(self.window);
            let until = until.unwrap_or_default();
            if self.catalog.open_window(kind, name, until).await? {
                return Ok(Counted::AsFirst);
            }
            // Somebody opened it between the two.
            let counted = self.catalog.count(kind, name).await?;
            Ok(if counted {
                Counted::ForLater
            } else {
                Counted::Not
            })
        };
        counted.await.unwrap_or_else(|problem: Failure| {
            warn!(problem = %problem.message, "told by itself, since it cannot be counted");
            Counted::Not
        })
    }

    /// Tells what windows that have ended have counted; says how many messages that took. One that is
    /// cut off between telling and noting it tells once more.
    ///
    /// # Errors
    /// `AccessDenied`, `Throttled` or `DestinationUnavailable`.
    pub async fn tell_digests(&self) -> Result<u32, Failure> {
        let mut told = 0;
        for window in self.catalog.windows().await? {
            let now = self.catalog.now();
            if window.until > now {
                continue;
            }
            let digest = &window.digest;
            let Some(message) = summary(digest) else {
                self.catalog.close_window(&digest.kind).await?;
                continue;
            };
            topic::publish(&self.sns, &self.topic, &message, "").await?;
            let until = now.saturating_add(self.window);
            // Where another has noted it, both have told.
            self.catalog.told(digest, until.unwrap_or_default()).await?;
            info!(kind = %digest.kind, count = digest.count, "digest told");
            told += 1;
        }
        Ok(told)
    }
}
