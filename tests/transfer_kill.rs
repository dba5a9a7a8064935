//! Studies whose process is killed at random moments, and which are carried on until they end: the end is
//! that of a study that nobody disturbed.
//!
//! `SELVEDGE_KILLS=100 cargo test --test transfer_kill` kills each of them a hundred times.

#[path = "common/example.rs"]
mod example;
#[path = "common/kill.rs"]
mod kill;
#[path = "common/tiny_study.rs"]
mod tiny_study;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use selvedge::data::SplitMix64;
use selvedge::prelude::*;
use selvedge::study::transfer::TransferStudy;

use kill::{is_killed, kills};

/// The folder of the study in a process that is made to be killed.
const FOLDER: &str = "SELVEDGE_KILLED_STUDY";

/// Runs `command` to its end.
fn complete(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Begins `study` in a folder again and again, and kills it at random moments. What it ends with, whenever
/// it was not killed in time and at last, is what a study ends with that was never disturbed.
fn assert_that_kills_change_nothing(kills: u32, seed: u64, study: impl Fn(&Path) -> Command) {
    let parent = tempfile::tempdir().unwrap();
    let [calm, disturbed] = ["calm", "disturbed"].map(|name| parent.path().join(name));
    let start = Instant::now();
    complete(study(&calm));
    let whole = start.elapsed().as_secs_f64();
    let (mut rng, mut killed) = (SplitMix64::new(seed), 0);
    while killed < kills {
        if !is_killed(study(&disturbed), whole, &mut rng) {
            assert_alike(&disturbed, &calm);
            fs::remove_dir_all(&disturbed).unwrap();
            continue;
        }
        killed += 1;
        // Whatever is there is whole.
        if let Ok(text) = fs::read_to_string(disturbed.join("results.json")) {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }
    complete(study(&disturbed));
    assert_alike(&disturbed, &calm);
}

/// The same figures and models, and nothing that a killed process left.
fn assert_alike(disturbed: &Path, calm: &Path) {
    assert_eq!(figures(disturbed), figures(calm));
    for name in ["pretrained", "random", "transferred"].map(|name| format!("{name}.safetensors")) {
        let [a, b] = [calm, disturbed].map(|folder| fs::read(folder.join(&name)).unwrap());
        assert!(a == b, "{name}");
    }
    assert_eq!(files(disturbed), files(calm));
    assert_eq!(files(&disturbed.join("trials")), files(&calm.join("trials")));
}

/// The names of all that is in a folder.
fn files(folder: &Path) -> BTreeSet<OsString> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// `results.json` without what is measured by the clock.
fn figures(folder: &Path) -> serde_json::Value {
    let text = fs::read_to_string(folder.join("results.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["complete"], true);
    json["wall_seconds"].take();
    json["images_per_second"].take();
    for pretraining in json["pretrain"].as_array_mut().unwrap() {
        for epoch in pretraining["epochs"].as_array_mut().unwrap() {
            epoch["seconds"].take();
        }
    }
    json
}

/// The example on so little that most of its time is the pre-training.
fn transfer_learning(folder: &Path) -> Command {
    let mut command = Command::new(example::program("transfer_learning"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["--quick", "--fractions=0.5%,1%", "--resume", "--output-dir"]).arg(folder);
    command
}

#[test]
fn transfer_learning_that_is_killed_and_resumed_ends_with_the_same_bits() {
    assert_that_kills_change_nothing(kills(1), 1, transfer_learning);
}

/// Ctrl-C, as a terminal sends it.
#[cfg(unix)]
#[test]
fn an_interrupt_keeps_what_is_finished_and_says_how_to_go_on() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("study");
    let child = transfer_learning(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let pretrained = folder.join("trials/pretrain-seed1.toml");
    while !pretrained.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // On a busy machine the signal may come after the last of the four short runs.
    if output.status.code() != Some(0) {
        assert_eq!(output.status.code(), Some(130), "{errors}");
        let how = format!("go on with --output-dir {} --resume", folder.display());
        assert!(errors.trim_end().ends_with(&how), "{errors}");
        assert!(String::from_utf8_lossy(&output.stdout).starts_with("fraction"));
    }
    let before = pretrained.metadata().unwrap().modified().unwrap();
    complete(transfer_learning(&folder));
    assert_eq!(figures(&folder)["curve"].as_array().unwrap().len(), 4);
    assert_eq!(pretrained.metadata().unwrap().modified().unwrap(), before, "it was done again");
}

/// Trains for so short a time that most of what is disturbed is writing.
#[test]
fn a_study_that_is_killed_while_it_writes_ends_with_the_same_bits() {
    let program = std::env::current_exe().unwrap();
    assert_that_kills_change_nothing(kills(12), 2, |folder| {
        let mut command = Command::new(&program);
        command.args(["--exact", "a_study_in_a_process_of_its_own_ends"]).env(FOLDER, folder);
        command
    });
}

/// By itself a test like any other; and the process that the test above kills.
#[test]
fn a_study_in_a_process_of_its_own_ends() {
    let parent = tempfile::tempdir().unwrap();
    let folder = std::env::var_os(FOLDER).map_or(parent.path().join("study"), Into::into);
    let context = Context::new(&selvedge::device::open("flex").unwrap()).with_jobs(2);
    let outcome = tiny_study().run_in(&folder, "flex", &context).unwrap();
    assert!(outcome.results.complete);
    outcome.finish().unwrap();
    assert_eq!(figures(&folder)["curve"].as_array().unwrap().len(), 18);
}

fn tiny_study() -> TransferStudy {
    // So many epochs of pre-training that it is saved as it goes.
    tiny_study::study(&[0.2, 0.5, 1.0], &[1, 2, 3], 6)
}
