//! The programs in `examples/`, as a user runs them at the top of the repository.

use std::process::Command;

#[path = "example.rs"]
mod example;

/// The example, with backtraces, which it must not print.
pub fn example(name: &str) -> Command {
    let mut command = Command::new(example::program(name));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("RUST_BACKTRACE", "1");
    command
}
