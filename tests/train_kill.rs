//! Runs whose process is killed at random moments, and which are carried on until they end: the end is that
//! of a run that nobody disturbed.
//!
//! `SELVEDGE_KILLS=100 cargo test --test train_kill` kills it a hundred times.

#[path = "common/example.rs"]
mod example;
#[path = "common/kill.rs"]
mod kill;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use selvedge::data::SplitMix64;

use kill::{is_killed, kills};

/// How often the run is killed, unless it is said otherwise.
const KILLS: u32 = 6;

/// A short run that is saved often, with all that a run could forget.
fn train(folder: &Path, threads: usize) -> Command {
    let mut command = Command::new(example::program("train"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("RAYON_NUM_THREADS", threads.to_string());
    command.args(["--model=mlp_relu", "--epochs=4", "--batch-size=256", "--save-every=20"]);
    command.args(["--lr-scheduler=onecyclelr", "--model-ema", "--clip-grad-norm=1"]);
    command.args(["--opt=sgd", "--lr=0.1", "--resume", "--output-dir"]).arg(folder);
    command
}

/// What a run printed and left, but for seconds.
#[derive(PartialEq)]
struct Left {
    printed: String,
    results: Vec<String>,
    models: Vec<Vec<u8>>,
    names: Vec<String>,
}

fn complete(mut command: Command, folder: &Path) -> Left {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let results = fs::read_to_string(folder.join("results.csv")).unwrap();
    let results = results.lines().map(|line| line.rsplit_once(',').unwrap().0.to_string());
    let mut names: Vec<String> = ["", "weights", "checkpoints"]
        .iter()
        .flat_map(|part| fs::read_dir(folder.join(part)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("events."))
        .collect();
    names.sort();
    Left {
        // The last line names the folder.
        printed: printed.lines().filter(|line| !line.contains("are in")).collect(),
        results: results.collect(),
        models: ["best", "last"]
            .map(|name| fs::read(folder.join(format!("weights/{name}.safetensors"))).unwrap())
            .into(),
        names,
    }
}

#[test]
fn a_run_that_is_killed_and_resumed_ends_with_the_same_bits() {
    let kills = kills(KILLS);
    let parent = tempfile::tempdir().unwrap();
    let [calm, disturbed] = ["calm", "disturbed"].map(|name| parent.path().join(name));
    let start = Instant::now();
    let expected = complete(train(&calm, 2), &calm);
    let whole = start.elapsed().as_secs_f64();
    assert_eq!(expected.results.len(), 5);
    let same = |found: Left| {
        assert_eq!(found.printed, expected.printed);
        assert_eq!(found.results, expected.results);
        assert_eq!(found.names, expected.names);
        assert!(found.models == expected.models, "the weights differ");
    };
    let (mut rng, mut killed) = (SplitMix64::new(1), 0);
    while killed < kills {
        // The number of threads changes nothing, either.
        let command = train(&disturbed, 1 + rng.below(3) as usize);
        if is_killed(command, whole, &mut rng) {
            killed += 1;
        } else {
            same(complete(train(&disturbed, 2), &disturbed));
            fs::remove_dir_all(&disturbed).unwrap();
        }
    }
    same(complete(train(&disturbed, 1), &disturbed));
}
