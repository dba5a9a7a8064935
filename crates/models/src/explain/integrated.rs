//! Gradients along the way from an image that shows nothing.

use burn::tensor::Tensor;

use super::quadrature::Rule;
use super::subject::{Subject, all_finite, setting};
use crate::{ModelError, Network};

/// How [`integrated_gradients`] goes from nothing to the image.
#[derive(Clone, Debug)]
pub struct IntegratedGradients {
    /// Where the way begins: an image that shows nothing, `[1, channels, height, width]`, or one for each image,
    /// normalized as the network takes them. `None` is zeros: after normalization the mean of the training images,
    /// not black.
    pub baseline: Option<Tensor<4>>,
    /// How many gradients are computed on the way.
    pub steps: usize,
    /// Where on the way.
    pub rule: Rule,
}

impl Default for IntegratedGradients {
    /// 50 steps from zeros by [`Rule::GaussLegendre`].
    fn default() -> Self {
        Self { baseline: None, steps: 50, rule: Rule::default() }
    }
}

/// Integrated gradients (Sundararajan et al., "Axiomatic attribution for deep networks", 2017): with the baseline b,
/// (x - b) · ∫₀¹ ∂S_c / ∂x at b + α (x - b) dα, `[batch, channels, height, width]` to the same.
///
/// They are complete: those of all pixels add up to the difference of the logits, S_c(x) - S_c(b), as far as the sum
/// over the steps is the integral. Beside the maps comes how far the sums are off, in logits: the largest error over the
/// images. Where it is too large, more steps are the remedy.
///
/// # Errors
///
/// As [`saliency`](super::saliency), and [`ModelError::Setting`] for no steps (for [`Rule::RiemannTrapezoid`], fewer
/// than two) and a baseline of another shape or that is not finite.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::{Cnn, Initialization, explain};
///
/// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let images = Tensor::ones([1, 1, 28, 28], &Device::flex());
/// let (maps, error) = explain::integrated_gradients(&network, images, &[2], &Default::default())?;
/// assert_eq!(maps.dims(), [1, 1, 28, 28]);
/// assert!(error < 0.01);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn integrated_gradients(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    settings: &IntegratedGradients,
) -> Result<(Tensor<4>, f64), ModelError> {
    let (rule, steps) = (settings.rule, settings.steps);
    if steps < rule.fewest() {
        return Err(setting("steps", steps, format!("at least {}", rule.fewest())));
    }
    let subject = Subject::new(network, images, classes)?;
    let images = subject.images.clone();
    let baseline = match &settings.baseline {
        None => images.zeros_like(),
        Some(baseline) => {
            let ([batch, rest @ ..], [given, found @ ..]) = (images.dims(), baseline.dims());
            if found != rest || (given != 1 && given != batch) {
                let value = format!("{:?}", baseline.dims());
                let expected = format!("{:?}, or one image", images.dims());
                return Err(setting("the shape of the baseline", value, expected));
            }
            let baseline = baseline.clone().inner().to_device(&subject.device());
            if !all_finite(baseline.clone()) {
                return Err(setting("a pixel of the baseline", "NaN or infinite", "finite"));
            }
            baseline.expand(images.dims())
        }
    };
    let way = images.clone() - baseline.clone();
    let places = rule.places(steps).into_iter();
    let variations = places.map(|(place, weight)| (weight, baseline.clone() + way.clone() * place));
    let maps = subject.finite(subject.weighted_gradient(variations) * way)?;
    let [batch, channels, height, width] = maps.dims();
    let sums = maps.clone().reshape([batch, channels * height * width]).sum_dim(1).flatten(0, 1);
    let difference = subject.logits(images) - subject.logits(baseline);
    let error: Tensor<1> = (sums - difference).abs().max();
    Ok((maps, error.into_scalar::<f32>() as f64))
}
