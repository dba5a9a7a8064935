//! Processes that are killed at random moments.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use selvedge::data::SplitMix64;

/// How often a process is killed: `$SELVEDGE_KILLS` times, or as often as is usual.
pub fn kills(usual: u32) -> u32 {
    std::env::var("SELVEDGE_KILLS").map_or(usual, |n| n.parse().unwrap())
}

/// Begins `command` and kills it at a random moment within so many seconds. Whether it was killed before it
/// had come to its end by itself.
pub fn is_killed(mut command: Command, seconds: f64, rng: &mut SplitMix64) -> bool {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (start, moment) = (Instant::now(), Duration::from_secs_f64(seconds * rng.unit()));
    while start.elapsed() < moment && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}
