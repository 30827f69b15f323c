//! What an answer to a conditional write, or to the completion of an upload, leaves behind.

use crate::ApiError;

/// Whether a condition that nothing is there did not hold.
pub fn is_occupied(api: &ApiError) -> bool {
    let codes = ["PreconditionFailed", "ConditionalRequestConflict"];
    codes.contains(&api.code.as_str()) || api.status == Some(412)
}

/// What becomes of an upload by the answer to its completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is no more.
    Over,
    /// Its parts are not to be trusted, or their place is taken: no other try may go on with them.
    Useless,
    /// Nobody knows: the next try goes on with its parts, which may be terabytes.
    Open,
}

impl Ending {
    /// By the answer to CompleteMultipartUpload.
    pub fn of<T>(made: &Result<T, ApiError>) -> Self {
        match made {
            Ok(_) => Self::Over,
            Err(api) if api.code == "NoSuchUpload" => Self::Over,
            Err(api) if api.code == "BadDigest" || is_occupied(api) => Self::Useless,
            Err(_) => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_copied_again_only_where_they_are_of_no_use() {
        let answer = |code: &str, status| {
            Ending::of::<()>(&Err(ApiError {
                code: code.to_owned(),
                status,
                ..ApiError::default()
            }))
        };
        assert_eq!(Ending::of(&Ok(())), Ending::Over);
        for (code, status, ending) in [
            ("NoSuchUpload", Some(404), Ending::Over),
            ("BadDigest", Some(400), Ending::Useless),
            ("PreconditionFailed", Some(412), Ending::Useless),
            ("ConditionalRequestConflict", Some(409), Ending::Useless),
            ("SlowDown", Some(503), Ending::Open),
            ("InternalError", Some(500), Ending::Open),
            ("", None, Ending::Open),
        ] {
            assert_eq!(answer(code, status), ending, "{code}");
        }
    }
}
