//! `cargo local`: the local stack for people.

mod demo;
mod down;
mod execution;
mod failure;
mod say;
mod spinner;
mod status;
mod steps;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs s3-backup on this machine: AWS on loopback, the real template, the real Lambda functions.
///
/// The first run installs Python packages and compiles the functions, which takes some minutes;
/// every later one takes seconds.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo local", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a stack that stays, or bring the one that runs up to date.
    ///
    /// Deploys again when a function, the state machine, the template or a parameter has changed.
    /// Writes the variables for your shell to target/local/env.
    Up(up::Arguments),
    /// Show whether the stack runs, what it is made of and what it did last.
    ///
    /// Exits with 3 when no stack runs.
    Status,
    /// Stop the stack that `up` started.
    Down,
    /// Back up five telling objects on a stack of its own and show what became of each.
    ///
    /// Exits with 1 when an object had another outcome than it should have.
    Demo,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Up(arguments) => up::run(&arguments),
        Verb::Status => status::run(),
        Verb::Down => down::run(),
        Verb::Demo => demo::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
