//! What a run measures within its epochs, as a table that grows with the run.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use selvedge_train::{
    Observer, ObserverError, Progress, RunStarted, Score, StepDone, StepInterval,
};

/// The file in the folder of a run.
const FILE: &str = "steps.csv";

/// Keeps what a run measures after every so many steps: `steps.csv` in its folder, one run at a time.
///
/// A line has the step, the training images seen since the run began, and what was measured since the line
/// before it or since the epoch began, while the weights changed. A run that goes on from a checkpoint
/// continues the table there, with the same lines but for one: the first measures from the checkpoint on.
///
/// ```
/// use selvedge_report::StepLog;
///
/// // A line every 20 steps, which standard error gets, too.
/// let observer = StepLog::every(20).with_messages(true);
/// # let _ = observer;
/// ```
#[derive(Debug)]
pub struct StepLog {
    every: usize,
    is_shown: bool,
    file: Option<File>,
}

/// The table of a [`StepLog`] cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepLogError {
    /// There is none, or it cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no table of these values.
    #[error("{}: line {line}: expected {expected}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What should stand there.
        expected: String,
    },
}

impl StepLog {
    /// A line after every so many steps of the optimizer; 0 counts as 1.
    pub fn every(steps: usize) -> Self {
        Self { every: steps.max(1), is_shown: false, file: None }
    }

    /// The same, with or without a line on standard error as often: without, unless it is said.
    #[must_use]
    pub fn with_messages(self, is_shown: bool) -> Self {
        Self { is_shown, ..self }
    }

    /// What was measured in the run of that folder: the training images seen, and the values there.
    ///
    /// # Errors
    ///
    /// [`StepLogError`] if there is no table in the folder, or one of other values.
    pub fn read<S: Score>(folder: impl AsRef<Path>) -> Result<Vec<(usize, S)>, StepLogError> {
        let path = folder.as_ref().join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return Err(StepLogError::Read { path, error }),
        };
        let mut lines = text.lines();
        let header = header(S::COLUMNS);
        if lines.next() != Some(header.trim_end()) {
            return Err(StepLogError::Line { path, line: 1, expected: header.trim_end().into() });
        }
        let read = |(i, line): (usize, &str)| {
            let (_, images, values) = fields(line, S::COLUMNS.len()).ok_or_else(|| {
                let expected = format!("{} numbers", 2 + S::COLUMNS.len());
                StepLogError::Line { path: path.clone(), line: i + 2, expected }
            })?;
            Ok((images, S::from_values(&values)))
        };
        lines.enumerate().map(read).collect()
    }
}

fn header(columns: &[&str]) -> String {
    format!("step,images,{}\n", columns.join(","))
}

/// Step, images and so many values.
fn fields(line: &str, columns: usize) -> Option<(usize, usize, Vec<f64>)> {
    let mut fields = line.split(',');
    let (step, images) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let values: Vec<f64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    (values.len() == columns).then_some((step, images, values))
}

/// The lines of a table up to a step, with the header; the header alone of another table. A last line without
/// its end is one that was being written when the machine went down.
fn kept(table: &str, columns: &[&str], step: usize) -> String {
    let header = header(columns);
    let Some(lines) = table.strip_prefix(&header) else { return header };
    let whole = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let is_kept = |line: &&str| {
        fields(line.trim_end(), columns.len()).is_some_and(|(found, ..)| found <= step)
    };
    header + &whole.take_while(is_kept).collect::<String>()
}

impl Observer for StepLog {
    fn interval(&self) -> StepInterval {
        StepInterval::Steps(self.every)
    }

    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        self.file = None;
        let Some(folder) = run.folder else { return Ok(()) };
        let path = folder.join(FILE);
        let before = match run.step {
            0 => String::new(),
            _ => std::fs::read_to_string(&path).unwrap_or_default(),
        };
        let named = |error: io::Error| format!("cannot write {}: {error}", path.display());
        selvedge_files::write(&path, kept(&before, run.columns, run.step)).map_err(named)?;
        self.file = Some(OpenOptions::new().append(true).open(&path).map_err(named)?);
        Ok(())
    }

    fn step(&mut self, done: &StepDone<'_>) -> Result<(), ObserverError> {
        if self.is_shown {
            let shown = |(name, value): (&&str, &f64)| format!("{name} {value:.4}");
            let values: Vec<_> = done.columns.iter().zip(done.recent).map(shown).collect();
            let share = 100.0 * done.images as f64 / done.images_of.max(1) as f64;
            Progress::message(&format!(
                "epoch {}/{}: {}/{} images ({share:.0} %) · {}",
                done.epoch,
                done.epochs,
                done.images,
                done.images_of,
                values.join(" · ")
            ));
        }
        if let Some(file) = &mut self.file {
            let images = (done.epoch - 1) * done.images_of + done.images;
            let values: Vec<_> = done.recent.iter().map(|value| format!("{value:.6}")).collect();
            let line = format!("{},{images},{}\n", done.step, values.join(","));
            file.write_all(line.as_bytes())
                .map_err(|error| format!("cannot write {FILE} of the run: {error}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use selvedge_train::{Metrics, Reconstruction};

    use super::*;

    fn start(log: &mut StepLog, folder: &Path, step: usize) {
        let run = RunStarted {
            label: "run",
            model: "model",
            layers: None,
            epochs: 2,
            images: 100,
            batches: 10,
            columns: Metrics::COLUMNS,
            rows: &[],
            step,
            batch: 0,
            folder: Some(folder),
            config: "",
            settings: &[],
        };
        log.run_started(&run).unwrap();
    }

    /// A step of a run of two epochs of ten batches of ten images.
    fn done(log: &mut StepLog, step: usize) {
        let (epoch, batch) = ((step - 1) / 10 + 1, (step - 1) % 10 + 1);
        let step_done = StepDone {
            epoch,
            epochs: 2,
            step,
            batch,
            images: 10 * batch,
            images_of: 100,
            columns: Metrics::COLUMNS,
            recent: &[1.0 / step as f64, 0.5, 0.25],
            so_far: &[9.0, 9.0, 9.0],
            text: "",
            learning_rate: 0.1,
            images_per_second: 1.0,
            seconds_left: 1.0,
        };
        log.step(&step_done).unwrap();
    }

    fn table(folder: &Path) -> String {
        std::fs::read_to_string(folder.join(FILE)).unwrap()
    }

    #[test]
    fn images_are_counted_since_the_run_began() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = StepLog::every(5);
        assert_eq!(log.interval(), StepInterval::Steps(5));
        start(&mut log, folder.path(), 0);
        for step in [5, 10, 15] {
            done(&mut log, step);
        }
        let at = |loss| Metrics { loss, accuracy: 0.5, macro_f1: 0.25 };
        let found = StepLog::read::<Metrics>(folder.path()).unwrap();
        assert_eq!(found, [(50, at(0.2)), (100, at(0.1)), (150, at(0.066667))]);
        assert!(table(folder.path()).starts_with("step,images,loss,accuracy,macro_f1\n5,50,0.2"));
    }

    #[test]
    fn a_run_that_goes_on_from_a_checkpoint_has_the_table_of_one_that_nobody_disturbed() {
        let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let mut log = StepLog::every(3);
        start(&mut log, whole.path(), 0);
        [3, 6, 9, 12].into_iter().for_each(|step| done(&mut log, step));

        start(&mut log, killed.path(), 0);
        [3, 6, 9].into_iter().for_each(|step| done(&mut log, step));
        // Killed while it wrote a line; the last checkpoint is that of step 8.
        let file = OpenOptions::new().append(true).open(killed.path().join(FILE));
        file.unwrap().write_all(b"12,1").unwrap();
        start(&mut log, killed.path(), 8);
        assert_eq!(table(killed.path()).lines().count(), 3);
        [9, 12].into_iter().for_each(|step| done(&mut log, step));
        assert_eq!(table(killed.path()), table(whole.path()));
        // Another run in the same place begins anew.
        start(&mut log, killed.path(), 0);
        assert_eq!(table(killed.path()), "step,images,loss,accuracy,macro_f1\n");
    }

    #[test]
    fn a_table_of_other_values_is_refused_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let message = |folder: &Path| {
            let error = StepLog::read::<Reconstruction>(folder).unwrap_err().to_string();
            error.strip_prefix(&format!("{}: ", folder.join(FILE).display())).unwrap().to_owned()
        };
        assert!(message(folder.path()).contains("No such file"));
        std::fs::write(folder.path().join(FILE), "step,images,accuracy\n").unwrap();
        assert_eq!(message(folder.path()), "line 1: expected step,images,loss");
        for wrong in ["1,2", "1,2,x", "1,2,3,4", "-1,2,3", ""] {
            let text = format!("step,images,loss\n1,10,0.5\n{wrong}\n");
            std::fs::write(folder.path().join(FILE), text).unwrap();
            assert_eq!(message(folder.path()), "line 3: expected 3 numbers", "{wrong:?}");
        }
    }

    #[test]
    fn a_run_without_a_folder_has_no_table() {
        let mut log = StepLog::every(0);
        assert_eq!(log.interval(), StepInterval::Steps(1));
        done(&mut log, 1);
        assert!(log.file.is_none());
    }
}
