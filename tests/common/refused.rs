//! Programs that refuse what they are given.

use std::process::Output;

/// Asserts that the program failed with one line that holds every one of `parts`.
#[track_caller]
pub fn assert_refused(output: &Output, parts: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it succeeded: {errors}");
    assert_eq!(errors.trim_end().lines().count(), 1, "not one line: {errors}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(errors.contains(part), "no `{part}` in: {errors}");
    }
}
