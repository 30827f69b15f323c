//! The source, listed in several ranges at once.

use backup_aws::at_once::each;
use backup_aws::s3::pages::{From, Listed, Page};
use backup_aws::{ApiError, Failure};
use backup_domain::audit::Entry;
use backup_domain::backfill::ranges::{Range, middle};
use backup_domain::backfill::request::BackfillError;

/// Ranges that are read at once, and pages so long as there are as many.
const AT_ONCE: usize = 16;
/// Questions for a cut of one range in one round: a name is halved character by character.
const QUESTIONS_MAX: usize = 12;

/// A key with all of its versions and delete markers, the newest first.
pub type Group = (String, Vec<Entry>);

/// A listing under way.
pub struct Listing {
    listed: Listed,
    open: Vec<Open>,
    /// Requests that were made.
    pub requests: u64,
}

struct Open {
    /// What is not yet handed out.
    range: Range,
    from: Option<From>,
    /// A key whose versions may go on in the next page.
    waiting: Option<Group>,
}

impl Listing {
    /// Of what is left.
    pub fn new(listed: Listed, ranges: Vec<Range>) -> Self {
        let open = ranges.into_iter().map(|range| Open {
            from: start_of(&range),
            range,
            waiting: None,
        });
        Self {
            open: open.collect(),
            listed,
            requests: 0,
        }
    }

    /// What is not yet handed out.
    pub fn left(&self) -> Vec<Range> {
        self.open.iter().map(|open| open.range.clone()).collect()
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
        for (open, page) in std::mem::take(&mut self.open).into_iter().zip(pages) {
            let page = page.map_err(|api| self.refused(&api))?;
            let (open, more) = self.read(open, page, &mut groups)?;
            left.extend(more.then_some(open));
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

    fn read(
        &self,
        mut open: Open,
        page: Page<Entry, From>,
        groups: &mut Vec<Group>,
    ) -> Result<(Open, bool), Failure> {
        let mut over = page.next.is_none();
        for (key, entry) in page.entries {
            if open.range.is_over(&key) {
                over = true;
                break;
            }
            match &mut open.waiting {
                Some((waiting, entries)) if *waiting == key => entries.push(entry),
                waiting => {
                    let before = waiting.as_ref().map_or("", |(before, _)| before.as_str());
                    let before = before.max(open.range.after.as_str());
                    if key.as_str() <= before {
                        return Err(self.out_of_order(before, &key));
                    }
                    let whole = waiting.replace((key, vec![entry]));
                    hand_out(whole, &mut open.range, groups);
                }
            }
        }
        if over {
            hand_out(open.waiting.take(), &mut open.range, groups);
        }
        open.from = page.next;
        Ok((open, !over))
    }

    /// Cuts ranges until there are enough, or nothing more is found to cut.
    async fn cut(&mut self) -> Result<(), Failure> {
        let room = AT_ONCE.saturating_sub(self.open.len()).min(self.open.len());
        let asked: Vec<_> = self.open.iter().take(room).map(Open::rest).collect();
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
            open.range.until = lower.until;
            more.extend(upper.map(|range| Open {
                from: start_of(&range),
                range,
                waiting: None,
            }));
        }
        self.open.extend(more);
        Ok(())
    }

    fn refused(&self, api: &ApiError) -> Failure {
        unlistable(&self.listed.bucket, api)
    }

    fn out_of_order(&self, earlier: &str, later: &str) -> Failure {
        BackfillError::Unusable {
            what: format!("the listing of {}", self.listed.bucket),
            problem: format!("{later:?} came behind {earlier:?}"),
        }
        .into()
    }
}

impl Open {
    /// What the next pages are about: behind the page that was read last.
    fn rest(&self) -> Range {
        let read = self.from.as_ref().map(|from| from.key.clone());
        Range {
            after: read.unwrap_or_else(|| self.range.after.clone()),
            until: self.range.until.clone(),
        }
    }
}

fn start_of(range: &Range) -> Option<From> {
    (!range.after.is_empty()).then(|| From {
        key: range.after.clone(),
        version_id: None,
    })
}

fn hand_out(whole: Option<Group>, range: &mut Range, groups: &mut Vec<Group>) {
    if let Some((key, mut entries)) = whole {
        // Versions and delete markers are two lists, each the newest first.
        entries.sort_by(|a, b| b.latest.cmp(&a.latest).then(b.modified.cmp(&a.modified)));
        range.after.clone_from(&key);
        groups.push((key, entries));
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
        let (lower, upper) = range.cut(&half);
        if found.is_some_and(|key| upper.has(&key)) {
            return Ok((lower, Some(upper), requests));
        }
        // Nothing lies behind the cut.
        range = lower;
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
