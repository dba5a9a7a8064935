//! What a classifier does on test images, as files.

use std::path::Path;

use selvedge_data::View;
use selvedge_files::OutputError;
use selvedge_train::Predictions;

use crate::plot::{self, MOST_CLASSES, PlotError};

/// As many images are shown of those that are taken for something else.
const WORST: usize = 24;

/// The bins of the reliability diagram.
const BINS: usize = 15;

/// The files of an evaluation cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// A picture cannot be drawn or written.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A text cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Writes what a classifier called `name` does on the images of `view`, of which `predictions` are, into a
/// folder:
///
/// | file | what it shows |
/// |---|---|
/// | `classification_report.txt` | precision, recall and F1 of each class, as scikit-learn prints them |
/// | `confusion_matrix.svg`, `.png` | which class is taken for which |
/// | `worst_images.svg`, `.png` | the images of greatest loss |
/// | `roc.svg`, `precision_recall.svg` | each class against the rest |
/// | `reliability.svg` | whether it is as often right as it is sure |
///
/// Matrices of more than [`MOST_CLASSES`] classes could not be read, and are not drawn.
///
/// # Errors
///
/// [`EvaluationError`] if one cannot be drawn or written.
pub fn write_evaluation(
    folder: impl AsRef<Path>,
    name: &str,
    view: &View,
    predictions: &Predictions,
) -> Result<(), EvaluationError> {
    let at = |file: &str| folder.as_ref().join(file);
    let confusion = predictions.confusion();
    let path = at("classification_report.txt");
    let report = confusion.report().classification();
    selvedge_files::write(&path, report).map_err(|error| OutputError { path, error })?;
    let (images, accuracy) = (predictions.len(), 100.0 * confusion.accuracy());
    if confusion.classes.len() <= MOST_CLASSES {
        let pair = confusion.most_confused(1);
        let answer = match pair.first() {
            Some(pair) => {
                let [truth, taken] = [pair.truth, pair.predicted].map(|c| &confusion.classes[c]);
                format!("{truth} for {taken} most often")
            }
            None => "none".into(),
        };
        let title = format!(
            "Which classes does {name} take for one another? {answer}; {accuracy:.2} % of {images} images are right"
        );
        plot::confusion(&title, &confusion)?.save_as(&folder, "confusion_matrix")?;
    }
    let title = format!("What does {name} find hardest? The images of greatest loss");
    plot::worst_images(&title, view, predictions, WORST)?.save_as(&folder, "worst_images")?;
    let title = format!("How well does {name} tell each class from the rest?");
    plot::roc(&title, predictions).save(at("roc.svg"))?;
    plot::precision_recall(&title, predictions).save(at("precision_recall.svg"))?;
    let calibration = predictions.calibration(BINS);
    if let Ok(calibration) = calibration {
        let error = 100.0 * calibration.expected_error();
        let title = format!(
            "Is {name} as often right as it is sure? It misses by {error:.1} percentage points on average"
        );
        plot::reliability(&title, &calibration)?.save(at("reliability.svg"))?;
    }
    Ok(())
}
