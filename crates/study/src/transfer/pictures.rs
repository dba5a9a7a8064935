//! The pictures of a study, and what they ask and answer.

use selvedge_report::plot::{self, CurvePoint, CurveSeries, Picture, PlotError};
use selvedge_train::History;

use super::outcome::{FinalRun, TransferOutcome};
use super::{Start, percent};

impl TransferOutcome {
    /// Test loss and accuracy by the fraction of the target's images.
    pub(super) fn curve_picture(&self) -> Picture {
        let results = &self.results;
        let seeds = match results.seeds.len() {
            1 => "one seed".to_string(),
            n => format!("mean and standard deviation over {n} seeds"),
        };
        let subtitle = format!("test images of {}; {seeds}", results.target);
        let series = Start::ALL.map(|start| self.series(start));
        plot::curve(&results.answer(), Some(&subtitle), &series)
    }

    fn series(&self, start: Start) -> CurveSeries {
        let results = &self.results;
        let points = results.rows.iter().map(|row| CurvePoint {
            fraction: row.fraction,
            values: results.runs(row.fraction, start).map(|run| run.test).collect(),
        });
        let label = match start {
            Start::Random => "random weights".to_string(),
            Start::Transferred => format!("weights of {}", results.source),
        };
        CurveSeries { label, points: points.filter(|p| !p.values.is_empty()).collect() }
    }

    /// Loss and accuracy by epoch, of the first pre-training and of the runs that are kept.
    pub(super) fn history_picture(&self) -> Picture {
        let results = &self.results;
        let source = format!("{} (pre-training)", results.source);
        let first = results.pretrain.first();
        let pretraining = first.map(|first| History { epochs: first.epochs.clone() });
        let mut runs: Vec<_> =
            pretraining.iter().map(|history| (source.clone(), history)).collect();
        for run in &self.finals {
            let (share, start) = (percent(run.fraction), run.start.name());
            runs.push((format!("{share} of {}, {start}", results.target), &run.history));
        }
        let runs: Vec<_> = runs.iter().map(|(name, history)| (name.as_str(), *history)).collect();
        let title = "How fast does each run learn? Training and validation, epoch by epoch";
        plot::history(title, &runs)
    }

    /// Which of the target's classes `run` takes for which.
    pub(super) fn confusion_picture(&self, run: &FinalRun) -> Result<Picture, PlotError> {
        let confusion = &run.test.confusion;
        let title = format!(
            "Which classes of {} are taken for one another? {:.2} % of {} test images are right",
            self.results.target,
            100.0 * confusion.accuracy(),
            confusion.total()
        );
        plot::confusion(&title, confusion)
    }
}
