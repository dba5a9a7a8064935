use burn::module::Module;
use burn::tensor::Tensor;
use selvedge_models::{Network, Rng};

/// A module that turns images into one logit a class.
///
/// [`Network`] is one; implement it for a derived Burn module to train that with [`fit`](crate::fit).
pub trait Classifier: Module {
    /// The logits, `[batch, channels, height, width]` to `[batch, classes]`.
    fn logits(&self, images: Tensor<4>) -> Tensor<2>;

    /// The logits while training; `rng` is there for dropout and whatever else is random, so that
    /// the seed alone decides. By default the same as [`logits`](Self::logits).
    fn logits_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        let _ = rng;
        self.logits(images)
    }

    /// Images a batch when nothing is learned: by default 256, beyond which a CPU gains nothing.
    /// Models with large activations ask for less.
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

impl Classifier for Network {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images)
    }

    fn logits_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
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
