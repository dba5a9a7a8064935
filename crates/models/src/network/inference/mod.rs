//! Networks that only predict.

#[cfg(feature = "flex")]
mod program;

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::Tensor;
#[cfg(feature = "flex")]
use burn::tensor::{DType, TensorData};
#[cfg(feature = "flex")]
use selvedge_kernels::inference::Program;

use crate::Network;

/// A network for inference: what [`Network::for_inference`] makes.
///
/// Batch normalizations directly behind a convolution or a linear layer have become part of that. On a CPU it has also been made a program of its
/// own ([`Program`](selvedge_kernels::inference::Program)), if there is a kernel for each of its
/// layers, and takes that where it is the faster way: for a few images always. So the last bits of an output may depend on
/// the size of the batch.
///
/// It holds copies of the weights, once as they are and once packed, which for 3 × 3 kernels of many channels may be four times
/// as large: so build it once. What is done to the network afterwards does not change it.
#[derive(Clone, Debug)]
pub struct InferenceNetwork {
    folded: Network,
    #[cfg(feature = "flex")]
    program: Option<Arc<Program>>,
}

impl Network {
    /// The network as it predicts fastest, with copies of its weights. Outputs are those of
    /// [`valid`](burn::module::Module::valid) up to rounding.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_models::{Initialization, MobileNetV2};
    ///
    /// let network = MobileNetV2::new(10).with_input([3, 64, 64]).architecture();
    /// let network = network.init(Initialization::PyTorch, 0, &Device::flex())?;
    /// let fast = network.for_inference();
    /// let images = Tensor::ones([1, 3, 64, 64], &Device::flex());
    /// let difference = network.valid().forward(images.clone()) - fast.forward(images);
    /// assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
    /// # use burn::module::Module;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn for_inference(&self) -> InferenceNetwork {
        let folded = self.fold_batch_norms();
        InferenceNetwork {
            #[cfg(feature = "flex")]
            program: program::of(&folded).map(Arc::new),
            folded,
        }
    }
}

impl InferenceNetwork {
    /// The outputs for `images`, `[batch, channels, height, width]` to `[batch, features]`, as those of
    /// [`Network::forward`].
    ///
    /// # Panics
    ///
    /// Panics if `images` are not of the architecture's input size.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if let Some(program) = &self.program {
            let [batch, sides @ ..] = images.dims();
            if sides == program.input() && images.dtype() == DType::F32 && program.is_faster(batch)
            {
                let device = images.device();
                let data = images.into_data();
                let images = data.as_slice::<f32>().expect("the images are f32");
                let outputs = program.run(images);
                let features = program.output().iter().product();
                return Tensor::from_data(TensorData::new(outputs, [batch, features]), &device);
            }
        }
        self.folded.forward(images)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::{Initialization, catalog};

    #[test]
    fn every_network_of_the_catalog_computes_the_same_for_inference() {
        for architecture in catalog() {
            // Of the large ones their small relatives are enough.
            if architecture.input[1] > 64 && architecture.name != "efficientnet_lite0" {
                continue;
            }
            let network = architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
            let fast = network.for_inference();
            assert!(fast.program.is_some(), "{} is no program", architecture.name);
            let [channels, height, width] = architecture.input;
            for batch in [1, 3] {
                let count = batch * channels * height * width;
                let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
                let images = TensorData::new(values, [batch, channels, height, width]);
                let images = Tensor::<4>::from_data(images, &Device::flex());
                let expected = network.valid().forward(images.clone());
                let found = fast.forward(images);
                let largest = expected.clone().abs().max().into_scalar::<f32>();
                let error = (found - expected).abs().max().into_scalar::<f32>();
                assert!(error < 1e-4 * largest, "{}: {error} of {largest}", architecture.name);
            }
        }
    }
}
