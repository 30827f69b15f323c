//! The source, listed in several ranges at once.

use backup_aws::at_once::each;
use backup_aws::s3::pages::{From, Listed, Page};
use backup_aws::{ApiError, Failure};
use backup_domain::backfill::ranges::{Range, middle};
use backup_domain::backfill::reader::{Group, Halved, Reader, halved};
use backup_domain::backfill::request::BackfillError;

/// Ranges that are read at once, and pages so long as there are as many.
const AT_ONCE: usize = 16;
/// Questions for a cut of one range in one round: a name is halved character by character.
const QUESTIONS_MAX: usize = 12;

/// A listing under way.
pub struct Listing {
    listed: Listed,
    open: Vec<Open>,
    /// Requests that were made.
    pub requests: u64,
}

/// A range, and where its next page begins.
struct Open {
    reader: Reader,
    from: Option<From>,
}

impl Listing {
    /// Of what is left.
    pub fn new(listed: Listed, ranges: Vec<Range>) -> Self {
        let open = ranges.into_iter().map(begin);
        Self {
            open: open.collect(),
            listed,
            requests: 0,
        }
    }

    /// What is not yet handed out.
    pub fn left(&self) -> Vec<Range> {
        let left = self.open.iter().map(|open| open.reader.left().clone());
        left.collect()
    }

    /// A page of every range, and more ranges where there are few. Empty at the end of all.
    pub async fn round(&mut self) -> Result<Vec<Group>, Failure> {
        let listed = self.listed.clone();
        let asked: Vec<_> = self.open.iter().map(|it| it.from.clone()).collect();
        let pages = each(asked, AT_ONCE, |from| {
            let listed = listed.clone();
            async move { listed.versions(from).await }
        });
        let pages = pages.await;
        self.requests += pages.len() as u64;
        let (mut groups, mut left) = (Vec::new(), Vec::new());
        for (mut open, page) in std::mem::take(&mut self.open).into_iter().zip(pages) {
            let Page { entries, next } = page.map_err(|api| unlistable(&listed.bucket, &api))?;
            let read = open.reader.page(&listed.bucket, entries, next.is_none());
            let (whole, goes_on) = read?;
            groups.extend(whole);
            open.from = next;
            left.extend(goes_on.then_some(open));
        }
        self.open = left;
        if !self.open.is_empty() {
            self.cut().await?;
        }
        Ok(groups)
    }

    /// Whether all is handed out.
    pub fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Cuts ranges until there are enough, or nothing more is found to cut.
    async fn cut(&mut self) -> Result<(), Failure> {
        let room = AT_ONCE.saturating_sub(self.open.len()).min(self.open.len());
        let asked: Vec<_> = self.open.iter().take(room).map(Open::unread).collect();
        let listed = self.listed.clone();
        let found = each(asked, AT_ONCE, |range| {
            let listed = listed.clone();
            async move { halve(&listed, range).await }
        });
        let mut more = Vec::new();
        for (open, halved) in self.open.iter_mut().zip(found.await) {
            let (lower, upper, requests) = halved.map_err(|api| {
                let bucket = &self.listed.bucket;
                unlistable(bucket, &api)
            })?;
            self.requests += requests;
            open.reader.end_at(lower.until);
            more.extend(upper.map(begin));
        }
        self.open.extend(more);
        Ok(())
    }
}

impl Open {
    fn unread(&self) -> Range {
        let read = self.from.as_ref().map(|from| from.key.as_str());
        self.reader.unread(read)
    }
}

fn begin(range: Range) -> Open {
    Open {
        from: (!range.after.is_empty()).then(|| From {
            key: range.after.clone(),
            version_id: None,
        }),
        reader: Reader::new(range),
    }
}

/// The lower part of a range, an upper part that has keys, and how many requests that took.
async fn halve(listed: &Listed, mut range: Range) -> Result<(Range, Option<Range>, u64), ApiError> {
    let mut requests = 0;
    for _ in 0..QUESTIONS_MAX {
        let Some(half) = middle(&range, &listed.prefix) else {
            break;
        };
        requests += 1;
        let found = listed.first_key(&half).await?;
        match halved(range, &half, found.as_deref()) {
            Halved::Cut(lower, upper) => return Ok((lower, Some(upper), requests)),
            Halved::Narrowed(lower) => range = lower,
        }
    }
    Ok((range, None, requests))
}

/// What a source answered, before anything was copied.
pub fn unlistable(bucket: &str, api: &ApiError) -> Failure {
    let failure = api.at_source(bucket);
    let is_refused = api.is_denied() || api.code == "NoSuchBucket" || api.status == Some(404);
    if !is_refused {
        return failure;
    }
    BackfillError::Unlistable {
        bucket: bucket.to_owned(),
        problem: failure.message,
    }
    .into()
}
