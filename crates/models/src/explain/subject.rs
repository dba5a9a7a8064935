//! A network, its images and the classes asked about, checked and made ready for gradients.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::network::path::Path;
use crate::{ModelError, Network, Shape};

/// As many images are computed at a time at most: their activations are kept for the gradients.
const MOST_AT_A_TIME: usize = 64;

/// A network whose weights are constants, so that gradients go to the images alone.
pub(super) struct Subject {
    pub network: Network,
    /// `[batch, channels, height, width]`, on the plain device of the network.
    pub images: Tensor<4>,
    classes: Vec<usize>,
    /// How many images are computed at a time.
    at_a_time: usize,
}

/// The class with the largest logit for each of the images, `[batch, channels, height, width]`; the first of several
/// that are equal.
///
/// # Errors
///
/// [`ModelError::Setting`] for images of another size than the network's, none of them, or with pixels that are not
/// finite; [`ModelError::Outputs`] for a network that gives images, or with weights that are not finite.
pub fn predicted(network: &Network, images: Tensor<4>) -> Result<Vec<usize>, ModelError> {
    let [batch, ..] = images.dims();
    let subject = Subject::new(network, images, &vec![0; batch])?;
    let logits = subject.in_parts(subject.images.clone(), &subject.classes, |images, _| {
        subject.network.forward(images.autodiff()).inner()
    });
    let classes: Vec<i64> = logits.argmax(1).into_data().iter::<i64>().collect();
    Ok(classes.into_iter().map(|class| class as usize).collect())
}

impl Subject {
    /// The network as in inference.
    pub fn new(
        network: &Network,
        images: Tensor<4>,
        classes: &[usize],
    ) -> Result<Self, ModelError> {
        check_shape(network, &images)?;
        let batch = images.dims()[0];
        let known = known_classes(network)?;
        if classes.len() != batch {
            let expected = format!("{batch}, one for each image");
            return Err(setting("the number of classes given", classes.len(), expected));
        }
        if let Some(class) = classes.iter().find(|class| **class >= known) {
            return Err(setting("class", class, format!("below {known}")));
        }
        let Ready { network, images, at_a_time } = Ready::new(network, images)?;
        Ok(Self { network, images, classes: classes.to_vec(), at_a_time })
    }

    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// How many variations of all images are computed together.
    pub fn together(&self) -> usize {
        (self.at_a_time / self.images.dims()[0]).max(1)
    }

    /// The plain device.
    pub fn device(&self) -> Device {
        self.images.device()
    }

    /// The gradient of each image's logit with respect to it: `images` are a variation of the subject's, or several
    /// of them one after the other.
    pub fn gradient(&self, images: Tensor<4>) -> Tensor<4> {
        self.gradient_of(images, picked)
    }

    /// The same of what `score` makes of the logits, `[batch, classes]`, and the classes: one number an image, `[batch]`.
    pub fn gradient_of(
        &self,
        images: Tensor<4>,
        score: impl Fn(Tensor<2>, &[usize]) -> Tensor<1>,
    ) -> Tensor<4> {
        let classes = self.repeated(images.dims()[0]);
        self.in_parts(images, &classes, |images, classes| {
            let images = images.autodiff().require_grad();
            let logits = self.network.forward(images.clone());
            let mut gradients = score(logits, classes).sum().backward();
            let gradient = images.grad_remove(&mut gradients);
            gradient.unwrap_or_else(|| images.inner().zeros_like())
        })
    }

    /// Σ wᵢ · gradient at variation i of all images, for pairs of wᵢ and what the images are there.
    pub fn weighted_gradient(
        &self,
        variations: impl Iterator<Item = (f64, Tensor<4>)>,
    ) -> Tensor<4> {
        let [batch, ..] = self.images.dims();
        let together = self.together();
        let mut sum = self.images.zeros_like();
        let mut variations = variations.peekable();
        while variations.peek().is_some() {
            let (weights, images): (Vec<_>, Vec<_>) = variations.by_ref().take(together).unzip();
            let gradient = self.gradient(Tensor::cat(images, 0));
            for (weight, gradient) in weights.into_iter().zip(gradient.split(batch, 0)) {
                sum = sum + gradient * weight;
            }
        }
        sum
    }

    /// Each image's logit, `[batch]`, for variations as [`gradient`](Self::gradient) takes them.
    pub fn logits(&self, images: Tensor<4>) -> Tensor<1> {
        let classes = self.repeated(images.dims()[0]);
        self.in_parts(images, &classes, |images, classes| {
            picked(self.network.forward(images.autodiff()), classes).inner()
        })
    }

    /// What `compute` gives for some images at a time and their classes, one after the other.
    pub fn in_parts<const D: usize>(
        &self,
        images: Tensor<4>,
        classes: &[usize],
        compute: impl Fn(Tensor<4>, &[usize]) -> Tensor<D>,
    ) -> Tensor<D> {
        let parts = images.split(self.at_a_time, 0).into_iter().zip(classes.chunks(self.at_a_time));
        Tensor::cat(parts.map(|(images, classes)| compute(images, classes)).collect(), 0)
    }

    /// The classes of `count` images: as many variations of all images.
    fn repeated(&self, count: usize) -> Vec<usize> {
        self.classes.iter().copied().cycle().take(count).collect()
    }

    /// The map, if all of it is finite.
    pub fn finite(&self, map: Tensor<4>) -> Result<Tensor<4>, ModelError> {
        match all_finite(map.clone()) {
            true => Ok(map),
            false => Err(outputs(&self.network, "its logits or their gradients overflow".into())),
        }
    }
}

/// A network whose weights are constants, and images that it can be given.
pub(super) struct Ready {
    /// As in inference.
    pub network: Network,
    /// `[batch, channels, height, width]`, on the plain device of the network.
    pub images: Tensor<4>,
    /// How many images are computed at a time.
    pub at_a_time: usize,
}

impl Ready {
    /// The network and its images, if both are sound.
    pub fn new(network: &Network, images: Tensor<4>) -> Result<Self, ModelError> {
        check_shape(network, &images)?;
        let images = images.inner().to_device(&plain_device(network));
        if !all_finite(images.clone()) {
            return Err(setting("a pixel", "NaN or infinite", "finite"));
        }
        let mut network = network.valid().set_require_grad(false).train();
        // Normalizations without a parameter that learns use their running statistics.
        network.body.change_norms(&mut |norm| norm.train_with_parameters());
        let mut weights = Finite::default();
        network.visit(&mut weights);
        if let Some(name) = weights.first_bad {
            return Err(outputs(&network, format!("`{name}` has values that are NaN or infinite")));
        }
        let at_a_time = network.architecture().inference_batch()?.min(MOST_AT_A_TIME);
        Ok(Self { network, images, at_a_time })
    }
}

/// The plain device of the network.
pub(super) fn plain_device(network: &Network) -> Device {
    network.devices().into_iter().next().unwrap_or_default().without_autodiff()
}

/// `Ok` for images as the network takes them, and at least one.
fn check_shape(network: &Network, images: &Tensor<4>) -> Result<(), ModelError> {
    let architecture = network.architecture();
    let [batch, channels, height, width] = images.dims();
    let [c, h, w] = architecture.input;
    if [channels, height, width] == [c, h, w] && batch > 0 {
        return Ok(());
    }
    Err(setting(
        "the shape of the images",
        format!("[{batch}, {channels}, {height}, {width}]"),
        format!("[1 or more, {c}, {h}, {w}], as `{}` takes them", architecture.name),
    ))
}

/// How many classes the network gives logits of.
pub(super) fn known_classes(network: &Network) -> Result<usize, ModelError> {
    match network.architecture().output_shape()? {
        Shape::Features(known) => Ok(known),
        shape => Err(outputs(network, format!("it gives {shape}, not a logit for each class"))),
    }
}

/// The logits of `classes`, `[batch, classes]` to `[batch]`.
pub(super) fn picked(logits: Tensor<2>, classes: &[usize]) -> Tensor<1> {
    let indices: Vec<i32> = classes.iter().map(|class| *class as i32).collect();
    let indices = TensorData::new(indices, [classes.len(), 1]);
    let indices = Tensor::<2, Int>::from_data(indices, &logits.device());
    logits.gather(1, indices).flatten(0, 1)
}

pub(super) fn setting(
    name: &'static str,
    value: impl ToString,
    expected: impl Into<std::borrow::Cow<'static, str>>,
) -> ModelError {
    ModelError::Setting { name, value: value.to_string(), expected: expected.into() }
}

pub(super) fn outputs(network: &Network, reason: String) -> ModelError {
    ModelError::Outputs { architecture: network.architecture().name.clone(), reason }
}

pub(super) fn all_finite<const D: usize>(x: Tensor<D>) -> bool {
    x.is_finite().all().into_scalar::<bool>()
}

/// Looks for weights that are NaN or infinite.
#[derive(Default)]
struct Finite {
    path: Path,
    first_bad: Option<String>,
}

impl ModuleVisitor for Finite {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.first_bad.is_none() && !all_finite(param.val().inner()) {
            self.first_bad = Some(self.path.name());
        }
    }
}
