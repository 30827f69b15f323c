//! The local stack: AWS on loopback, with our template deployed to it by the real `sam deploy`.
//!
//! ```no_run
//! use backup_stack::{Options, Stack};
//!
//! let stack = Stack::start(Options::default())?;
//! let outputs = stack.deploy(&[("Intake", "DIRECT")])?;
//! println!("{} serves {}", stack.endpoint(), outputs["SourceBucket"]);
//! # Ok::<(), backup_stack::Error>(())
//! ```
//!
//! A *leashed* stack ([`Life::Leashed`], the default) ends with the process that started it, however
//! that one ends; a *kept* one ([`Life::Kept`]) lives on until [`Kept::stop`]. Any number of leashed
//! stacks run beside a kept one: each has a folder, a port and a log of its own, and what they share
//! (virtual environments, Lambda binaries) is guarded by file locks.
//!
//! No AWS SDK is linked here, so that `cargo local` builds in seconds; [`Cloud`] is the small client
//! that stands in.

#![cfg_attr(
    test,
    expect(
        clippy::unwrap_used,
        reason = "a test that unwraps fails where it should"
    )
)]

mod cloud;
mod deploy;
mod env_file;
mod error;
mod functions;
mod kept;
mod layout;
mod leash;
mod lock;
mod ministack;
mod node;
mod parameters;
mod progress;
mod python;
mod sam_local;
mod seaweed;
mod stack;
mod template;
mod toolchain;
mod venv;

pub use cloud::{Cloud, Object, Service};
pub use deploy::{Outputs, STACK_NAME};
pub use env_file::{env_lines, shell_quoted};
pub use error::{Error, Result};
pub use functions::command_line;
pub use kept::Kept;
pub use layout::Layout;
pub use progress::{PlainLines, Progress, Silent};
pub use seaweed::Seaweed;
pub use stack::{Life, Options, Stack};
pub use template::parameters as template_parameters;
pub use toolchain::Toolchain;

/// The region of the stack's home; the backup may live in another one of the same local stack.
pub const REGION: &str = "us-east-1";
