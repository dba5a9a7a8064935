//! Images that excite a part of the network.

use burn::tensor::Tensor;
use rand::SeedableRng;

use super::blur::blur;
use super::gradient::normal;
use super::range::PixelRange;
use super::subject::{Ready, all_finite, known_classes, outputs, plain_device, setting};
use super::walk::walk;
use crate::network::initialization::unit;
use crate::{Activation, ModelError, Network, Rng, Shape};

/// What is made as large as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The logit of a class.
    Class(usize),
    /// The output of a layer at one channel, counted from 0: the mean of its map, or of a layer that gives features the
    /// one feature.
    Channel {
        /// The path of any layer, such as `conv1` or `layer1.0.conv2`.
        layer: String,
        /// Which of its channels.
        channel: usize,
    },
}

/// How [`maximize_activation`] goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Maximization {
    /// How many steps.
    pub steps: usize,
    /// How far a step goes: the root mean square of what is added to the pixels, in the units of the image.
    pub learning_rate: f64,
    /// Before every step the image is shifted by up to so many pixels along both sides, and shifted back after it; what
    /// leaves at one side comes in at the other. Patterns that depend on the very place of a pixel do not grow.
    pub jitter: usize,
    /// The share of itself that every pixel loses in a step (L2 decay).
    pub decay: f64,
    /// The standard deviation, in pixels, of the Gaussian that the image is blurred with every `blur_every` steps.
    pub blur: f64,
    /// See `blur`.
    pub blur_every: usize,
    /// The values of a valid image, within which pixels stay, if that is wanted.
    pub range: Option<PixelRange>,
    /// A picture is kept every so many steps.
    pub every: usize,
    /// What the noise that it begins with and the shifts are drawn from.
    pub seed: u64,
}

impl Default for Maximization {
    /// 40 steps of 0.1 with a picture every 5, shifts of up to 2 pixels, 1 % decay, a blur of 0.5 pixels every 4 steps, no
    /// range, seed 0.
    fn default() -> Self {
        Self {
            steps: 40,
            learning_rate: 0.1,
            jitter: 2,
            decay: 0.01,
            blur: 0.5,
            blur_every: 4,
            range: None,
            every: 5,
            seed: 0,
        }
    }
}

/// The images after some steps of [`maximize_activation`].
#[derive(Clone, Debug)]
pub struct Maximized {
    /// How many steps have been gone.
    pub step: usize,
    /// `[batch, channels, height, width]`, normalized as the network takes them.
    pub images: Tensor<4>,
    /// What the target gives for each of them.
    pub activations: Vec<f32>,
}

/// The standard deviation of the noise that it begins with.
const NOISE: f64 = 0.1;
/// What is wider leaves nothing of the image.
const WIDEST_BLUR: f64 = 100.0;

/// Activation maximization (Erhan et al., "Visualizing higher-layer features of a deep network", 2009): gradient ascent on
/// the image, x + η g / √(mean g²) with the gradient g of the target. `start` is what it begins with, `[batch, channels,
/// height, width]`; `None` is one image of normal noise with a standard deviation of 0.1. What comes back is the start,
/// what it became every so many steps, and the end.
///
/// Without anything against it the image fills with fine patterns that nothing in nature has. Shifts (Mordvintsev et al.,
/// "Inceptionism", 2015), decay and blur (Yosinski et al., "Understanding neural networks through deep visualization",
/// 2015, arXiv 1506.06579) are against it.
///
/// # Errors
///
/// [`ModelError::Setting`] for images as [`saliency`](super::saliency) refuses them, and for settings out of their range;
/// [`ModelError::UnknownLayer`] for a layer that is not there; [`ModelError::Outputs`] for a class of a network that gives
/// images, and for weights that are not finite.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_models::explain::{Maximization, Target, maximize_activation};
/// use selvedge_models::{Cnn, Initialization};
///
/// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let target = Target::Channel { layer: "conv2".into(), channel: 1 };
/// let settings = Maximization { steps: 10, ..Maximization::default() };
/// let pictures = maximize_activation(&network, None, &target, &settings)?;
/// let steps: Vec<usize> = pictures.iter().map(|picture| picture.step).collect();
/// assert_eq!(steps, [0, 5, 10]);
/// assert!(pictures[2].activations[0] > pictures[0].activations[0]);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn maximize_activation(
    network: &Network,
    start: Option<Tensor<4>>,
    target: &Target,
    settings: &Maximization,
) -> Result<Vec<Maximized>, ModelError> {
    settings.check()?;
    let mut rng = Rng::seed_from_u64(settings.seed);
    let start = start.unwrap_or_else(|| {
        let [channels, height, width] = network.architecture().input;
        let noise = normal([1, channels, height, width], &mut rng);
        Tensor::<4>::from_data(noise, &plain_device(network)) * NOISE
    });
    let climb = Climb::new(network, start, target)?;
    let mut images = climb.images.clone();
    let [_, channels, height, width] = images.dims();
    let range = settings.range.as_ref().map(|range| range.ends(channels, &images.device()));
    let range = range.transpose()?;
    let mut kept = vec![climb.kept(0, images.clone())?];
    for step in 1..=settings.steps {
        let mut shift = |side: usize| {
            let most = settings.jitter.min(side - 1) as i64;
            (unit(&mut rng) * (2 * most + 1) as f64) as i64 - most
        };
        let (down, right) = (shift(height), shift(width));
        let shifted = images.roll(&[down, right], &[2, 3]);
        let gradient = climb.gradient(shifted.clone())?;
        let moved = shifted + gradient * settings.learning_rate;
        images = moved.roll(&[-down, -right], &[2, 3]) * (1.0 - settings.decay);
        if settings.blur > 0.0 && step % settings.blur_every == 0 {
            images = blur(images, settings.blur);
        }
        if let Some([low, high]) = &range {
            let shape = images.dims();
            images = images.max_pair(low.clone().expand(shape));
            images = images.min_pair(high.clone().expand(shape));
        }
        if step % settings.every == 0 || step == settings.steps {
            kept.push(climb.kept(step, images.clone())?);
        }
    }
    Ok(kept)
}

impl Maximization {
    fn check(&self) -> Result<(), ModelError> {
        for (name, value) in
            [("steps", self.steps), ("every", self.every), ("blur_every", self.blur_every)]
        {
            if value == 0 {
                return Err(setting(name, 0, "at least 1"));
            }
        }
        if !(self.learning_rate >= 0.0 && (self.learning_rate as f32).is_finite()) {
            return Err(setting("learning_rate", self.learning_rate, "0 or more, and finite"));
        }
        if !(0.0..=WIDEST_BLUR).contains(&self.blur) {
            let expected = format!("between 0 and {WIDEST_BLUR} pixels");
            return Err(setting("blur", self.blur, expected));
        }
        match (0.0..=1.0).contains(&self.decay) {
            true => Ok(()),
            false => Err(setting("decay", self.decay, "between 0 and 1")),
        }
    }
}

/// A target, and the part of a network that leads to it.
struct Climb<'a> {
    network: Network,
    images: Tensor<4>,
    at_a_time: usize,
    target: &'a Target,
}

impl<'a> Climb<'a> {
    fn new(network: &Network, images: Tensor<4>, target: &'a Target) -> Result<Self, ModelError> {
        match target {
            Target::Class(class) => {
                let known = known_classes(network)?;
                if *class >= known {
                    return Err(setting("class", class, format!("below {known}")));
                }
            }
            Target::Channel { layer, channel } => {
                let (Shape::Images([known, ..]) | Shape::Features(known)) =
                    network.architecture().output_of(layer)?;
                if *channel >= known {
                    let expected = format!("below {known}, as many as the layer has");
                    return Err(setting("channel", channel, expected));
                }
            }
        }
        let Ready { network, images, at_a_time } = Ready::new(network, images)?;
        let network = match target {
            Target::Class(_) => network,
            Target::Channel { layer, .. } => up_to(network, layer)?,
        };
        Ok(Self { network, images, at_a_time, target })
    }

    /// What the target gives for each image, `[batch]`.
    fn activations(&self, images: Tensor<4>) -> Tensor<1> {
        let (layer, channel) = match self.target {
            Target::Class(class) => {
                return self.network.forward(images).narrow(1, *class, 1).flatten(0, 1);
            }
            Target::Channel { layer, channel } => (layer, *channel),
        };
        let mut found = None;
        walk(self.network.body(), Activation::Images(images), "", &mut |path, _, output| {
            if path == layer {
                found = Some(output.clone());
            }
            output
        });
        match found.expect("the layer was found") {
            Activation::Images(maps) => {
                maps.narrow(1, channel, 1).flatten::<2>(1, 3).mean_dim(1).flatten(0, 1)
            }
            Activation::Features(features) => features.narrow(1, channel, 1).flatten(0, 1),
        }
    }

    /// The gradient at each image, with a root mean square of 1.
    fn gradient(&self, images: Tensor<4>) -> Result<Tensor<4>, ModelError> {
        let parts = images.split(self.at_a_time, 0).into_iter().map(|images| {
            let images = images.autodiff().require_grad();
            let mut gradients = self.activations(images.clone()).sum().backward();
            images.grad_remove(&mut gradients).unwrap_or_else(|| images.inner().zeros_like())
        });
        let gradient = Tensor::cat(parts.collect(), 0);
        let [batch, ..] = gradient.dims();
        let squares = gradient.clone().powi_scalar(2).flatten::<2>(1, 3).mean_dim(1);
        let size = squares.sqrt().reshape([batch, 1, 1, 1]);
        // Where nothing excites the target, the image stays as it is.
        let still = size.clone().equal_elem(0.0);
        let unit = gradient / size.mask_fill(still, 1.0);
        match all_finite(unit.clone()) {
            true => Ok(unit),
            false => {
                Err(outputs(&self.network, "its activations or their gradients overflow".into()))
            }
        }
    }

    fn kept(&self, step: usize, images: Tensor<4>) -> Result<Maximized, ModelError> {
        let parts = images.clone().split(self.at_a_time, 0);
        let values = parts.into_iter().map(|part| self.activations(part.autodiff()).inner());
        let values: Tensor<1> = Tensor::cat(values.collect(), 0);
        let activations = values.into_data().iter::<f32>().collect();
        Ok(Maximized { step, images, activations })
    }
}

/// The network without what stands behind the layer: it need not be computed.
fn up_to(network: Network, layer: &str) -> Result<Network, ModelError> {
    let layers = &network.architecture().layers;
    let holds = |name: &str| layer == name || layer.starts_with(&format!("{name}."));
    let at = layers.iter().rposition(|found| holds(&found.name));
    match at.and_then(|at| layers.get(at + 1)).map(|next| next.name.clone()) {
        Some(next) => Ok(network.cut_at(&next)?.0),
        None => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::super::tests::{images, message, network, small, values};
    use super::*;
    use crate::{ConvAutoencoder, ResNet, state};

    fn channel(layer: &str, channel: usize) -> Target {
        Target::Channel { layer: layer.into(), channel }
    }

    /// With nothing against what the gradient says.
    fn bare() -> Maximization {
        Maximization { jitter: 0, decay: 0.0, blur: 0.0, ..Maximization::default() }
    }

    #[test]
    fn a_filter_a_unit_and_a_class_are_excited_more_with_every_picture() {
        let network = network(small());
        for target in [channel("conv1", 1), channel("bn1", 2), channel("fc1", 3), Target::Class(3)]
        {
            let pictures = maximize_activation(&network, None, &target, &bare()).unwrap();
            let steps: Vec<usize> = pictures.iter().map(|picture| picture.step).collect();
            assert_eq!(steps, [0, 5, 10, 15, 20, 25, 30, 35, 40]);
            let values: Vec<f32> = pictures.iter().map(|picture| picture.activations[0]).collect();
            assert!(values.is_sorted_by(|a, b| a < b), "{target:?}: {values:?}");
        }
    }

    #[test]
    fn layers_behind_the_target_change_nothing_and_blocks_have_layers_too() {
        let network = network(ResNet::resnet18_cifar(10).architecture().unwrap());
        let settings = Maximization { steps: 1, ..bare() };
        let target = channel("layer1.0.conv2", 3);
        let shape = network.architecture().input;
        let climb = Climb::new(
            &network,
            Tensor::ones([1, shape[0], shape[1], shape[2]], &plain_device(&network)),
            &target,
        );
        assert_eq!(climb.unwrap().network.architecture().layers.len(), 4);
        let found = maximize_activation(&network, None, &target, &settings).unwrap();
        let maps = network.feature_maps(&["layer1.0.conv2"], found[0].images.clone()).unwrap();
        let mean = maps[0].1.clone().narrow(1, 3, 1).mean().into_scalar::<f32>();
        assert!((mean - found[0].activations[0]).abs() < 1e-5, "{mean}");
        assert!(found[1].activations[0] > mean);
    }

    #[test]
    fn an_image_goes_the_same_way_whatever_else_is_in_its_batch_and_the_seed_decides_the_rest() {
        let network = network(small());
        let last = |start: Option<Tensor<4>>, seed| {
            let settings = Maximization { steps: 7, seed, ..Maximization::default() };
            let mut found =
                maximize_activation(&network, start, &channel("conv1", 0), &settings).unwrap();
            values(found.pop().unwrap().images)
        };
        let (all, alone) = (last(Some(images(70)), 1), last(Some(images(70).narrow(0, 69, 1)), 1));
        assert!(all[69 * 72..].iter().zip(&alone).all(|(a, b)| (a - b).abs() < 1e-5));
        assert_eq!(last(None, 3), last(None, 3));
        assert_ne!(last(None, 3), last(None, 4));
    }

    #[test]
    fn an_image_stays_in_its_range_and_as_it_is_where_nothing_excites_the_target() {
        let network = network(small());
        let range = Some(PixelRange(vec![[-0.5, 0.25]]));
        let settings = Maximization { range, ..bare() };
        let found = maximize_activation(&network, None, &Target::Class(0), &settings).unwrap();
        let last = values(found.last().unwrap().images.clone());
        assert!(last.iter().all(|v| (-0.5..=0.25).contains(v)) && last.contains(&0.25));

        let nothing = TensorData::new(vec![0f32; 4 * 27], [4, 27]);
        let network = state::write(network, [("fc1.weight".to_string(), nothing)].into());
        let start = Some(images(1));
        let found = maximize_activation(&network, start, &Target::Class(0), &bare()).unwrap();
        assert_eq!(values(found.last().unwrap().images.clone()), values(images(1)));
    }

    #[test]
    fn targets_that_are_not_there_are_refused() {
        let network = network(small());
        let told =
            |target| message(maximize_activation(&network, None, &target, &Default::default()));
        assert_eq!(told(Target::Class(4)), "class is 4, but must be below 4");
        let expected = "channel is 3, but must be below 3, as many as the layer has";
        assert_eq!(told(channel("conv1", 3)), expected);
        assert!(told(channel("conv2", 0)).starts_with("`small` has no layer named `conv2`; its"));
        let autoencoder = super::super::tests::network(ConvAutoencoder::default().architecture());
        let of = |target| maximize_activation(&autoencoder, None, &target, &Default::default());
        assert!(message(of(Target::Class(0))).ends_with("not a logit for each class"));
        assert_eq!(of(channel("conv1", 0)).unwrap().len(), 9);
    }

    #[test]
    fn settings_that_lead_nowhere_are_refused() {
        let network = network(small());
        let told =
            |settings| message(maximize_activation(&network, None, &Target::Class(0), &settings));
        let usual = Maximization::default;
        assert_eq!(
            told(Maximization { steps: 0, ..usual() }),
            "steps is 0, but must be at least 1"
        );
        assert!(told(Maximization { every: 0, ..usual() }).starts_with("every is 0"));
        assert!(told(Maximization { blur_every: 0, ..usual() }).starts_with("blur_every is 0"));
        let rate = Maximization { learning_rate: f64::NAN, ..usual() };
        assert_eq!(told(rate), "learning_rate is NaN, but must be 0 or more, and finite");
        let blur = Maximization { blur: 1e9, ..usual() };
        assert_eq!(told(blur), "blur is 1000000000, but must be between 0 and 100 pixels");
        assert!(told(Maximization { decay: 1.5, ..usual() }).starts_with("decay is 1.5"));
    }
}
