//! `cargo local down`.

use std::io::{Write, stdout};

use backup_stack::{Kept, Layout};

use crate::failure::Result;

pub fn run() -> Result<()> {
    let layout = Layout::of_workspace();
    let message = if let Some(kept) = Kept::find(&layout)? {
        kept.stop(&layout)?;
        "The local stack is stopped."
    } else {
        Kept::forget(&layout)?;
        "No local stack runs; there is nothing to stop."
    };
    writeln!(stdout(), "{message}")?;
    Ok(())
}
