//! Finding a Python that can make our virtual environments.

use std::path::PathBuf;
use std::process::Command;

use crate::error::{Error, Result};

/// What MiniStack asks for.
const OLDEST: (u32, u32) = (3, 10);

/// Tried in this order; the plain name first, since that is the one its user chose.
const NAMES: [&str; 7] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python",
];

/// Prints version and whether virtual environments with pip can be made.
const PROBE: &str = "import sys, importlib.util as u; print(*sys.version_info[:2], \
                     all(map(u.find_spec, ('venv', 'ensurepip'))))";

/// The first Python that is new enough and has its venv module.
pub(crate) fn find() -> Result<PathBuf> {
    let mut too_old = None;
    let mut without_venv = None;
    for name in NAMES {
        match probe(name) {
            Some((version, _)) if version < OLDEST => {
                too_old.get_or_insert(format!("{name} is {}.{}", version.0, version.1));
            }
            Some((_, false)) => {
                without_venv.get_or_insert(name);
            }
            Some((_, true)) => return Ok(name.into()),
            None => {}
        }
    }
    match without_venv {
        Some(python) => Err(Error::NoVenvModule {
            python: python.into(),
        }),
        None => Err(Error::NoPython {
            found: too_old.unwrap_or_else(|| "no `python3` is on the PATH".into()),
        }),
    }
}

fn probe(name: &str) -> Option<((u32, u32), bool)> {
    let output = Command::new(name).args(["-c", PROBE]).output().ok()?;
    parse_probe(&String::from_utf8_lossy(&output.stdout))
}

fn parse_probe(answer: &str) -> Option<((u32, u32), bool)> {
    let mut words = answer.split_whitespace();
    let major = words.next()?.parse().ok()?;
    let minor = words.next()?.parse().ok()?;
    Some(((major, minor), words.next()? == "True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_tells_version_and_venv() {
        assert_eq!(parse_probe("3 11 True\n"), Some(((3, 11), true)));
        assert_eq!(parse_probe("3 8 False\n"), Some(((3, 8), false)));
        assert_eq!(parse_probe("pyenv: command not found"), None);
    }

    #[test]
    fn texts_tell_what_to_install() {
        let error = Error::NoPython {
            found: "python3 is 3.8".into(),
        };
        assert_eq!(
            error.to_string(),
            "no Python 3.10 or newer was found (python3 is 3.8); install one, for example with \
             `apt-get install python3 python3-venv`, and run this again"
        );
        let error = Error::NoVenvModule {
            python: "python3".into(),
        };
        assert_eq!(
            error.to_string(),
            "python3 cannot make virtual environments: its venv module is missing; install it, \
             for example with `apt-get install python3-venv`, and run this again"
        );
    }
}
