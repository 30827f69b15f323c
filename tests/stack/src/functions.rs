//! Builds the Lambda functions and packs them for the deployment.
//!
//! Debug builds in the workspace's own target folder: what `cargo build` or a test run has compiled
//! already is not compiled again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::error::{Error, Result, quoted, tells_full_disk};
use crate::layout::{Layout, make_folder, write_text};
use crate::leash;
use crate::progress::{Progress, step};
use crate::toolchain::Toolchain;

/// Variables that cargo sets for what it runs. A cargo below that inherits them could take them for
/// changed inputs of build scripts, and build everything again.
const OF_PARENT_CARGO: [&str; 9] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
];

/// One Lambda function, ready to be uploaded.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    pub(crate) name: String,
    pub(crate) zip: PathBuf,
}

impl Packed {
    /// Differs when the content differs: an equal binary leaves its zip file untouched.
    pub(crate) fn version(&self) -> String {
        let touched = fs::metadata(&self.zip).and_then(|metadata| metadata.modified());
        format!("{} {touched:?}", self.zip.display())
    }
}

/// What a zip file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The binary.
    Binary,
    /// A script that runs the binary where it is kept: for a stack that ends with its process.
    Link,
}

/// Builds and packs the functions, once in a process. The caller holds the deploy lock.
pub(crate) fn make(
    toolchain: &Toolchain,
    names: &[String],
    content: Content,
    progress: &dyn Progress,
) -> Result<Vec<Packed>> {
    type Made = (Content, Vec<Packed>);
    static MADE: Mutex<Vec<Made>> = Mutex::new(Vec::new());
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let same =
        |(of, packed): &&Made| *of == content && packed.iter().map(|it| &it.name).eq(names.iter());
    if let Some((_, packed)) = made.iter().find(same) {
        return Ok(packed.clone());
    }
    let label = format!("Building {} Lambda functions", names.len());
    let packed = step(progress, &label, || {
        let binaries = build(toolchain, names, progress)?;
        let packed = pack(toolchain, &binaries, content)?;
        Ok((packed, format!("{} Lambda functions built", names.len())))
    })?;
    made.push((content, packed.clone()));
    Ok(packed)
}

/// Package and binary of the command line.
const COMMAND_LINE: (&str, &str) = ("s3-backup-cli", "s3-backup");

/// Builds the command line; returns where it is.
pub fn command_line(toolchain: &Toolchain, progress: &dyn Progress) -> Result<PathBuf> {
    let (package, name) = COMMAND_LINE;
    let mut built = compile(toolchain, &[package.to_owned()], progress)?.into_iter();
    let found = built.find(|binary| binary.0 == name);
    found.map_or_else(|| Err(Error::NoBinary { name: name.into() }), |it| Ok(it.1))
}

struct Binary {
    name: String,
    path: PathBuf,
}

fn build(toolchain: &Toolchain, names: &[String], progress: &dyn Progress) -> Result<Vec<Binary>> {
    let executables = compile(toolchain, names, progress)?;
    names
        .iter()
        .map(|name| {
            let found = executables.iter().find(|binary| binary.0 == *name);
            found.map_or_else(
                || Err(Error::NoBinary { name: name.clone() }),
                |(name, path)| {
                    Ok(Binary {
                        name: name.clone(),
                        path: path.clone(),
                    })
                },
            )
        })
        .collect()
}

/// Compiles packages; names and paths of their binaries.
fn compile(
    toolchain: &Toolchain,
    names: &[String],
    progress: &dyn Progress,
) -> Result<Vec<(String, PathBuf)>> {
    let log = toolchain.layout.log("build")?;
    let mut told = false;
    let finished = leash::run(&mut cargo_build(toolchain, names), &log, |line| {
        if let Some(what) = line.trim_start().strip_prefix("Compiling ") {
            progress.detail(what.split(" (").next().unwrap_or(what));
        } else if line.contains("waiting for file lock") && !told {
            told = true;
            progress.waiting("Waiting for another cargo");
        }
    })?;
    if !finished.success {
        if tells_full_disk(&finished.err) {
            let path = toolchain.layout.root().join("target");
            return Err(Error::DiskFull { path });
        }
        if let Some(linker) = missing_linker(&finished.err) {
            return Err(Error::NoLinker { linker });
        }
        return Err(Error::BuildFailed {
            lines: quoted(&compiler_errors(&finished.err), 40),
            log,
        });
    }
    Ok(finished.out.iter().filter_map(|l| executable(l)).collect())
}

fn cargo_build(toolchain: &Toolchain, names: &[String]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = leash::command(&toolchain.layout, &toolchain.python(), &[], cargo);
    command
        .current_dir(toolchain.layout.root())
        .args(["build", "--message-format=json-render-diagnostics"]);
    for name in names {
        command.args(["--package", name]);
    }
    for variable in OF_PARENT_CARGO {
        command.env_remove(variable);
    }
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(variable);
        }
    }
    command
}

/// Name and path of the binary that a line of cargo's JSON messages tells of.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let path = message["executable"].as_str()?;
    let name = message["target"]["name"].as_str()?;
    Some((name.to_owned(), path.into()))
}

/// The linker that rustc says it cannot find.
fn missing_linker(talk: &[String]) -> Option<String> {
    let found = talk.iter().find_map(|line| {
        let linker = line.strip_prefix("error: linker `")?;
        linker.strip_suffix("` not found")
    });
    found.map(str::to_owned)
}

/// The talk from the first error on; what was compiled well before it is of no interest.
fn compiler_errors(talk: &[String]) -> Vec<String> {
    let first = talk
        .iter()
        .position(|line| line.starts_with("error"))
        .unwrap_or(0);
    let is_progress = |line: &&String| {
        let line = line.trim_start();
        !(line.starts_with("Compiling ") || line.starts_with("warning: build failed"))
    };
    talk[first..].iter().filter(is_progress).cloned().collect()
}

/// Packs the binaries that are not the ones packed last.
fn pack(toolchain: &Toolchain, binaries: &[Binary], content: Content) -> Result<Vec<Packed>> {
    let mut packed = Vec::new();
    let mut changed = Vec::new();
    for binary in binaries {
        let zip = zip_path(&toolchain.layout, &binary.name, content)?;
        let stamp = zip.with_extension("stamp");
        let identity = identity(&binary.path)?;
        if !zip.exists() || fs::read_to_string(&stamp).ok().as_ref() != Some(&identity) {
            changed.push((binary, zip.clone(), stamp, identity));
        }
        let name = binary.name.clone();
        packed.push(Packed { name, zip });
    }
    if changed.is_empty() {
        return Ok(packed);
    }
    let paths = changed.iter().flat_map(|it| [&it.0.path, &it.1]);
    run_pack(toolchain, paths, content)?;
    for (_, _, stamp, identity) in &changed {
        write_text(stamp, identity)?;
    }
    Ok(packed)
}

fn run_pack<'p>(
    toolchain: &Toolchain,
    paths: impl Iterator<Item = &'p PathBuf>,
    content: Content,
) -> Result<()> {
    let log = toolchain.layout.log("pack")?;
    let python = toolchain.python();
    let mut command = leash::command(&toolchain.layout, &python, &[], &python);
    command.arg(toolchain.layout.helper("pack.py"));
    if content == Content::Link {
        command.arg("--linked");
    }
    command.args(paths);
    let finished = leash::run(&mut command, &log, |_| {})?;
    if finished.success {
        return Ok(());
    }
    let path = toolchain.layout.functions();
    if tells_full_disk(finished.complaint()) {
        return Err(Error::DiskFull { path });
    }
    let cause = std::io::Error::other(quoted(finished.complaint(), 3));
    Err(Error::file("written", path)(cause))
}

/// Cheap to get and another one for every binary that is linked. A later time alone would not do:
/// cargo brings back an older binary when another set of features is built.
fn identity(binary: &Path) -> Result<String> {
    let metadata = fs::metadata(binary).map_err(Error::file("read", binary))?;
    Ok(format!("{} {:?}", metadata.len(), metadata.modified().ok()))
}

fn zip_path(layout: &Layout, name: &str, content: Content) -> Result<PathBuf> {
    let folder = layout.functions().join(name);
    make_folder(&folder)?;
    Ok(folder.join(match content {
        Content::Binary => "bootstrap.zip",
        Content::Link => "linked.zip",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_cargo_messages() {
        let line = r#"{"reason":"compiler-artifact","target":{"name":"copy"},"executable":"/t/debug/copy"}"#;
        assert_eq!(
            executable(line),
            Some(("copy".to_owned(), "/t/debug/copy".into()))
        );
        let library = r#"{"reason":"compiler-artifact","target":{"name":"x"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable("   Compiling copy v0.1.0"), None);
    }

    #[test]
    fn build_errors_start_at_the_first_error() {
        let talk = [
            "   Compiling domain v0.1.0",
            "error[E0425]: cannot find value `x`",
            " --> functions/copy/src/main.rs:1:1",
            "   Compiling copy v0.1.0",
            "error: could not compile `copy`",
        ]
        .map(String::from);
        assert_eq!(
            compiler_errors(&talk),
            [&talk[1], &talk[2], &talk[4]].map(Clone::clone)
        );
    }

    #[test]
    fn a_missing_linker_is_told_apart() {
        let talk = [
            "   Compiling notify v0.1.0",
            "error: linker `cc` not found",
            "  |",
            "  = note: No such file or directory (os error 2)",
        ]
        .map(String::from);
        assert_eq!(missing_linker(&talk), Some("cc".into()));
        assert_eq!(missing_linker(&talk[..1]), None);
    }

    #[test]
    fn failed_build_shows_what_the_compiler_said() {
        let error = Error::BuildFailed {
            lines: quoted(&["error: no".into()], 40),
            log: "/t/build.log".into(),
        };
        assert_eq!(
            error.to_string(),
            "the Lambda functions do not build:\n  error: no\nmend this and run it again; the \
             whole log is /t/build.log"
        );
    }
}
