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
//!         cli::print(&format!("on {device_name}, {:?}\n", context.progress))?;
//!         Ok(())
//!     })
//! }
//! ```

mod augmentation;
mod emit;
mod fine_tuning;
mod fit;
#[cfg(feature = "images")]
mod images;
#[cfg(feature = "plot")]
mod look;
mod memory;
mod network;
#[cfg(feature = "images")]
mod predictions;
mod run_folder;
mod settings;
mod signals;
mod store;
mod threads;
mod training;

pub use augmentation::AugmentationArgs;
pub use emit::{EmitArgs, Engine};
pub use fine_tuning::{FineTuneArgs, Pretrained, PretrainedArgs};
pub use fit::FitArgs;
#[cfg(feature = "images")]
pub use images::{ChosenImages, ImageArgs, ImageNormalization, ResizeMode};
#[cfg(feature = "plot")]
pub use look::{LookArgs, MapChannels};
pub use memory::MemoryArgs;
pub use network::{Channels, NetworkArgs, WeightArgs, WeightFormat, non_finite};
#[cfg(feature = "images")]
pub use predictions::{PredictionArgs, PredictionFormat, predict_files, read_images};
pub use run_folder::{RunArgs, RunFolderArgs, ended};
pub use settings::{Classes, DataArgs, Fraction, Normalization, QuickArgs};
pub use store::StoreArgs;
pub use training::{LossArgs, LrScheduler, Opt, TrainingArgs};

use std::error::Error;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge_data::{DataError, DataErrorKind, Source};
use selvedge_study::StudyError;
use selvedge_train::{Context, Progress, TrainError};

use crate::device;

/// Arguments of every program that trains or measures.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Where to compute: flex and ndarray are CPUs, wgpu and cuda are GPUs; auto takes the first
    /// that works of cuda, wgpu, flex and ndarray; several share each step, as cuda:0,cuda:1
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// Folder that holds the data set, and no other [default: $SELVEDGE_DATA, else datasets/ here
    /// or above, the user's cache folder, Debian's package, a download]
    #[arg(long, value_name = "FOLDER")]
    pub data_path: Option<PathBuf>,
}

impl Common {
    /// Where the data set is looked for: the folder that was given and no other, or everywhere. What
    /// ends a run, as [`context`](Self::context) says, ends a download too.
    pub fn source(&self) -> Source {
        let source = match &self.data_path {
            Some(folder) => Source::folder(folder),
            None => Source::default(),
        };
        interruptible(source)
    }

    /// Opens the device, shows progress under `label`, and lets Ctrl-C, SIGTERM and SIGHUP end the run
    /// with what is there; a second one ends the program. A signal that the program was started to
    /// ignore, as SIGHUP by `nohup`, stays ignored. Also gives the name of the device.
    ///
    /// # Errors
    ///
    /// If the device cannot be opened, see [`device::open`], or signals cannot be caught.
    pub fn context(&self, label: &str) -> Result<(Context, &'static str), crate::Error> {
        let (devices, name) = device::open_all(&self.device)?;
        let stop = signals::catch()
            .map_err(|error| crate::Error::Terminal(format!("Ctrl-C cannot be caught: {error}")))?;
        let context = Context::new(&devices[0]).with_others(&devices[1..]);
        Ok((context.with_progress(Progress::auto(label)).with_stop(stop), name))
    }
}

/// The same places, from which a download ends with what ends the run.
fn interruptible(source: Source) -> Source {
    let stop = signals::stop();
    source.with_interrupt(move || stop.is_requested())
}

/// Arguments of every study.
#[derive(Clone, Debug, clap::Args)]
pub struct StudyArgs {
    /// Where it runs, and on what.
    #[command(flatten)]
    pub common: Common,
    /// Number of seeds: fewer than 6 can show nothing [default: 7; 1 with --quick and --full]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: Option<u64>,
    /// The first seed; the others follow it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=MOST_SEED))]
    pub seed: u64,
    /// How many runs at the same time.
    #[command(flatten)]
    pub jobs: JobArgs,
}

/// Arguments of programs whose runs can happen at the same time.
#[derive(Clone, Debug, clap::Args)]
pub struct JobArgs {
    /// Runs of a study at the same time; on a CPU no figure depends on it [default: one for each thread
    /// of a CPU; 1 on a GPU]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    pub jobs: Option<NonZeroUsize>,
}

impl JobArgs {
    /// As [`Common::context`], for so many runs at the same time.
    ///
    /// # Errors
    ///
    /// As [`Common::context`], if several devices were asked for, or if the threads for so many runs cannot be had.
    pub fn context(
        &self,
        common: &Common,
        label: &str,
    ) -> Result<(Context, &'static str), crate::Error> {
        let (context, name) = common.context(label)?;
        if !context.others.is_empty() {
            let reason =
                "runs of a study do not share devices; start a study on each, with one store";
            return Err(crate::Error::Terminal(format!("{}: {reason}", common.device)));
        }
        let jobs = match (self.jobs, name) {
            (Some(jobs), _) => jobs.get(),
            (None, name) if device::is_cpu(name) => rayon::current_num_threads(),
            (None, _) => 1,
        };
        threads::try_threads(jobs).map_err(crate::Error::Terminal)?;
        Ok((context.with_jobs(jobs), name))
    }
}

/// Reads a number that is not 0, for arguments of programs.
///
/// # Errors
///
/// What was expected, if `text` is none.
pub fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "expected a whole number of at least 1")
}

/// Settings are kept as TOML, whose integers have 63 bits.
const MOST_SEED: u64 = i64::MAX as u64 - 1000;

impl StudyArgs {
    /// The seeds: as many as were given, or else as `usual` has.
    pub fn seeds(&self, usual: &[u64]) -> Vec<u64> {
        let number = self.seeds.unwrap_or(usual.len() as u64);
        (self.seed..self.seed + number).collect()
    }

    /// As [`JobArgs::context`].
    ///
    /// # Errors
    ///
    /// As [`JobArgs::context`].
    pub fn context(&self, label: &str) -> Result<(Context, &'static str), crate::Error> {
        self.jobs.context(&self.common, label)
    }
}

/// A run that Ctrl-C or another signal ended early, after what there was had been written. [`run`] gives
/// it the exit status 130, or that of the signal: 128 and its number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped early: {0}")]
pub struct Stopped(pub String);

/// A run that came to its end without what it was for, such as one that diverged, after what there was had
/// been written. [`run`] gives it the exit status 1.
///
/// ```
/// use selvedge::cli;
///
/// fn end(diverged: bool) -> Result<(), Box<dyn std::error::Error>> {
///     match diverged {
///         true => Err(cli::Failed("the loss was not finite in epoch 5; the best model is kept".into()).into()),
///         false => Ok(()),
///     }
/// }
/// # assert!(end(true).is_err() && end(false).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// Writes to standard output. A reader that has gone away, such as `head`, is no error.
///
/// # Errors
///
/// [`Terminal`](crate::Error::Terminal) if standard output cannot be written to for another reason.
pub fn print(text: &str) -> Result<(), crate::Error> {
    print_to_reader(text).map(drop)
}

/// As [`print`]; also says whether the reader is still there.
pub(crate) fn print_to_reader(text: &str) -> Result<bool, crate::Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            Err(crate::Error::Terminal(format!("cannot write to standard output: {error}")))
        }
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

/// Parses the arguments and runs the program. An error becomes one line on standard error, if that can be
/// written to, and an exit status:
///
/// | status | for |
/// |---|---|
/// | 0 | all went well |
/// | 1 | an error, [`Failed`] among them |
/// | 2 | a wrong argument; the line says what was expected |
/// | 130, 143, 129 | a run that Ctrl-C, SIGTERM or SIGHUP ended, in its first epoch or later: [`Stopped`], [`TrainError::Stopped`], an interrupted download |
///
/// The calling thread becomes one of rayon's global pool, which has as many threads as the machine has
/// cores or `RAYON_NUM_THREADS` says, if that is not far more. While it waits for a thread of its own, the
/// pool has one fewer.
pub fn run<A: Parser>(main: impl FnOnce(A) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            Progress::message(&one_line(&error.to_string()));
            return ExitCode::from(2);
        }
        Err(help) => {
            return match print(&help.to_string()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            };
        }
    };
    match threads::start_pool() {
        Ok(note) => _ = note.inspect(|note| Progress::message(note)),
        Err(error) => return fail(&Failed(error)),
    }
    match main(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    Progress::message(&format!("error: {}", one_line(&error.to_string())));
    match is_stop(error) {
        true => ExitCode::from(signals::status()),
        false => ExitCode::FAILURE,
    }
}

/// Whether the error says only that the program was asked to stop.
fn is_stop(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<crate::Error>() {
        return match error {
            crate::Error::Data(error) => is_stop(error),
            crate::Error::Train(error) => is_stop(&**error),
            crate::Error::Study(error) => is_stop(&**error),
            _ => false,
        };
    }
    if let Some(error) = error.downcast_ref::<StudyError>() {
        return match error {
            StudyError::Data(error) => is_stop(error),
            StudyError::Train(error) => is_stop(error),
            _ => false,
        };
    }
    #[cfg(feature = "plot")]
    if let Some(error) = error.downcast_ref() {
        use selvedge_report::looking::LookError;
        return match error {
            LookError::Stopped => true,
            LookError::Train(error) => is_stop(&**error),
            _ => false,
        };
    }
    if let Some(error) = error.downcast_ref::<TrainError>() {
        return match error {
            TrainError::Stopped { .. } => true,
            TrainError::Data(error) => is_stop(error),
            _ => false,
        };
    }
    let data = error.downcast_ref::<DataError>();
    error.is::<Stopped>() || data.is_some_and(|error| error.kind() == DataErrorKind::Interrupted)
}

/// A name of a file, or in one, without what would steer a terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
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
    fn a_stop_is_known_however_often_it_was_passed_on() {
        let stopped = || TrainError::Stopped { what: "the run".into() };
        let interrupted = || DataError::new(DataErrorKind::Interrupted, "stopped");
        let stops: [Box<dyn Error>; 7] = [
            Box::new(Stopped("x".into())),
            Box::new(stopped()),
            Box::new(StudyError::from(stopped())),
            Box::new(crate::Error::from(StudyError::from(stopped()))),
            Box::new(crate::Error::from(stopped())),
            Box::new(interrupted()),
            Box::new(crate::Error::from(StudyError::from(TrainError::from(interrupted())))),
        ];
        assert!(stops.iter().all(|error| is_stop(&**error)));
        #[cfg(feature = "plot")]
        assert!(is_stop(&selvedge_report::looking::LookError::Stopped));
        let others: [Box<dyn Error>; 3] = [
            Box::new(Failed("x".into())),
            Box::new(crate::Error::from(TrainError::NothingToTrain)),
            Box::new(DataError::other("x")),
        ];
        assert!(!others.iter().any(|error| is_stop(&**error)));
    }

    #[test]
    fn an_unknown_device_is_an_error_and_not_a_panic() {
        let args = Args::parse_from(["x", "--device", "abacus"]);
        let message = args.common.context("x").unwrap_err().to_string();
        assert!(message.starts_with("unknown device `abacus`"), "{message}");
    }
}
