//! What command-line programs share: arguments for data and device, Ctrl-C, one-line errors.
//!
//! ```no_run
//! use clap::Parser;
//! use selvedge::cli;
//!
//! #[derive(Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     common: cli::Common,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     cli::run(|args: Args| {
//!         let (context, device_name) = args.common.context("training")?;
//!         eprintln!("on {device_name}, {:?}", context.progress);
//!         Ok(())
//!     })
//! }
//! ```

mod run_folder;
mod settings;

pub use run_folder::RunFolderArgs;
pub use settings::{Classes, DataArgs, Fraction, Normalization, Optimizer, TrainingArgs};

use std::error::Error;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge_data::Source;
use selvedge_train::{Context, Progress, Stop};

use crate::device;

/// Arguments of every program that trains or measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Where to compute: flex and ndarray are CPUs, wgpu and cuda are GPUs; auto takes the first
    /// that works of cuda, wgpu, flex and ndarray
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// Folder that holds the data set, and no other [default: $SELVEDGE_DATA, else datasets/ of the
    /// workspace, the user's cache folder, Debian's package, a download]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

impl Common {
    /// Where the data set is looked for: the folder that was given and no other, or everywhere.
    pub fn source(&self) -> Source {
        match &self.data_dir {
            Some(folder) => Source::folder(folder),
            None => Source::default(),
        }
    }

    /// Opens the device, shows progress under `label`, and lets Ctrl-C end the run with what is
    /// there; a second Ctrl-C ends the program. Also gives the name of the device.
    ///
    /// # Errors
    ///
    /// If the device cannot be opened, see [`device::open`], or Ctrl-C cannot be caught.
    pub fn context(&self, label: &str) -> Result<(Context, &'static str), crate::Error> {
        let (device, name) = device::open_named(&self.device)?;
        let stop = Stop::default();
        let raised = stop.clone();
        ctrlc::set_handler(move || {
            if raised.is_requested() {
                std::process::exit(130);
            }
            Progress::message("\nstopping after this batch; press Ctrl-C again to end at once");
            raised.request();
        })
        .map_err(|error| crate::Error::Terminal(format!("Ctrl-C cannot be caught: {error}")))?;
        let context = Context::new(&device).with_progress(Progress::auto(label)).with_stop(stop);
        Ok((context, name))
    }
}

/// Arguments of every study.
#[derive(Clone, Debug, clap::Args)]
pub struct StudyArgs {
    /// Where it runs, and on what.
    #[command(flatten)]
    pub common: Common,
    /// Runs of a study at the same time; on a CPU no figure depends on it [default: one for each thread
    /// of a CPU; 1 on a GPU]
    #[arg(long, value_name = "NUMBER")]
    pub jobs: Option<NonZeroUsize>,
}

impl StudyArgs {
    /// As [`Common::context`], for so many runs at the same time.
    ///
    /// # Errors
    ///
    /// As [`Common::context`].
    pub fn context(&self, label: &str) -> Result<(Context, &'static str), crate::Error> {
        let (context, name) = self.common.context(label)?;
        let jobs = match (self.jobs, name) {
            (Some(jobs), _) => jobs.get(),
            (None, "flex" | "ndarray") => rayon::current_num_threads(),
            (None, _) => 1,
        };
        Ok((context.with_jobs(jobs), name))
    }
}

/// A run that Ctrl-C ended early, after what there was had been written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped early: {0}")]
pub struct Stopped(pub String);

/// Writes to standard output. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
///
/// [`Terminal`](crate::Error::Terminal) if standard output cannot be written to for another reason.
pub fn print(text: &str) -> Result<(), crate::Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(crate::Error::Terminal(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// What `work` gives, and the shortest time in milliseconds that it took of `repeat` times, at least one.
pub fn fastest<T>(repeat: u32, work: impl Fn() -> T) -> (T, f64) {
    let timed = || {
        let start = Instant::now();
        (work(), 1e3 * start.elapsed().as_secs_f64())
    };
    (1..repeat).map(|_| timed()).fold(timed(), |a, b| if b.1 < a.1 { b } else { a })
}

/// Parses the arguments and runs the program. An error becomes one line on standard error and exit
/// status 1, or 130 if it is [`Stopped`]; a wrong argument, one line that says what was expected and
/// exit status 2.
///
/// The calling thread becomes one of rayon's global pool. While it waits for a thread of its own, the
/// pool has one fewer.
pub fn run<A: Parser>(main: impl FnOnce(A) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", one_line(&error.to_string()));
            return ExitCode::from(2);
        }
        Err(help) => {
            return match print(&help.to_string()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            };
        }
    };
    join_pool();
    match main(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// Makes this thread one of rayon's global pool, which has as many threads as without it. Else the
/// thread would go to sleep, and have to be woken up, at each of the hundred operations of a training
/// step that the pool computes. A pool of one thread is left alone: it would have no other.
fn join_pool() {
    let wanted = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok());
    let threads = match wanted {
        None | Some(0) => std::thread::available_parallelism().map_or(1, |n| n.get()),
        Some(threads) => threads,
    };
    if threads == 1 {
        return;
    }
    // It fails where a pool exists already; then that one is used.
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}

fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    eprintln!("error: {}", one_line(&error.to_string()));
    match error.is::<Stopped>() {
        true => ExitCode::from(130),
        false => ExitCode::FAILURE,
    }
}

/// The message without clap's usage and hints below it, on one line.
fn one_line(message: &str) -> String {
    let kept = message.split("\n\nUsage").next().unwrap_or(message);
    let kept = kept.split("\n\nFor more information").next().unwrap_or(kept);
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        common: Common,
    }

    #[test]
    fn a_misspelled_flag_is_answered_on_one_line_with_the_right_one() {
        let error = Args::try_parse_from(["x", "--devise", "flex"]).unwrap_err();
        let line = one_line(&error.to_string());
        assert!(line.contains("'--devise'") && line.contains("'--device'"), "{line}");
        assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
    }

    #[test]
    fn an_unknown_device_is_an_error_and_not_a_panic() {
        let args = Args::parse_from(["x", "--device", "abacus"]);
        let message = args.common.context("x").unwrap_err().to_string();
        assert!(message.starts_with("unknown device `abacus`"), "{message}");
    }
}
