//! What somebody asks for: these keys, as they were at this moment, to there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::refusal::RequestError;
use super::sample::Sample;
use crate::limits::KEY_BYTES_MAX;

/// One restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// Keys that begin with this; `""` is the whole bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Exactly this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The moment: the end of its second, since S3 tells no finer times.
    pub at: Timestamp,
    /// Where restored objects go.
    pub to: To,
    /// What is done about what lies there.
    #[serde(default)]
    pub mode: Mode,
    /// Where is read which versions there are.
    #[serde(default)]
    pub from: From,
    /// Destination whose copies are taken where several have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// How copies are brought back that lie in an archive class.
    #[serde(default)]
    pub archive: Archive,
    /// Plans only: nothing is written to the target.
    #[serde(default)]
    pub dry_run: bool,
    /// A drill: not all of it, but this sample, each key at a moment of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// The target. A restored key is `prefix` and the whole source key behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct To {
    /// Bucket.
    pub bucket: String,
    /// Put before every source key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Its region; absent: the one of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Account that must own it; absent in an input: the one of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What is done about what lies at the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Beside the source: what is there and differs is left, and reported. Refuses the source's own keys.
    #[default]
    Beside,
    /// Over the source: what is not there comes back; what is there and differs is left, and reported.
    InPlace,
    /// What differs gets the restored version on top.
    Overwrite,
    /// Over the source: the state of the moment. What differs gets the version of the moment on top,
    /// and what came later goes behind a delete marker. No version is deleted.
    Rollback,
}

impl Mode {
    /// Whether what is there and differs is covered.
    pub const fn overwrites(self) -> bool {
        matches!(self, Self::Overwrite | Self::Rollback)
    }
}

/// Where is read which versions there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum From {
    /// The catalog: versions, deletions, evidence, and what was never stored.
    #[default]
    Catalog,
    /// A backup bucket alone, by the markers of its objects: where the catalog is gone.
    Backup(Backup),
}

/// A backup bucket that is read without the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backup {
    /// Bucket.
    pub bucket: String,
    /// Its region; absent: the one of the deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The destination's prefix, as the policy has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// How archived copies are brought back (Amazon S3 API Reference, "RestoreObject").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Archive {
    /// Retrieval tier.
    pub tier: Tier,
    /// Days for which the readable copy is kept.
    pub days: u16,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            tier: Tier::Bulk,
            days: 7,
        }
    }
}

/// Retrieval tiers that both archive classes have, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Hours: 3 to 5 from GLACIER, within 12 from DEEP_ARCHIVE.
    Standard,
    /// The cheapest: 5 to 12 hours from GLACIER, within 48 from DEEP_ARCHIVE.
    Bulk,
    /// None: what lies in an archive is left there, and counted.
    Leave,
}

/// What an execution's input asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// To plan a restore, and to carry it out unless `dryRun`.
    New(Box<Request>),
    /// To carry out what was planned, or to go on where it stopped.
    Planned {
        /// Folder of its plan.
        folder: String,
        /// Only to say what it is.
        show: bool,
    },
    /// To try a restore with a sample.
    Drill(Sample),
}

/// Reads an execution's input: a [`Request`], `{"plan": "<folder>"}`, or `{"sample": {…}}`.
///
/// # Errors
/// [`RequestError::Unreadable`] and [`RequestError::KeyOrPrefix`]; of a sample also
/// [`RequestError::OutOfBounds`].
///
/// # Examples
/// ```
/// use backup_domain::restore::request::{Input, Mode, parse};
/// let input = serde_json::json!({
///     "prefix": "photos/", "at": "2026-11-01T00:00:00Z", "to": {"bucket": "scratch", "prefix": "was/"}
/// });
/// let Input::New(request) = parse(&input)? else { panic!("a new one") };
/// assert_eq!(request.mode, Mode::Beside);
/// # Ok::<(), backup_domain::restore::request::RequestError>(())
/// ```
pub fn parse(input: &Value) -> Result<Input, RequestError> {
    if let Some(folder) = input.get("plan") {
        let folder = folder
            .as_str()
            .filter(|it| it.starts_with(FOLDER) && it.ends_with('/'));
        let folder = folder.ok_or_else(|| RequestError::Unreadable {
            problem: format!("plan names a folder, {FOLDER}…/"),
        })?;
        return Ok(Input::Planned {
            folder: folder.to_owned(),
            show: input["dryRun"] == true,
        });
    }
    if input.get("sample").is_some() {
        return Sample::parse(input).map(Input::Drill);
    }
    let request: Request = serde_path_to_error::deserialize(input).map_err(|problem| {
        let path = problem.path().to_string();
        RequestError::Unreadable {
            problem: format!("{path}: {}", problem.into_inner()),
        }
    })?;
    if request.key.is_some() == request.prefix.is_some() {
        return Err(RequestError::KeyOrPrefix);
    }
    Ok(Input::New(Box::new(request)))
}

/// Folder of all restores in the report bucket.
pub const FOLDER: &str = "restores/";

/// What a request is checked against.
#[derive(Debug, Clone)]
pub struct Deployed<'a> {
    /// Bucket that is backed up.
    pub source: &'a str,
    /// Backup buckets.
    pub backups: &'a [String],
    /// Buckets that may be restored to.
    pub targets: &'a [String],
}

/// Checks what can be checked without a call.
///
/// # Errors
/// [`RequestError`], all of them `InvalidRestore`.
pub fn check(request: &Request, deployed: &Deployed, now: Timestamp) -> Result<(), RequestError> {
    let bucket = request.to.bucket.clone();
    if request.at > now {
        return Err(RequestError::Future {
            at: request.at,
            now,
        });
    }
    if deployed.backups.contains(&bucket) {
        return Err(RequestError::IsBackup { bucket });
    }
    if !deployed.targets.contains(&bucket) {
        return Err(RequestError::NotGranted { bucket });
    }
    // In a drill nothing may lie beside the source's own objects either.
    if request.sample.is_some() && bucket == deployed.source {
        return Err(RequestError::IsSource { bucket });
    }
    if request.to.prefix.len() > KEY_BYTES_MAX {
        return Err(out_of_bounds("to.prefix", &request.to.prefix));
    }
    if request.archive.days == 0 {
        return Err(out_of_bounds("archive.days", "0"));
    }
    if let From::Backup(backup) = &request.from
        && !deployed.backups.contains(&backup.bucket)
    {
        return Err(out_of_bounds("from.backup.bucket", &backup.bucket));
    }
    match (request.mode, request.is_over(deployed.source)) {
        (Mode::Beside, true) => Err(RequestError::IsSource { bucket }),
        (Mode::Rollback | Mode::InPlace, false) => Err(RequestError::NotSource {
            bucket: deployed.source.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn out_of_bounds(field: &'static str, value: &str) -> RequestError {
    let value = crate::error::one_line(value, 80);
    RequestError::OutOfBounds { field, value }
}

impl Request {
    /// Whether restored objects take the place of the source's own.
    pub fn is_over(&self, source: &str) -> bool {
        self.to.bucket == source && self.to.prefix.is_empty()
    }

    /// What every key in question begins with.
    pub fn scope(&self) -> &str {
        self.key
            .as_deref()
            .or(self.prefix.as_deref())
            .unwrap_or_default()
    }

    /// Whether a source key is asked for.
    pub fn covers(&self, key: &str) -> bool {
        match &self.key {
            Some(only) => only == key,
            None => key.starts_with(self.scope()),
        }
    }

    /// The scope for a reader.
    pub fn what(&self) -> String {
        if let Some(sample) = &self.sample {
            return format!("a sample of at most {} objects", sample.objects);
        }
        match (&self.key, self.scope()) {
            (Some(key), _) => format!("key {key:?}"),
            (None, "") => "the whole bucket".to_owned(),
            (None, prefix) => format!("prefix {prefix:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
