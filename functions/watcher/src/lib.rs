//! Function `watcher`: its handler, apart from the wiring in `main.rs`, so that the simulation runs the very same code.

pub mod watcher;
