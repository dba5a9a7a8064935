use super::study::TransferOutcome;
#[cfg(feature = "plot")]
use super::{Init, percent};
use crate::TrainError;
use crate::output::Output;

/// All that a study may leave; the results come last, so that they are there only with the rest.
const FILES: [&str; 8] = [
    "curve.csv",
    "curve.png",
    "history.png",
    "confusion.png",
    "pretrained.safetensors",
    "random.safetensors",
    "transferred.safetensors",
    "results.json",
];

impl TransferOutcome {
    /// Writes what the study found: `results.json`, `curve.csv` and the models as safetensors; with
    /// the feature `plot` also `curve.png`, `history.png` and `confusion.png`. The files replace those
    /// of an earlier study together, once all of them are whole; what this study does not have, such
    /// as the model of a run that never ended, is removed.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if a file cannot be written.
    pub fn write(&self, output: &Output) -> Result<(), TrainError> {
        output.replace(&FILES, |output| self.write_files(output))
    }

    fn write_files(&self, output: &Output) -> Result<(), TrainError> {
        output.write_json("results.json", &self.results)?;
        output.write("curve.csv", &self.results.to_csv())?;
        self.pretrained.save_safetensors(output.path("pretrained.safetensors"))?;
        for run in &self.finals {
            let name = format!("{}.safetensors", run.init.name());
            run.model.save_safetensors(output.path(&name))?;
        }
        #[cfg(feature = "plot")]
        self.draw(output)?;
        Ok(())
    }

    #[cfg(feature = "plot")]
    fn draw(&self, output: &Output) -> Result<(), TrainError> {
        use crate::{History, plot};

        let results = &self.results;
        let series: Vec<_> = [Init::Random, Init::Transferred].map(|init| self.series(init)).into();
        let seeds = match results.seeds.len() {
            1 => "one seed".to_string(),
            n => format!("mean and standard deviation over {n} seeds from one pre-trained network"),
        };
        let subtitle = format!("test images of {}; {seeds}", results.target);
        plot::curve(&output.path("curve.png"), &results.answer(), Some(&subtitle), &series)?;

        let source = format!("{} (pre-training)", results.pretrain.dataset);
        let pretraining = History { epochs: results.pretrain.epochs.clone() };
        let mut runs = vec![(source, &pretraining)];
        for run in &self.finals {
            let share = percent(run.fraction);
            runs.push((
                format!("{share} of {}, {}", results.target, run.init.name()),
                &run.history,
            ));
        }
        let runs: Vec<_> = runs.iter().map(|(name, history)| (name.as_str(), *history)).collect();
        let title = "How fast does each run learn? Training and validation, epoch by epoch";
        plot::history(&output.path("history.png"), title, &runs)?;

        if let Some(run) = self.final_run(Init::Transferred) {
            let confusion = &run.test.confusion;
            let title = format!(
                "Which classes of {} are taken for one another? {:.2} % of {} test images are right",
                results.target,
                100.0 * confusion.accuracy(),
                confusion.total()
            );
            plot::confusion(&output.path("confusion.png"), &title, confusion)?;
        }
        Ok(())
    }

    #[cfg(feature = "plot")]
    fn series(&self, init: Init) -> crate::plot::CurveSeries {
        let results = &self.results;
        let rows = results.rows().into_iter();
        let points = rows.map(|row| crate::plot::CurvePoint {
            fraction: row.fraction,
            values: results.points(row.fraction, init).map(|p| p.test).collect(),
        });
        let label = match init {
            Init::Random => "random weights".to_string(),
            Init::Transferred => format!("weights of {}", results.pretrain.dataset),
        };
        crate::plot::CurveSeries {
            label,
            points: points.filter(|p| !p.values.is_empty()).collect(),
        }
    }
}
