//! What a model learns: to name classes, or to reconstruct its input.
//!
//! A task says which outputs fit, what the loss is, and what is measured. [`fit_task`](crate::fit_task)
//! and [`evaluate_task`](crate::evaluate_task) work for any.

mod classify;
mod loss;
mod reconstruct;

pub use classify::Classify;
pub use loss::{
    ClassificationLoss, CrossEntropy, Focal, Loss, PixelLoss, balanced_class_weights,
    cross_entropy, mean_squared_error,
};
pub use reconstruct::{Reconstruct, Reconstruction};

use burn::tensor::Tensor;
use selvedge_data::{Batch, BatchSource, DataError};
use selvedge_kernels::with_team;
use selvedge_models::Model;

use crate::error::require_shape;
use crate::meter::Meter;
use crate::{Score, Totals, TrainError};

/// What a model learns, and how it is measured.
///
/// Another loss alone is a [`Loss`] of [`Classify`] or [`Reconstruct`]. A task of a program's own says what
/// is predicted and measured as well:
///
/// ```
/// use burn::tensor::Tensor;
/// use selvedge_data::Batch;
/// use selvedge_train::{Metrics, Task, Totals, TrainError};
///
/// /// One output, above 0 for the second of two classes, learned by its hinge loss.
/// struct Hinge;
///
/// impl Task for Hinge {
///     type Score = Metrics;
///
///     fn loss(&self, outputs: Tensor<2>, batch: &Batch, _: usize) -> Result<Tensor<1>, TrainError> {
///         let signs: Vec<f32> = batch.labels.iter().map(|&label| 2.0 * f32::from(label) - 1.0).collect();
///         let signs = Tensor::<1>::from_data(signs.as_slice(), &outputs.device()).unsqueeze_dim(1);
///         Ok((outputs * signs).neg().add_scalar(1.0).clamp_min(0.0).mean())
///     }
///
///     fn predictions(&self, outputs: Tensor<2>) -> Vec<usize> {
///         outputs.into_data().iter::<f32>().map(|output| usize::from(output > 0.0)).collect()
///     }
///
///     fn score(&self, totals: &Totals) -> Metrics {
///         totals.metrics()
///     }
/// }
/// ```
pub trait Task: Sync {
    /// What is measured.
    type Score: Score;

    /// Refuses settings that are out of range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`].
    fn check(&self) -> Result<(), TrainError> {
        Ok(())
    }

    /// What tells this task from others, for the settings of a run folder.
    fn settings(&self) -> toml::Table {
        toml::Table::new()
    }

    /// Refuses data that the task cannot be learned on or measured with, before anything is trained.
    ///
    /// # Errors
    ///
    /// [`TrainError`]; [`TrainError::Data`] if it reads a batch that cannot be had.
    fn check_data(&self, source: &dyn BatchSource) -> Result<(), TrainError> {
        let _ = source;
        Ok(())
    }

    /// The mean loss over the batch, with one entry; `outputs` are `[batch, values]`, and there are
    /// `classes` classes.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if the outputs do not fit the batch.
    fn loss(
        &self,
        outputs: Tensor<2>,
        batch: &Batch,
        classes: usize,
    ) -> Result<Tensor<1>, TrainError>;

    /// What the batch counts for in the mean loss of an epoch: as many as it has images, or, where images
    /// have weights, what [`loss`](Self::loss) divided the batch's sum by.
    fn weight(&self, batch: &Batch) -> f64 {
        batch.len() as f64
    }

    /// Whether a loss, of a batch or of all validation images, means that the run has come to nothing: if it is
    /// infinite or NaN, unless the task knows more.
    fn diverged(&self, loss: f64) -> bool {
        !loss.is_finite()
    }

    /// The class of each image; nothing where there are no classes to tell apart.
    fn predictions(&self, outputs: Tensor<2>) -> Vec<usize>;

    /// What was measured over all batches.
    fn score(&self, totals: &Totals) -> Self::Score;
}

/// Refuses images that the model does not take.
pub(crate) fn check_images<M: Model>(
    model: &M,
    source: &dyn BatchSource,
) -> Result<(), TrainError> {
    match model.input_shape() {
        Some(takes) => require_shape(model.name(), takes, source.image_shape()),
        None => Ok(()),
    }
}

/// The score of a model that is ready for inference, showing `seen` the labels of every batch with what was
/// predicted.
pub(crate) fn measure<T: Task, M: Model>(
    task: &T,
    model: &M,
    source: &dyn BatchSource,
    mut seen: impl FnMut(&[u16], &[usize]),
) -> Result<T::Score, TrainError> {
    check_images(model, source)?;
    let classes = source.classes().len();
    let mut meter = Meter::new(task, Totals::default(), 0);
    with_team(|| {
        for batch in source.batches(0) {
            let batch = batch?;
            let outputs = model.forward(batch.images.clone());
            let loss = task.loss(outputs.clone(), &batch, classes)?;
            let weight = task.weight(&batch);
            meter.add(loss, outputs, weight, batch.labels);
            if meter.is_full() {
                meter.read_all(&mut seen);
            }
        }
        Ok::<_, TrainError>(())
    })?;
    meter.read_all(&mut seen);
    match meter.totals.images {
        0 => Err(no_batches("validation or test")),
        _ => Ok(task.score(&meter.totals)),
    }
}

/// What a source of batches answers that gives none.
pub(crate) fn no_batches(what: &str) -> TrainError {
    DataError::other(format!("the {what} data gives no batch")).into()
}

#[cfg(test)]
mod tests;
