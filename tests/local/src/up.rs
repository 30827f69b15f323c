//! `cargo local up`.

use std::env;
use std::io::{Write, stdout};
use std::net::Ipv4Addr;
use std::path::Path;

use backup_stack::{Layout, Life, Options, Stack, shell_quoted};
use clap::Args;
use console::style;

use crate::failure::Result;
use crate::say::is_of_use_here;
use crate::spinner::progress;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A parameter of the template; may be given more than once. It holds for later runs too,
    /// until it is given anew or the stack is stopped.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,

    /// The port to listen on; without it 4566, or any free one where that is taken.
    #[arg(long)]
    port: Option<u16>,

    /// The address to listen on; without it 127.0.0.1. Whoever reaches another one reaches the stack.
    ///
    /// For functions in containers (`sam local invoke`) that of Docker's bridge, mostly 172.17.0.1.
    #[arg(long)]
    address: Option<Ipv4Addr>,
}

fn parameter(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("a parameter is written NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let stack = Stack::start(Options {
        life: Life::Kept,
        port: arguments.port,
        address: arguments.address,
        // The local Step Functions waits out every retry in full, uncapped: hours for a throttle.
        wait_scale: Some(0.01),
        progress: progress(),
        ..Options::default()
    })?;
    let parameters: Vec<_> = arguments
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let outputs = stack.deploy(&parameters)?;

    let mut out = stdout().lock();
    let heading = style("s3-backup is up").bold();
    writeln!(out, "{heading} at {}", stack.endpoint())?;
    for (name, value) in outputs.iter().filter(|it| is_of_use_here(it.0)) {
        writeln!(out, "  {name:<20} {value}")?;
    }
    let env_file = Layout::of_workspace().env_file();
    let env_file = shell_quoted(&from_here(&env_file).display().to_string());
    writeln!(out, "\nTry:")?;
    for command in [
        &format!(". {env_file}"),
        r#"aws s3 cp README.md "s3://$SOURCE_BUCKET/docs/""#,
        "cargo local status",
    ] {
        writeln!(out, "  {}", style(command).cyan())?;
    }
    Ok(())
}

/// The path as it is shortest to type from the working directory.
fn from_here(path: &Path) -> &Path {
    let here = env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_values_may_hold_anything() {
        assert_eq!(
            parameter("PolicyDocument={\"a\": \"b=c\"}\n"),
            Ok(("PolicyDocument".into(), "{\"a\": \"b=c\"}\n".into()))
        );
        assert_eq!(parameter("A="), Ok(("A".into(), String::new())));
        assert!(parameter("A").is_err());
    }
}
