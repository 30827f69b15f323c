//! `cargo local down`.

use std::io::{Write, stdout};

use backup_stack::{Kept, Layout};

use crate::failure::Result;

pub fn run() -> Result<()> {
    let layout = Layout::of_workspace();
    let message = if Kept::clear(&layout)? {
        "The local stack is stopped."
    } else {
        "No local stack runs; there is nothing to stop."
    };
    writeln!(stdout(), "{message}")?;
    Ok(())
}
