//! The programs in `examples/`, as processes.

use std::path::{Path, PathBuf};

/// Where the example is: cargo builds the examples of a package before its tests, in the folder beside theirs.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
