//! Maps from the gradient of a logit with respect to the image.

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;

use super::subject::{Subject, setting};
use crate::network::initialization::unit;
use crate::{ModelError, Network, Rng};

/// Vanilla saliency (Simonyan et al., "Deep inside convolutional networks", 2014): the gradient ∂S_c / ∂x of the logit
/// S_c of each image's class with respect to its pixels, `[batch, channels, height, width]` to the same, with its signs.
///
/// The paper shows the largest absolute value over the channels: [`largest_over_channels`](super::largest_over_channels).
///
/// # Errors
///
/// [`ModelError::Setting`] for images that are not of the network's size or have pixels that are not finite, and for
/// classes that the network does not have or that are not one for each image; [`ModelError::Outputs`] for a network
/// that gives images, or with weights that are NaN or infinite. All functions of [`explain`](super) have these.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::{Architecture, Initialization, explain};
///
/// // Of a linear network, the gradient is the weight.
/// let network = Architecture::new("linear", [1, 2, 2]).flatten().linear("fc", 3);
/// let network = network.init(Initialization::PyTorch, 0, &Device::flex())?;
/// let gradient = explain::saliency(&network, Tensor::ones([1, 1, 2, 2], &Device::flex()), &[1])?;
/// let weight = selvedge_models::state::read(&network)["fc.weight"].clone();
/// assert_eq!(gradient.into_data().try_to_vec::<f32>(), Ok(weight.try_to_vec::<f32>()?[4..8].to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn saliency(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
) -> Result<Tensor<4>, ModelError> {
    let subject = Subject::new(network, images, classes)?;
    subject.finite(subject.gradient(subject.images.clone()))
}

/// Gradient × input (Shrikumar et al., "Not just a black box", 2016): x · ∂S_c / ∂x, `[batch, channels, height, width]`
/// to the same. Where the network is linear in the image, but for a bias, it is how much of the logit each pixel makes.
///
/// # Errors
///
/// As [`saliency`].
pub fn input_x_gradient(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
) -> Result<Tensor<4>, ModelError> {
    let subject = Subject::new(network, images, classes)?;
    let images = subject.images.clone();
    subject.finite(subject.gradient(images.clone()) * images)
}

/// How [`smooth_grad`] makes its copies of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothGrad {
    /// How many copies.
    pub samples: usize,
    /// The standard deviation of the noise as a share of the range of the image's values, largest minus smallest. The
    /// paper finds 0.1 to 0.2 the best.
    pub noise: f64,
    /// What the noise is drawn from; it is the same for every image.
    pub seed: u64,
}

impl Default for SmoothGrad {
    /// 50 copies, noise of 0.15, seed 0.
    fn default() -> Self {
        Self { samples: 50, noise: 0.15, seed: 0 }
    }
}

/// SmoothGrad (Smilkov et al., 2017, arXiv 1706.03825): the mean of the gradient over copies of the image with normal
/// noise, 1/n Σ ∂S_c / ∂x at x + εᵢ; `[batch, channels, height, width]` to the same, with its signs.
///
/// # Errors
///
/// As [`saliency`], and [`ModelError::Setting`] for no samples and a noise that is negative or not finite.
pub fn smooth_grad(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    settings: SmoothGrad,
) -> Result<Tensor<4>, ModelError> {
    let SmoothGrad { samples, noise, seed } = settings;
    if samples == 0 {
        return Err(setting("samples", 0, "at least 1"));
    }
    if !(noise >= 0.0 && noise.is_finite()) {
        return Err(setting("noise", noise, "0 or more, and finite"));
    }
    let subject = Subject::new(network, images, classes)?;
    let images = &subject.images;
    let [batch, channels, height, width] = images.dims();
    let pixels = images.clone().reshape([batch, channels * height * width]);
    let range = pixels.clone().max_dim(1) - pixels.min_dim(1);
    let std: Tensor<4> = (range * noise).reshape([batch, 1, 1, 1]);
    let mut rng = Rng::seed_from_u64(seed);
    let copies = (0..samples).map(|_| {
        let noise = normal([1, channels, height, width], &mut rng);
        let noise = Tensor::<4>::from_data(noise, &subject.device());
        (1.0 / samples as f64, images.clone() + std.clone() * noise)
    });
    subject.finite(subject.weighted_gradient(copies))
}

/// Values of the normal distribution with mean 0 and standard deviation 1, by Box and Muller's transform.
pub(super) fn normal(shape: [usize; 4], rng: &mut Rng) -> TensorData {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|_| {
        // 1 - u is never 0, so the logarithm is finite.
        let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
        (radius * (std::f64::consts::TAU * unit(rng)).cos()) as f32
    });
    TensorData::new(values.collect::<Vec<f32>>(), shape)
}
