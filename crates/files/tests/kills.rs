//! Real processes that are killed while they write.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use selvedge_files::{FolderLock, Output, OutputError, clean};

/// Names the folder in which a process of these tests writes until it is killed.
const FOLDER: &str = "SELVEDGE_TEST_FOLDER";
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Not a test by itself: what the processes do that the others start.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let output = Output::new(&folder).unwrap();
    for round in 0_u64.. {
        let text = format!("{} {round}", std::process::id());
        let all = |new: &Output| -> Result<(), OutputError> {
            // Every other round has fewer files.
            let names = &NAMES[..NAMES.len() - (round % 2) as usize];
            names.iter().try_for_each(|name| new.write(name, &text))
        };
        output.replace(&NAMES, all).unwrap();
        output.write("single", &text.repeat(1000)).unwrap();
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Asserts that the files of the set are all of one round, and that nothing else is there.
#[track_caller]
fn assert_whole(folder: &Path) {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let first = read("a");
    let round = first.as_ref().map(|text| text.split(' ').nth(1).unwrap().parse::<u64>().unwrap());
    for (i, name) in NAMES.iter().enumerate() {
        let is_written = i + 1 < NAMES.len() || round.is_some_and(|round| round % 2 == 0);
        assert_eq!(read(name), first.clone().filter(|_| is_written), "{name} is of another round");
    }
    if let Some(single) = read("single") {
        let (text, times) = (&single[..single.len() / 1000], 1000);
        assert_eq!(text.repeat(times), single, "it is not whole");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(NAMES.contains(&name.as_str()) || name == "single", "{name} is left");
    }
}

#[test]
fn after_a_kill_at_any_moment_all_files_are_of_one_round() {
    let folder = tempfile::tempdir().unwrap();
    for kill in 0..60 {
        let mut child = start(folder.path());
        wait_for(&mut child, folder.path());
        // Some moment of the rounds that follow; which one does not matter for the outcome.
        std::thread::sleep(Duration::from_micros(997 * (kill * 37 % 30)));
        child.kill().unwrap();
        child.wait().unwrap();
        clean(folder.path());
        assert_whole(folder.path());
    }
}

/// Waits until the process has written.
fn wait_for(child: &mut Child, folder: &Path) {
    let process = format!("{} ", child.id());
    let wrote = || std::fs::read_to_string(folder.join("a")).is_ok_and(|a| a.starts_with(&process));
    while !wrote() {
        assert!(child.try_wait().unwrap().is_none(), "it failed");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn two_processes_do_not_mix_their_files_even_if_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    for kill in 0..10 {
        let mut children = [start(folder.path()), start(folder.path())];
        for child in &mut children {
            wait_for(child, folder.path());
        }
        std::thread::sleep(Duration::from_millis(3 * kill));
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
            // The other one is still writing.
            clean(folder.path());
        }
        clean(folder.path());
        assert_whole(folder.path());
    }
}

#[test]
fn what_a_living_process_is_writing_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = start(folder.path());
    for _ in 0..2000 {
        clean(folder.path());
        assert!(child.try_wait().unwrap().is_none(), "it failed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_lock_of_a_killed_process_is_free_and_that_of_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join(".lock");
    // `flock` of util-linux would do; this needs nothing but the crate.
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let written = || std::fs::read_to_string(&lock).is_ok_and(|text| text.ends_with('\n'));
    while !written() {
        assert!(child.try_wait().unwrap().is_none(), "it failed");
        std::thread::sleep(Duration::from_millis(1));
    }
    let error = FolderLock::acquire(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(&format!("process {} is writing to it", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lock.exists(), "it was killed before it could remove the file");
    FolderLock::acquire(folder.path()).unwrap();
}

/// Not a test by itself: holds the lock until it is killed.
#[test]
fn holder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let _lock = FolderLock::acquire(folder).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}
