use burn::module::Module;
use burn::tensor::Tensor;

use crate::{Architecture, Network, Rng};
#[cfg(feature = "files")]
use crate::{DataSpec, ModelError};

/// A module that turns images into values: a logit for each class, or as many values as an image has
/// pixels. It is what can be trained and evaluated; [`Network`] is one.
///
/// A module of Burn becomes one with its `forward` alone:
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::Model;
///
/// #[derive(Module, Debug)]
/// struct OneLayer {
///     fc: Linear,
/// }
///
/// impl Model for OneLayer {
///     fn forward(&self, images: Tensor<4>) -> Tensor<2> {
///         self.fc.forward(images.flatten(1, 3))
///     }
/// }
///
/// let device = Device::flex();
/// let model = OneLayer { fc: LinearConfig::new(784, 10).init(&device) };
/// assert_eq!(model.forward(Tensor::zeros([2, 1, 28, 28], &device)).dims(), [2, 10]);
/// ```
pub trait Model: Module {
    /// The outputs for `images`, `[batch, channels, height, width]` to `[batch, values]`, as in
    /// inference: without dropout.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;

    /// As [`forward`](Self::forward), in training: what is random, such as dropout, is drawn from
    /// `rng`. Without an own definition nothing is.
    fn forward_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        let _ = rng;
        self.forward(images)
    }

    /// How many images to compute at a time when nothing is learned.
    fn inference_batch(&self) -> usize {
        256
    }

    /// The name, for messages and reports.
    fn name(&self) -> &str {
        "the model"
    }

    /// `[channels, height, width]` of the images that it takes; `None` if it takes several sizes, or
    /// does not say.
    fn input_shape(&self) -> Option<[usize; 3]> {
        None
    }

    /// The layers that it is made of, where they are data; for the settings of a run.
    fn layers(&self) -> Option<&Architecture> {
        None
    }

    /// Writes the tensors as safetensors under PyTorch's names; a [`Network`] that fits `data` is written as
    /// a [`Bundle`](crate::Bundle). An existing file is replaced once the new one is whole.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`](crate::ModelError::File) if the file cannot be written.
    #[cfg(feature = "files")]
    fn save(&self, path: &std::path::Path, data: Option<&dyn DataSpec>) -> Result<(), ModelError> {
        let _ = data;
        crate::weights::save_state(path, &crate::state::read(self))
    }
}

impl Model for Network {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        Network::forward(self, images)
    }

    fn forward_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        Network::forward_train(self, images, rng)
    }

    fn inference_batch(&self) -> usize {
        let batch = self.architecture().inference_batch();
        batch.expect("an architecture is checked before it becomes a network")
    }

    fn name(&self) -> &str {
        &self.architecture().name
    }

    fn input_shape(&self) -> Option<[usize; 3]> {
        Some(self.architecture().input)
    }

    fn layers(&self) -> Option<&Architecture> {
        Some(self.architecture())
    }

    #[cfg(feature = "files")]
    fn save(&self, path: &std::path::Path, data: Option<&dyn DataSpec>) -> Result<(), ModelError> {
        if let Some(data) = data {
            let (mean, std) = data.mean_std();
            let (classes, mean, std) = (data.classes().to_vec(), mean.to_vec(), std.to_vec());
            let bundle = crate::Bundle::from_parts(self.clone(), classes, mean, std);
            // An autoencoder has other outputs than classes.
            if bundle.check().is_ok() {
                return bundle.save(path);
            }
        }
        self.save_safetensors(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Initialization, TransferCnn};
    use burn::tensor::Device;

    #[test]
    fn a_network_says_as_a_model_what_its_architecture_says() {
        let architecture = TransferCnn::new(5).architecture();
        let network = architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        assert_eq!(Model::name(&network), "transfer_cnn");
        assert_eq!(network.input_shape(), Some([1, 28, 28]));
        assert_eq!(Model::inference_batch(&network), 256);
    }
}
