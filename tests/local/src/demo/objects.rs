//! The five objects, and what should become of each.

/// How the backup of an object should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A proved copy.
    Stored,
    /// The policy does not want it.
    Skipped,
    /// It fails with this error.
    Failed(&'static str),
}

#[derive(Debug, Clone)]
pub struct DemoObject {
    pub key: &'static str,
    pub body: &'static [u8],
    pub headers: Vec<(&'static str, &'static str)>,
    pub expected: Expected,
}

pub fn all() -> Vec<DemoObject> {
    let object = |key, body, headers: &[_], expected| DemoObject {
        key,
        body,
        headers: headers.to_vec(),
        expected,
    };
    vec![
        // Ordinary, with headers that a careless copy would lose.
        object(
            "reports/2026/november.csv",
            b"day,visits\n1,1024\n2,2048\n",
            &[
                ("content-type", "text/csv; charset=utf-8"),
                ("cache-control", "max-age=3600"),
                ("x-amz-meta-author", "controlling"),
            ],
            Expected::Stored,
        ),
        object(
            "scratch/session.tmp",
            b"work in progress",
            &[],
            Expected::Skipped,
        ),
        // Every character here has broken somebody's event handler or CopySource.
        object(
            "odd/naïve + 100% \"quoted\" 🦀//a?b#c&d=e.txt",
            b"odd, and none the worse for it",
            &[("content-type", "text/plain")],
            Expected::Stored,
        ),
        // What consoles make of a folder: no content, a key that ends in a slash.
        object("folder/", b"", &[], Expected::Stored),
        // Cannot be read before it is restored, so this must fail, and say why.
        object(
            "archive/2019.tar",
            b"a year in the cold",
            &[("x-amz-storage-class", "GLACIER")],
            Expected::Failed("SourceArchived"),
        ),
    ]
}
