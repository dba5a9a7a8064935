use burn::module::Module;
use burn::tensor::Tensor;
use selvedge_data::{BatchLoader, Normalization, View};
use selvedge_models::{Network, Rng};
use serde::{Deserialize, Serialize};

use crate::fit::run;
use crate::task::{Reconstruct, measure};
use crate::{Context, FitConfig, FitSource, Fitted, Score, TrainError};

/// A module that turns images into images of the same size.
///
/// [`Network`] is one; implement it for a derived Burn module to train that with
/// [`fit_autoencoder`].
pub trait Autoencoder: Module {
    /// The reconstructed images, `[batch, channels, height, width]` to
    /// `[batch, channels · height · width]`.
    fn reconstruction(&self, images: Tensor<4>) -> Tensor<2>;

    /// The same while training; `rng` is there for whatever is random, so that the seed alone
    /// decides. By default the same as [`reconstruction`](Self::reconstruction).
    fn reconstruction_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        let _ = rng;
        self.reconstruction(images)
    }

    /// Images a batch when nothing is learned; by default 256.
    fn inference_batch(&self) -> usize {
        256
    }

    /// Its name in messages; by default "the model".
    fn name(&self) -> &str {
        "the model"
    }

    /// `[channels, height, width]` of the images that the model takes, which data of another shape
    /// is compared with before anything is computed. `None`, the default: of any.
    fn input_shape(&self) -> Option<[usize; 3]> {
        None
    }
}

impl Autoencoder for Network {
    fn reconstruction(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }

    fn reconstruction_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        self.forward_train(images, rng)
    }

    fn inference_batch(&self) -> usize {
        self.architecture().inference_batch().expect("it was checked when the network was built")
    }

    fn name(&self) -> &str {
        &self.architecture().name
    }

    fn input_shape(&self) -> Option<[usize; 3]> {
        Some(self.architecture().input)
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
/// use selvedge_data::{ImageDataset, Normalization};
/// use selvedge_models::{Init, Keep, LinearAutoencoder};
/// use selvedge_train::{Context, FitConfig, FitData, fit_autoencoder};
///
/// // Images of 4 × 4 pixels, bright on one side.
/// let pixels = (0..1024).map(|i| if (i % 16 < 8) == (i / 16 % 2 == 0) { 200 } else { 40 });
/// let classes = vec!["any".to_string()];
/// let images = ImageDataset::new("sides", pixels.collect(), [1, 4, 4], vec![0; 64], classes)?;
/// let data = FitData {
///     train: images.view(),
///     validation: images.view(),
///     normalization: Normalization::unit(),
/// };
/// let device = Device::flex();
/// let autoencoder = LinearAutoencoder { input: [1, 4, 4], widths: vec![8, 4] };
/// let model = autoencoder.architecture().init(Init::HeNormal, 1, &device)?;
/// let config = FitConfig { epochs: 40, batch_size: 16, learning_rate: 0.01, ..FitConfig::default() };
/// let fitted = fit_autoencoder(model, &data, &config, &Context::new(&device))?;
/// assert!(fitted.best.validation.loss < 0.5 * fitted.history.epochs[0].validation.loss);
///
/// let classifier = autoencoder.classifier(8, 2).init(Init::HeNormal, 1, &device)?;
/// let encoder = Keep::Matching("encoder*".parse()?);
/// let (classifier, report) = classifier.transfer_from(&fitted.model, &encoder)?;
/// assert!(report.unfit.is_empty());
/// # let _ = classifier;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit_autoencoder<M: Autoencoder>(
    model: M,
    data: &impl FitSource,
    config: &FitConfig,
    context: &Context,
) -> Result<Fitted<M, Reconstruction>, TrainError> {
    run::<Reconstruct, M>(model, data, config, context)
}

/// How well `model` reconstructs the images of `view`.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::ImageShape`] if the model takes
/// images of another shape, [`TrainError::Pixels`] if it gives another number of values than an image
/// has pixels.
pub fn evaluate_autoencoder<M: Autoencoder>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Reconstruction, TrainError> {
    let batch = model.inference_batch();
    let source = BatchLoader::new(view.clone(), batch, normalization, &context.device)?;
    measure::<Reconstruct, M>(&model.valid(), &source, |_, _| {})
}
