//! Eight processes that work on one study and are killed at random moments: every trial is once in the table, and the
//! table is that of a study that nobody disturbed.
//!
//! `SELVEDGE_KILLS=1000 cargo test --test study_kill` kills a thousand of them.

#[path = "common/example.rs"]
mod example;
#[path = "common/kill.rs"]
mod kill;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use image::GrayImage;
use selvedge::data::SplitMix64;

use kill::{is_killed, kills};

/// How many processes are killed, unless it is said otherwise.
const KILLS: u32 = 32;
/// The processes at the same time.
const PROCESSES: u64 = 8;
/// The trials: six variants of the second training and two seeds, and a pre-training a seed.
const TRIALS: usize = 6 * 2 + 2;

/// Two classes of small pictures, and a study of them.
fn make(folder: &Path) {
    let mut rng = SplitMix64::new(3);
    for class in ["left", "right"] {
        let images = folder.join("images").join(class);
        fs::create_dir_all(&images).unwrap();
        for i in 0..30 {
            let pixel = |x: u32| if (x < 4) == (class == "left") { 60.0 } else { 0.0 };
            let image = GrayImage::from_fn(8, 8, |x, _| {
                image::Luma([(pixel(x) + 150.0 * rng.unit()) as u8])
            });
            image.save(images.join(format!("{i}.png"))).unwrap();
        }
    }
    let data = "dataset = { folder = \"images\", image_size = 8, channels = 1 }\nbatch_size = 4\n\
                model = { name = \"mlp\", hidden = [16, 8] }\n";
    let text = format!(
        "[study]\nquestion = \"Which rate?\"\nseeds = 2\n[base]\n{data}epochs = 12\n\
         [base.pretrain]\n{data}epochs = 4\n\
         [vary]\nlearning_rate = [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]\n"
    );
    fs::write(folder.join("study.toml"), text).unwrap();
}

/// A process that works on the study in `folder`, with the finished trials in its `store`.
fn process(folder: &Path, store: &str, output: &str) -> Command {
    let mut command = Command::new(example::program("study"));
    command.current_dir(folder).env("RAYON_NUM_THREADS", "1");
    command.args(["study.toml", "--device=flex", "--store", store, "--output-dir", output]);
    command
}

/// The trials of a study that has come to its end, but for their seconds.
fn trials(folder: &Path, output: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(output).join("trials.csv")).unwrap();
    let without_seconds = |line: &str| {
        let mut fields: Vec<&str> = line.split(',').collect();
        fields.remove(fields.len() - 2);
        fields.join(",")
    };
    text.lines().map(without_seconds).collect()
}

fn complete(folder: &Path, store: &str, output: &str) -> Vec<String> {
    let found = process(folder, store, output).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    trials(folder, output)
}

#[test]
fn killed_processes_lose_nothing_and_do_nothing_twice() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    make(folder);
    let start = Instant::now();
    let expected = complete(folder, "calm", "calm_output");
    let whole = start.elapsed().as_secs_f64();
    assert_eq!(expected.len(), 1 + 12);

    let kills = kills(KILLS);
    let mut killed = 0;
    // A study that has come to its end before its processes were killed shows nothing: another store, then.
    for round in 0.. {
        assert!(round < 20, "{killed} of {kills} in a round were killed before their end");
        let store = format!("shared{round}");
        killed += kill_some(folder, &store, kills, whole);
        check_end(folder, &store, &expected);
        if killed > kills / 4 {
            break;
        }
    }
}

/// Lets processes work on a store and kills them, each within as long as a calm one takes. How many were killed.
fn kill_some(folder: &Path, store: &str, kills: u32, whole: f64) -> u32 {
    std::thread::scope(|scope| {
        let killers: Vec<_> = (0..PROCESSES)
            .map(|i| {
                scope.spawn(move || {
                    let (mut rng, mut killed) = (SplitMix64::new(i), 0);
                    for _ in 0..kills.div_ceil(PROCESSES as u32) {
                        let command = process(folder, store, &format!("output{i}"));
                        killed += u32::from(is_killed(command, whole, &mut rng));
                    }
                    killed
                })
            })
            .collect();
        killers.into_iter().map(|killer| killer.join().unwrap()).sum::<u32>()
    })
}

/// The last processes, at the same time, and nobody disturbs them: each ends in the table of a calm one.
fn check_end(folder: &Path, store: &str, expected: &[String]) {
    let last: Vec<_> = (0..PROCESSES)
        .map(|i| {
            let mut command = process(folder, store, &format!("output{i}"));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in last {
        assert!(child.wait().unwrap().success());
    }
    let tables: BTreeSet<_> =
        (0..PROCESSES).map(|i| trials(folder, &format!("output{i}"))).collect();
    assert_eq!(tables, BTreeSet::from([expected.to_vec()]));
    let names = |part: &str| fs::read_dir(folder.join(store).join(part)).map_or(0, Iterator::count);
    assert_eq!(names("trials"), TRIALS);
    assert_eq!(names("leases"), 0, "nothing is claimed any more");
}
