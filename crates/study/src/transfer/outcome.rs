//! What a study leaves behind.

use std::path::PathBuf;

use selvedge_models::Bundle;
use selvedge_train::{Evaluation, History};

use super::report;
use super::store::Store;
use super::{Start, TransferResults};
use crate::StudyError;

/// What a study leaves behind: the figures, and what is drawn and kept. The folder of a study that was
/// run in one belongs to this process as long as this is there.
#[derive(Debug)]
pub struct TransferOutcome {
    /// The figures.
    pub results: TransferResults,
    /// The model that was trained on the source task with the first seed; `None` if it was stopped.
    pub pretrained: Option<Bundle>,
    /// Of each start, the run of the largest fraction and the first seed that is complete.
    pub finals: Vec<FinalRun>,
    /// Files of trials that were damaged; the trials were done again.
    pub damaged: Vec<PathBuf>,
    /// The first error of a file that could not be written while the study went on.
    pub unwritten: Option<StudyError>,
    pub(super) store: Option<Store>,
}

/// A run that is kept whole.
#[derive(Clone, Debug)]
pub struct FinalRun {
    /// Where it started.
    pub start: Start,
    /// Fraction of the target's training images.
    pub fraction: f64,
    /// The best epoch's model.
    pub model: Bundle,
    /// What happened, epoch by epoch.
    pub history: History,
    /// On the target's test images.
    pub test: Evaluation,
}

impl TransferOutcome {
    /// The kept run of a start, if one is complete.
    pub fn final_run(&self, start: Start) -> Option<&FinalRun> {
        self.finals.iter().find(|run| run.start == start)
    }

    /// Writes figures, pictures and models into the folder that the study was run in, as
    /// [`write`](Self::write) does, and gives the folder up. Print the figures before: here a full disk is
    /// noticed.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), or what could not be written while the study went on. What could be
    /// written is.
    pub fn finish(mut self) -> Result<(), StudyError> {
        let unwritten = self.unwritten.take();
        if let Some(store) = self.store.as_ref().filter(|_| self.anything())
            && let Err(error) = self.write(store.output())
        {
            // The figures take little room where the pictures and models do not fit.
            let _ = report::write_figures(&self.results, store.output());
            return Err(error);
        }
        unwritten.map_or(Ok(()), Err)
    }

    /// Whether there is anything to write.
    fn anything(&self) -> bool {
        let results = &self.results;
        !(results.pretrain.is_empty() && results.curve.is_empty() && results.diverged.is_empty())
    }
}
