//! What became of one slice, from what its lines have noted.

use backup_aws::Failure;
use backup_aws::at_once::each;
use backup_aws::catalog::{Catalog, Gone};
use backup_aws::s3::documents::Documents;
use backup_domain::backfill::counts::Counts;
use backup_domain::backfill::course::Work;
use backup_domain::backfill::elsewhere::Elsewhere;
use backup_domain::backfill::event::versions_of;
use backup_domain::backfill::line::Line;
use backup_domain::backfill::report::{Failed, Open, Rest};
use backup_domain::plan::json_line;

/// Documents that are read at once.
const AT_ONCE: usize = 32;

/// Counts a slice anew, and writes down what of it failed or is under way elsewhere.
pub async fn count(
    catalog: &Catalog,
    documents: &Documents,
    work: &Work,
    planned: &Gone,
) -> Result<Gone, Failure> {
    let slice = planned.number;
    let lines = catalog.lines(&work.run, slice).await?;
    let mut counts = Counts::default();
    for line in lines.values() {
        counts.add(&line.counts);
    }
    if lines.len() < planned.lines as usize {
        // A line whose function never came to a word is left as it was planned.
        let all: Vec<Line> = documents
            .lines(&work.lines(slice))
            .await?
            .unwrap_or_default();
        let silent = all.iter().filter(|line| !lines.contains_key(&line.line));
        counts.left += silent
            .map(|line| versions_of(&line.items) as u64)
            .sum::<u64>();
    }
    let with_rest: Vec<u32> = lines
        .values()
        .filter(|it| it.rest)
        .map(|it| it.number)
        .collect();
    let mut elsewhere = Elsewhere {
        lines: counts,
        ..Elsewhere::default()
    };
    let rest = !with_rest.is_empty();
    let rests = each(with_rest, AT_ONCE, |line| {
        let (documents, key) = (documents.clone(), work.rest(slice, line));
        async move { documents.get::<Rest>(&key).await }
    });
    for found in rests.await {
        let mut found = found?.unwrap_or_default();
        elsewhere.failed.append(&mut found.failed);
        elsewhere.open.append(&mut found.open);
    }
    let planned = Gone {
        rest,
        ..planned.clone()
    };
    keep(catalog, documents, work, &planned, elsewhere).await
}

/// Writes down what of a slice did not end in its lines, first of all in the one document that the
/// others follow from.
pub async fn keep(
    catalog: &Catalog,
    documents: &Documents,
    work: &Work,
    slice: &Gone,
    elsewhere: Elsewhere,
) -> Result<Gone, Failure> {
    let number = slice.number;
    if slice.rest {
        let text = json_line(&elsewhere);
        let key = work.elsewhere(number);
        documents.put(&key, text, "application/json").await?;
        let failed = elsewhere.failed.iter();
        let failed: String = failed.map(|one| json_line(one) + "\n").collect();
        let key = work.failed(number);
        documents.put(&key, failed, "application/x-ndjson").await?;
    }
    let gone = Gone {
        counts: elsewhere.counts(),
        ..slice.clone()
    };
    catalog.put_slice(&work.run, &gone).await?;
    Ok(gone)
}

/// Some of what failed, and of what is under way elsewhere.
pub async fn named<'g>(
    documents: &Documents,
    work: &Work,
    slices: impl Iterator<Item = &'g Gone>,
    most: usize,
) -> Result<(Vec<Failed>, Vec<Open>), Failure> {
    let (mut failed, mut open) = (Vec::new(), Vec::new());
    for slice in slices.filter(|it| it.rest) {
        if failed.len() < most && slice.counts.failed > 0 {
            let more = documents.lines(&work.failed(slice.number)).await?;
            failed.extend(more.unwrap_or_default());
        }
        if open.len() < most && slice.counts.open > 0 {
            let more: Option<Elsewhere> = documents.get(&work.elsewhere(slice.number)).await?;
            open.extend(more.unwrap_or_default().open);
        }
    }
    failed.truncate(most);
    open.truncate(most);
    Ok((failed, open))
}
