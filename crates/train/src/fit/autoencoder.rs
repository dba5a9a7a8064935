use selvedge_models::Model;

use super::{FitConfig, Fitted, fit_task};
use crate::{Context, FitSource, Reconstruct, Reconstruction, TrainError};

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
/// use selvedge_data::{ImageDataset, Normalization};
/// use selvedge_models::{Initialization, Keep, LinearAutoencoder};
/// use selvedge_train::{Context, FitConfig, FitData, fit_autoencoder};
///
/// // Images of 4 × 4 pixels, bright on one side.
/// let pixels = (0..1024).map(|i| if (i % 16 < 8) == (i / 16 % 2 == 0) { 200 } else { 40 });
/// let classes = vec!["any".to_string()];
/// let images = ImageDataset::new("sides", pixels.collect(), [1, 4, 4], vec![0; 64], classes)?;
/// let split = images.view().split_stratified(0.75, 1)?;
/// let data = FitData::from(split).with_normalization(Normalization::unit());
/// let device = Device::flex();
/// let autoencoder = LinearAutoencoder { input: [1, 4, 4], widths: vec![8, 4] };
/// let model = autoencoder.architecture().init(Initialization::HeNormal, 1, &device)?;
/// let config = FitConfig { epochs: 40, batch_size: 16, learning_rate: 0.01, ..FitConfig::default() };
/// let fitted = fit_autoencoder(model, &data, &config, &Context::new(&device))?;
/// assert!(fitted.best.score().loss < 0.5 * fitted.history.epochs[0].score().loss);
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
    fit_task(&Reconstruct::default(), model, data, config, context)
}
