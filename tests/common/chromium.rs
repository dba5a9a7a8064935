//! A browser to try pages in.

use std::process::Command;

/// The name of a headless Chromium, if there is one: `$CHROMIUM`, or one of the usual.
pub fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(String::from);
    let names = if named.is_some() { named.into_iter().collect() } else { Vec::from(usual) };
    let works = |name: &String| {
        let output = Command::new(name).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = names.into_iter().find(works);
    if found.is_none() {
        println!("skipped: no Chromium");
    }
    found
}
