//! What the examples do when something around them fails: signals, full disks, standard error that nobody
//! reads, too few threads. One clear line, the right exit status, nothing half-written.

// Where there are `/dev/full` and the limits that a shell sets.
#![cfg(target_os = "linux")]

#[path = "common/example.rs"]
mod example;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// The program in the root of the workspace, with signals as in a terminal.
fn example(name: &str) -> Command {
    with_signals(Command::new(example::program(name)), libc::SIG_DFL)
}

/// The example by a shell that first runs `before`, such as a limit.
fn limited(before: &str, name: &str) -> Command {
    let mut command = with_signals(Command::new("sh"), libc::SIG_DFL);
    command.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]).arg(example::program(name));
    command
}

/// Whoever runs these tests may ignore signals, which its children inherit.
fn with_signals(mut command: Command, action: libc::sighandler_t) -> Command {
    let set = move || {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: no handler of ours is involved.
            unsafe { libc::signal(signal, action) };
        }
        Ok(())
    };
    // SAFETY: `signal` may be called between fork and exec.
    unsafe { command.pre_exec(set) };
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts that it failed with this status and one line that holds all of `parts`.
#[track_caller]
fn assert_failed(output: &Output, status: i32, parts: &[&str]) {
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{errors}");
    assert!(!errors.contains("panicked") && !errors.contains(".selvedge-"), "{errors}");
    let lines = errors.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(lines, 1, "not one error: {errors}");
    for part in parts {
        assert!(errors.contains(part), "no `{part}` in: {errors}");
    }
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// `train` for very many epochs, which nobody waits for.
fn endless(out: &Path) -> Command {
    let mut command = example("train");
    command.args(["--model=mlp_relu", "--classes=fm1", "--epochs=100000", "--output-dir"]).arg(out);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The lines of standard error of a process, to be read as they come.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok)
}

/// Waits for the line of the first epoch.
fn after_an_epoch(lines: &mut impl Iterator<Item = String>) {
    lines.find(|line| line.contains("epoch 1/")).expect("it trains for an epoch");
}

#[test]
fn a_run_that_is_asked_to_stop_keeps_what_it_has_and_says_by_its_status_who_asked() {
    for (name, status, how) in [
        ("INT", 130, "press Ctrl-C again to end at once"),
        ("TERM", 143, "a second signal is there to end at once"),
        ("HUP", 129, "a second signal is there to end at once"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let mut child = endless(&out).spawn().unwrap();
        let mut lines = lines(&mut child);
        after_an_epoch(&mut lines);
        signal(&child, name);
        let rest: Vec<_> = lines.collect();
        assert_eq!(child.wait().unwrap().code(), Some(status), "{rest:?}");
        assert!(rest.iter().any(|line| line.ends_with(how)), "{rest:?}");
        assert!(rest.last().unwrap().starts_with("error: stopped early: "), "{rest:?}");
        let kept = names(&out);
        assert!(kept.contains(&"results.csv".into()), "{kept:?}");
        assert!(out.join("weights/best.safetensors").is_file(), "{kept:?}");
        assert!(!kept.iter().any(|name| name.starts_with('.')), "{kept:?}");
    }
}

#[test]
fn a_stop_before_there_is_anything_leaves_nothing_and_has_the_same_status() {
    for (name, status) in [("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/out");
        let mut child = example("transfer_learning")
            .args(["--quick", "--batch-size=16", "--output-dir"])
            .arg(&out)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The folder appears when the data is read and the handler is in place.
        while !out.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_failed(&output, status, &["stopped early: 0 of 4 runs are complete"]);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn a_second_signal_ends_at_once_and_the_status_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // One epoch that does not end: the first signal is obeyed after a batch, which may be soon.
    let mut child = endless(&folder.path().join("run")).spawn().unwrap();
    after_an_epoch(&mut lines(&mut child));
    // Standard error is closed from here on.
    signal(&child, "TERM");
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let command = endless(&folder.path().join("run"));
    // As `nohup` does, and a script for its background.
    let mut child = with_signals(command, libc::SIG_IGN).spawn().unwrap();
    let mut lines = lines(&mut child);
    after_an_epoch(&mut lines);
    for name in ["HUP", "INT"] {
        signal(&child, name);
        let goes_on = |line: &String| !line.contains("stopp");
        assert!(lines.by_ref().take(3).filter(goes_on).count() == 3, "{name} was not ignored");
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
}

/// A full disk.
fn full() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn standard_error_that_cannot_be_written_to_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The second one is a pipe that nobody reads from.
    let streams: [fn() -> Stdio; 2] = [full, || std::io::pipe().unwrap().1.into()];
    for stderr in streams {
        let status = |command: &mut Command| {
            command.stdout(Stdio::null()).stderr(stderr()).status().unwrap().code()
        };
        let out = folder.path().join("run");
        let arguments = ["--model=mlp_relu", "--classes=fm1", "--epochs=1", "--output-dir"];
        assert_eq!(status(example("train").args(arguments).arg(&out)), Some(0));
        assert_eq!(status(example("train").arg("--epochs=0")), Some(1));
        assert_eq!(status(example("train").arg("--no-such-flag")), Some(2));
    }
    // Ctrl-C with nobody to tell.
    let mut child = endless(&folder.path().join("run")).spawn().unwrap();
    after_an_epoch(&mut lines(&mut child));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_full_standard_output_is_one_line() {
    let output = example("train").arg("--help").stdout(full()).stderr(Stdio::piped()).output();
    assert_failed(&output.unwrap(), 1, &["cannot write to standard output"]);
}

#[test]
fn a_full_disk_costs_no_result_and_no_older_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let arguments = ["--model=mlp_relu", "--classes=fm1", "--epochs=1", "--output-dir"];
    let run = |command: &mut Command| command.args(arguments).arg(&out).output().unwrap();
    let first = run(&mut example("train"));
    assert!(first.status.success(), "{}", text(&first.stderr));
    let read = || {
        let weights = ["best", "last"].map(|name| format!("weights/{name}.safetensors"));
        let names = ["config.toml", "results.csv"].map(String::from).into_iter().chain(weights);
        names.map(|name| std::fs::read(out.join(name)).unwrap()).collect()
    };
    let before: Vec<Vec<u8>> = read();
    // No file may be longer than 100 KiB; the network is. Without the signal, writing fails like on a
    // full disk.
    let second = run(&mut limited("trap '' XFSZ; ulimit -f 200", "train"));
    assert_failed(&second, 1, &["File too large"]);
    let errors = text(&second.stderr);
    let checkpoints = folder.path().join("run2/checkpoints");
    let once = format!("cannot write {}: File too large", checkpoints.display());
    assert_eq!(errors.matches(&once).count(), 1, "{errors}");
    assert!(errors.contains("; the run goes on without being saved"), "{errors}");
    assert!(text(&second.stdout).contains("accuracy"), "{}", text(&second.stdout));
    assert_eq!(read(), before);
    assert!(!names(folder.path()).contains(&"run3".to_string()));
}

#[test]
fn a_folder_that_cannot_be_had_is_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "mine").unwrap();
    let out = folder.path().join("file/run");
    let output = example("train").arg("--output-dir").arg(&out).output().unwrap();
    let reason = format!("{} is a file, not a folder", folder.path().join("file").display());
    assert_failed(&output, 1, &[&format!("cannot write {}: {reason}", out.display())]);
    assert!(!text(&output.stderr).contains("epoch"));
}

#[test]
fn a_run_that_is_refused_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a/b/c");
    let arguments = ["--lr-scheduler=steplr", "--epochs=3", "--output-dir"];
    let output = example("train").args(arguments).arg(&out).output().unwrap();
    assert_failed(&output, 1, &["schedule's step size is 30"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_run_that_diverges_at_once_fails_and_keeps_no_model() {
    let folder = tempfile::tempdir().unwrap();
    // Of the second rate the loss is finite, and hopeless.
    for rate in ["--lr=1e30", "--lr=1e7"] {
        let out = folder.path().join(rate);
        let arguments = ["--opt=sgd", rate, "--epochs=1", "--classes=fm1", "--output-dir"];
        let output = example("train").args(arguments).arg(&out).output().unwrap();
        assert_failed(&output, 1, &["diverged"]);
        assert!(!out.join("weights").exists(), "{:?}", names(&out));
    }
}

#[test]
fn a_folder_that_vanishes_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = endless(&out).spawn().unwrap();
    let mut lines = lines(&mut child);
    after_an_epoch(&mut lines);
    std::fs::remove_dir_all(&out).unwrap();
    signal(&child, "TERM");
    let rest: Vec<_> = lines.collect();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:?}");
    let expected = format!("there is no folder {}", out.display());
    assert!(rest.last().unwrap().ends_with(&expected), "{rest:?}");
    // The result is not lost.
    assert!(printed.contains("test: loss"), "{printed}");
}

#[test]
fn too_many_threads_are_not_started() {
    for (wanted, note) in [
        ("1000", "RAYON_NUM_THREADS=1000 is too much for "),
        ("many", "RAYON_NUM_THREADS=many is not a number of threads; using "),
    ] {
        let mut command = example("train");
        let command = command.env("RAYON_NUM_THREADS", wanted).arg("--epochs=0");
        assert_failed(&command.output().unwrap(), 1, &[note, "epochs is 0"]);
    }
}

#[test]
fn threads_that_cannot_be_had_are_noticed_before_anything_is_read() {
    // Address space for the program, but not for the stacks of its threads.
    let mut command = limited("ulimit -v 400000", "transfer_learning");
    let output = command.env("RUST_MIN_STACK", "500000000").arg("--quick").output().unwrap();
    assert_failed(&output, 1, &["cannot start"]);
    assert!(output.stdout.is_empty());
}

#[test]
fn numbers_that_cannot_be_are_answered_in_plain_words() {
    let output = example("transfer_learning").arg("--jobs=0").output().unwrap();
    assert_failed(&output, 2, &["--jobs", "expected a whole number of at least 1"]);
}
