use burn::tensor::Tensor;
use selvedge_data::{Batch, BatchLoader, Normalization, View};
use selvedge_models::Model;
use serde::{Deserialize, Serialize};

use super::{Task, mean_squared_error};
use crate::{
    Context, FitConfig, FitSource, Fitted, Score, Totals, TrainError, evaluate_task, fit_task,
};

/// Reconstructing the input: the mean squared error of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconstruct;

impl Task for Reconstruct {
    type Score = Reconstruction;

    fn loss(&self, outputs: Tensor<2>, batch: &Batch, _: usize) -> Result<Tensor<1>, TrainError> {
        let inputs: Tensor<2> = batch.images.clone().flatten(1, 3);
        let (outputs_len, pixels) = (outputs.dims()[1], inputs.dims()[1]);
        if outputs_len != pixels {
            return Err(TrainError::Pixels { outputs: outputs_len, pixels });
        }
        mean_squared_error(outputs, inputs)
    }

    fn predictions(&self, _: Tensor<2>) -> Vec<usize> {
        Vec::new()
    }

    fn score(&self, totals: &Totals) -> Reconstruction {
        Reconstruction { loss: totals.metrics().loss }
    }
}

/// How well images are reconstructed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Mean squared error of a pixel, in the units of the normalized pixels.
    pub loss: f64,
}

impl Score for Reconstruction {
    const COLUMNS: &'static [&'static str] = &["loss"];

    fn loss(&self) -> f64 {
        self.loss
    }

    fn values(&self) -> Vec<f64> {
        vec![self.loss]
    }
}

impl std::fmt::Display for Reconstruction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mean squared error {:.6}", self.loss)
    }
}

/// Trains `model` to reconstruct its input and returns it as it was after its best epoch.
///
/// What is minimised is the mean squared error of the normalized pixels, as PyTorch's `MSELoss`.
/// Everything else is as in [`fit`](crate::fit); labels are not looked at.
///
/// # Errors
///
/// As [`fit`](crate::fit); [`TrainError::Pixels`] if the model gives another number of values than
/// an image has pixels.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{Dataset, ImageDataset, Normalization};
/// use selvedge_models::{Initialization, Keep, LinearAutoencoder};
/// use selvedge_train::{Context, FitConfig, FitData, fit_autoencoder};
///
/// // Images of 4 × 4 pixels, bright on one side.
/// let pixels = (0..1024).map(|i| if (i % 16 < 8) == (i / 16 % 2 == 0) { 200 } else { 40 });
/// let classes = vec!["any".to_string()];
/// let images = ImageDataset::new("sides", pixels.collect(), [1, 4, 4], vec![0; 64], classes)?;
/// let split = Dataset::from(images).split_stratified(0.75, 1)?;
/// let data = FitData::from(split).with_normalization(Normalization::unit());
/// let device = Device::flex();
/// let autoencoder = LinearAutoencoder { input: [1, 4, 4], widths: vec![8, 4] };
/// let model = autoencoder.architecture().init(Initialization::HeNormal, 1, &device)?;
/// let config = FitConfig { epochs: 40, batch_size: 16, learning_rate: 0.01, ..FitConfig::default() };
/// let fitted = fit_autoencoder(model, &data, &config, &Context::new(&device))?;
/// assert!(fitted.best.validation.loss < 0.5 * fitted.history.epochs[0].validation.loss);
///
/// let classifier = autoencoder.classifier(8, 2).init(Initialization::HeNormal, 1, &device)?;
/// let encoder = Keep::Matching("encoder*".parse()?);
/// let (classifier, report) = classifier.transfer_from(&fitted.model, &encoder)?;
/// assert!(report.unfit.is_empty());
/// # let _ = classifier;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit_autoencoder<M: Model>(
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, Reconstruction>, TrainError> {
    fit_task(&Reconstruct, model, data, config, context)
}

/// How well `model` reconstructs the images of `view`.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::ImageShape`] if the model takes
/// images of another shape, [`TrainError::Pixels`] if it gives another number of values than an image
/// has pixels.
pub fn evaluate_autoencoder<M: Model>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Reconstruction, TrainError> {
    let batch = model.inference_batch();
    let source = BatchLoader::new(view.clone(), batch, normalization, &context.device)?;
    evaluate_task(&Reconstruct, model, &source)
}
