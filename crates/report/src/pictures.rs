use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use selvedge_train::{EpochDone, EpochRow, Observer, ObserverError, RunEnded, RunStarted};

use crate::plot::{self, PlotError};

/// The share of a run's time that drawing may take.
const SHARE: u32 = 20;

/// Draws a run as it goes: `results.svg` and `results.png` in its folder, one run at a time.
///
/// They are drawn after the first epoch, at the end, and after every epoch between, as long as that
/// takes less than a twentieth of the time; and of a run that was complete before, once. A picture that
/// cannot be drawn ends no run: standard error gets one line.
///
/// ```
/// use selvedge_report::Pictures;
///
/// // Into the run's own folder.
/// let observer = Pictures::new();
/// // Into another folder.
/// let elsewhere = Pictures::new().in_folder("pictures/birds");
/// ```
#[derive(Debug, Default)]
pub struct Pictures {
    folder: Option<PathBuf>,
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    folder: PathBuf,
    label: String,
    rows: Vec<EpochRow>,
    /// When the last picture was finished, and how long it took.
    drawn: Option<(Instant, Duration)>,
    failed: bool,
}

impl Pictures {
    /// Draws into the folder of the run; a run without one has no pictures.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, into this folder.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }
}

impl Observer for Pictures {
    fn run_started(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        self.run = self.folder.as_deref().or(run.folder).map(|folder| Run::new(folder, run));
        Ok(())
    }

    /// Draws them once more: it may have been killed before it had drawn the last epoch.
    fn run_found_complete(&mut self, run: &RunStarted<'_>) -> Result<(), ObserverError> {
        if let Some(folder) = self.folder.as_deref().or(run.folder) {
            Run::new(folder, run).draw();
        }
        Ok(())
    }

    fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
        if let Some(run) = &mut self.run {
            run.rows.push(done.row.clone());
            run.draw_if_it_takes_little();
        }
        Ok(())
    }

    fn run_ended(&mut self, end: &RunEnded<'_>) -> Result<(), ObserverError> {
        if let Some(mut run) = self.run.take().filter(|_| !end.rows.is_empty()) {
            run.rows = end.rows.to_vec();
            run.draw();
        }
        Ok(())
    }
}

impl Run {
    fn new(folder: &Path, run: &RunStarted<'_>) -> Self {
        let rows = run.rows.to_vec();
        Self { folder: folder.into(), label: run.label.into(), rows, drawn: None, failed: false }
    }

    fn draw_if_it_takes_little(&mut self) {
        let start = Instant::now();
        if self.drawn.is_none_or(|(end, took)| start - end >= took * SHARE) {
            self.draw();
            let end = Instant::now();
            self.drawn = Some((end, end - start));
        }
    }

    fn draw(&mut self) {
        if let Err(error) = self.save()
            && !self.failed
        {
            self.failed = true;
            // Standard error may be closed or full, which ends no run either.
            let _ = writeln!(std::io::stderr(), "warning: {error}");
        }
    }

    fn save(&self) -> Result<(), PlotError> {
        let name = Some(self.label.as_str()).filter(|label| !label.is_empty());
        plot::rows(&title(&self.rows), name, &self.rows).save_as(&self.folder, "results")
    }
}

/// The question that the picture answers, and the answer as far as it is known.
fn title(rows: &[EpochRow]) -> String {
    let mut title = "How does it learn?".to_owned();
    if let Some(best) = plot::best(rows) {
        title += &format!(" The validation loss is the lowest after epoch {}", best.epoch);
        if let Some(accuracy) = best.validation_value("accuracy") {
            title += &format!(", with {:.2} % right", 100.0 * accuracy);
        }
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_has_the_epoch_of_lowest_validation_loss_and_what_was_right_then() {
        let row = |epoch, loss, accuracy| EpochRow {
            columns: &["loss", "accuracy"],
            epoch,
            train: vec![1.0, 0.5],
            validation: Some(vec![loss, accuracy]),
            learning_rate: 0.1,
            seconds: 1.0,
        };
        let rows = [row(1, 0.9, 0.7), row(2, 0.5, 0.8125), row(3, 0.6, 0.9)];
        let found = "How does it learn? The validation loss is the lowest after epoch 2, with 81.25 % right";
        assert_eq!(title(&rows), found);
        let not_validated = rows.map(|row| EpochRow { validation: None, ..row });
        assert_eq!(title(&not_validated), "How does it learn?");
        assert_eq!(title(&[]), "How does it learn?");
    }
}
