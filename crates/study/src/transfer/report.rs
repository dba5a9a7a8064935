use selvedge_files::Output;

use super::Start;
use super::study::TransferOutcome;
use crate::StudyError;

/// A file that a study may leave.
struct Entry<'a> {
    name: String,
    /// Writes the file of that name; of what this study does not have, there is none.
    write: Option<Write<'a>>,
}

type Write<'a> = Box<dyn Fn(&Output, &str) -> Result<(), StudyError> + 'a>;

impl TransferOutcome {
    /// Writes what the study found: `results.json`, `curve.csv` and the models as safetensors; with
    /// the feature `plot` also `curve.png`, `history.png` and `confusion.png`. The files replace those
    /// of an earlier study together, once all of them are whole; what this study does not have, such
    /// as the model of a run that never ended, is removed.
    ///
    /// # Errors
    ///
    /// [`StudyError`] if a file cannot be written.
    pub fn write(&self, output: &Output) -> Result<(), StudyError> {
        let entries = self.entries();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        output.replace(&names, |new| {
            for Entry { name, write } in &entries {
                if let Some(write) = write {
                    write(new, name)?;
                }
            }
            Ok(())
        })
    }

    /// Every file in the order in which they take their places: the results come last, so that they
    /// are there only with the rest.
    fn entries(&self) -> Vec<Entry<'_>> {
        let entry = |name: &str, write| Entry { name: name.into(), write };
        let mut entries = vec![entry(
            "curve.csv",
            some(|output, name| Ok(output.write(name, &self.results.to_csv())?)),
        )];
        entries.extend(self.pictures());
        let mut models = vec![("pretrained", Some(&self.pretrained))];
        for start in Start::ALL {
            models.push((start.name(), self.final_run(start).map(|run| &run.model)));
        }
        for (name, model) in models {
            let write = model.and_then(|model| {
                some(|output, name| Ok(model.save_safetensors(output.path(name))?))
            });
            entries.push(entry(&format!("{name}.safetensors"), write));
        }
        entries.push(entry(
            "results.json",
            some(|output, name| Ok(output.write_json(name, &self.results)?)),
        ));
        entries
    }

    fn pictures(&self) -> Vec<Entry<'_>> {
        #[cfg(feature = "plot")]
        let [curve, history, confusion] = [
            some(|output, name| self.draw_curve(&output.path(name))),
            some(|output, name| self.draw_history(&output.path(name))),
            self.final_run(Start::Transferred)
                .and_then(|run| some(|output, name| self.draw_confusion(run, &output.path(name)))),
        ];
        #[cfg(not(feature = "plot"))]
        let [curve, history, confusion] = [None, None, None];
        [("curve", curve), ("history", history), ("confusion", confusion)]
            .map(|(name, write)| Entry { name: format!("{name}.png"), write })
            .into()
    }
}

/// A closure that writes a file, boxed.
fn some<'a>(write: impl Fn(&Output, &str) -> Result<(), StudyError> + 'a) -> Option<Write<'a>> {
    Some(Box::new(write))
}
