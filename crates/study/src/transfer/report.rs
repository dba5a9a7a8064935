use selvedge_files::Output;

use super::outcome::TransferOutcome;
use super::{Start, TransferResults};
use crate::StudyError;

/// A file that a study may leave.
struct Entry<'a> {
    name: String,
    /// Writes the file of that name; of what this study does not have, there is none.
    write: Option<Write<'a>>,
}

type Write<'a> = Box<dyn Fn(&Output, &str) -> Result<(), StudyError> + 'a>;

impl TransferOutcome {
    /// Writes what the study found: `results.json`, `curve.csv` and the models as bundles; with
    /// the feature `plot` also the pictures `curve`, `history` and `confusion`, as SVG and as PNG. The
    /// files replace those of an earlier study together, once all of them are whole; what this study
    /// does not have, such as the model of a run that never ended, is removed.
    ///
    /// # Errors
    ///
    /// [`StudyError`] if a picture cannot be drawn or a file not be written.
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

    /// Every file, of this study or an earlier one, in the order in which they take their places: the
    /// results come last, so that they are there only with the rest.
    fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        let mut add = |name: String, write| entries.push(Entry { name, write });
        for format in ["svg", "png"] {
            for (name, write) in self.pictures() {
                add(format!("{name}.{format}"), write);
            }
        }
        let csv = boxed(|output, name| Ok(output.write(name, &self.results.to_csv())?));
        add("curve.csv".into(), csv);
        let mut models = vec![("pretrained", self.pretrained.as_ref())];
        for start in Start::ALL {
            models.push((start.name(), self.final_run(start).map(|run| &run.model)));
        }
        for (name, model) in models {
            let write =
                model.and_then(|model| boxed(|output, name| Ok(model.save(output.path(name))?)));
            add(format!("{name}.safetensors"), write);
        }
        let json = boxed(|output, name| Ok(output.write_json(name, &self.results)?));
        add("results.json".into(), json);
        entries
    }

    /// The names of the pictures without their format, and what writes each in the format of its file.
    fn pictures(&self) -> [(&'static str, Option<Write<'_>>); 3] {
        #[cfg(feature = "plot")]
        let [curve, history, confusion] = [
            boxed(|output, name| Ok(self.curve_picture().save(output.path(name))?)),
            boxed(|output, name| Ok(self.history_picture().save(output.path(name))?)),
            // The matrix of very many classes could not be read, and is not drawn.
            self.final_run(Start::Transferred).filter(|run| drawn(&run.test)).and_then(|run| {
                boxed(|output, name| Ok(self.confusion_picture(run)?.save(output.path(name))?))
            }),
        ];
        #[cfg(not(feature = "plot"))]
        let [curve, history, confusion] = [None, None, None];
        [("curve", curve), ("history", history), ("confusion", confusion)]
    }
}

/// Writes the figures of a study that goes on.
pub(super) fn write_figures(results: &TransferResults, output: &Output) -> Result<(), StudyError> {
    output.replace(&["curve.csv", "results.json"], |new| {
        new.write("curve.csv", &results.to_csv())?;
        Ok(new.write_json("results.json", results)?)
    })
}

fn boxed<'a>(write: impl Fn(&Output, &str) -> Result<(), StudyError> + 'a) -> Option<Write<'a>> {
    Some(Box::new(write))
}

/// Whether the confusion matrix has as few classes as can be drawn.
#[cfg(feature = "plot")]
fn drawn(test: &selvedge_train::Evaluation) -> bool {
    test.confusion.classes.len() <= selvedge_report::plot::MOST_CLASSES
}
