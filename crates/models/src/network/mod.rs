//! Networks: architectures with their weights on a device.

mod activation;
mod build;
mod cut;
mod dropout;
mod feature_maps;
mod fold;
mod freeze;
mod hooks;
mod inference;
pub(crate) mod initialization;
mod norm;
pub(crate) mod parameter;
pub(crate) mod path;
pub(crate) mod paths;
mod pattern;
mod plain;
mod plan;
mod pointwise;
pub(crate) mod sequence;
pub mod state;
pub(crate) mod step;
pub mod transfer;
mod whiten;

pub use activation::Activation;
pub use inference::InferenceNetwork;
pub use initialization::Initialization;
pub use pattern::NamePattern;

use std::sync::Arc;

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};

use self::initialization::Sampler;
use self::sequence::Sequence;
use self::step::Core;
use crate::{Architecture, ModelError, Shape};

/// The generator that dropout draws from: xoshiro256++, whose numbers are the same everywhere.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// A network: an [`Architecture`] with its weights on a device.
///
/// It is a Burn [`Module`] whose parameters have PyTorch's names, so that Burn's optimizers, freezing
/// by path and readers of weight files work on it as they do on a derived module. Linear weights
/// alone are stored the other way round, `[in_features, out_features]`, as Burn does; [`state`] and
/// files show them in PyTorch's layout.
///
/// A clone is a network of its own: what training does to one, running statistics included, leaves
/// the other as it is.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) architecture: Arc<Architecture>,
    pub(crate) body: Sequence,
}

impl Architecture {
    /// Builds the network on `device`, its weights drawn from `seed`.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    pub fn init(
        &self,
        initialization: Initialization,
        seed: u64,
        device: &Device,
    ) -> Result<Network, ModelError> {
        Network::new(self.clone(), initialization, seed, device)
    }
}

impl Network {
    pub(crate) fn new(
        architecture: Architecture,
        initialization: Initialization,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        architecture.shapes()?;
        let input = Shape::Images(architecture.input);
        let mut sampler = Sampler::new(initialization, seed);
        let body = Sequence::new(&architecture.layers, input, &mut sampler, device);
        let mut network = Self { architecture: Arc::new(architecture), body };
        network.scale_head(&sampler);
        Ok(network)
    }

    /// Scales the weights of the last linear layer, as they were drawn, where an initialization has others for it.
    fn scale_head(&mut self, sampler: &Sampler) {
        let (Some(scale), Some(head)) = (sampler.head_scale(), self.architecture.head()) else {
            return;
        };
        for step in &mut self.body.steps {
            if let Core::Linear { linear, .. } = &mut step.core
                && linear.layer.name == head
            {
                let weight = &mut linear.module.weight;
                *weight = weight.clone().map(|weight| weight.mul_scalar(scale));
            }
        }
    }

    /// The network of layers that are built already.
    fn of_body(name: String, input: [usize; 3], body: Sequence) -> Self {
        let layers = body.nodes().map(|node| node.layer.clone()).collect();
        Self { architecture: Arc::new(Architecture { name, input, layers }), body }
    }

    /// The network as data.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The outputs for `images`, `[batch, channels, height, width]` to `[batch, features]`, without
    /// dropout. Images that come out, such as an autoencoder's, are flattened; see
    /// [`reconstruct`](Self::reconstruct).
    ///
    /// Batch normalization uses the batch's own statistics where the parameters are on a training
    /// device, and the running ones after [`Module::valid`] or if it is [frozen](Self::freeze).
    ///
    /// # Panics
    ///
    /// Panics if `images` are not of the architecture's input size.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.body.run(self.input(images), &mut None).into_features()
    }

    /// As [`forward`](Self::forward), with dropout drawn from `rng`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        self.body.run(self.input(images), &mut Some(rng)).into_features()
    }

    /// As [`forward`](Self::forward), in the shape of the images: what an autoencoder makes of them.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), and if the outputs are not as many as the pixels.
    pub fn reconstruct(&self, images: Tensor<4>) -> Tensor<4> {
        let shape = images.dims();
        self.forward(images).reshape(shape)
    }

    /// The layers with their weights.
    pub(crate) fn body(&self) -> &Sequence {
        &self.body
    }

    /// The images, which must be of the architecture's size.
    fn input(&self, images: Tensor<4>) -> Activation {
        let [_, channels, height, width] = images.dims();
        assert_eq!(
            [channels, height, width],
            self.architecture.input,
            "`{}` takes images of [channels, height, width] on the right, got those on the left",
            self.architecture.name
        );
        Activation::Images(images)
    }

    /// Draws the weights of the linear layer `name` anew.
    pub(crate) fn reset_linear(&mut self, name: &str, initialization: Initialization, seed: u64) {
        let device = self.devices().into_iter().next().unwrap_or_default();
        let mut sampler = Sampler::new(initialization, seed);
        for step in &mut self.body.steps {
            if let Core::Linear { linear, .. } = &mut step.core
                && linear.layer.name == name
            {
                let sizes = linear.module.weight.lazy_shape().dims();
                let bias = linear.module.bias.is_some();
                linear.module = build::linear(sizes, bias, &mut sampler, &device);
            }
        }
        if self.architecture.head() == Some(name) {
            self.scale_head(&sampler);
        }
    }
}

impl Module for Network {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.body.collect_devices(devices)
    }

    fn fork(mut self, device: &Device) -> Self {
        self.body = self.body.fork(device);
        self
    }

    fn to_device(mut self, device: &Device) -> Self {
        self.body = self.body.to_device(device);
        self
    }

    fn train(mut self) -> Self {
        self.body = self.body.train();
        self
    }

    fn valid(&self) -> Self {
        Self { architecture: self.architecture.clone(), body: self.body.valid() }
    }

    fn materialize(mut self) -> Self {
        self.body = self.body.materialize();
        self
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.body.visit(visitor);
    }

    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        self.body = self.body.map(mapper);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cnn, TransferCnn};
    use burn::tensor::TensorData;
    use rand::SeedableRng;

    fn images(n: usize, device: &Device) -> Tensor<4> {
        let values: Vec<f32> = (0..n * 784).map(|i| (i as f32 * 0.05).sin()).collect();
        Tensor::from_data(TensorData::new(values, [n, 1, 28, 28]), device)
    }

    fn logits(network: &Network, seed: Option<u64>) -> Vec<f32> {
        let x = images(3, &Device::flex());
        let y = match seed {
            None => network.forward(x),
            Some(seed) => network.forward_train(x, &mut Rng::seed_from_u64(seed)),
        };
        y.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_weights() {
        let make = |seed| {
            let net = TransferCnn::new(5).architecture();
            logits(&net.init(Initialization::PyTorch, seed, &Device::flex()).unwrap(), None)
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn dropout_acts_in_training_alone_and_follows_its_seed() {
        let net = TransferCnn::new(5).with_dropout(0.3).architecture();
        let net = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        assert_eq!(logits(&net, Some(1)), logits(&net, Some(1)));
        assert_ne!(logits(&net, Some(1)), logits(&net, Some(2)));
        assert_ne!(logits(&net, Some(1)), logits(&net, None));
    }

    #[test]
    fn parameters_are_counted_as_published() {
        // torch: sum(p.numel() for p in net.parameters())
        for (architecture, expected) in [
            (Cnn::cnn2_small(5).architecture(), 51_225),
            (Cnn::cnn3(5).architecture(), 22_975),
            (TransferCnn::new(5).architecture(), 1_056_893),
        ] {
            let net = architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
            assert_eq!(net.num_params(), expected, "{}", architecture.name);
        }
    }

    #[test]
    fn a_hooked_pass_gives_the_same_logits() {
        let net = TransferCnn::new(5).with_dropout(0.3).architecture();
        let net = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        let hooked = net.forward_hooked(images(3, &Device::flex()), |_, _| {});
        let hooked: Vec<f32> = hooked.into_data().try_to_vec().unwrap();
        // The hooked pass computes layer by layer, the other in blocks that round differently.
        for (a, b) in hooked.iter().zip(logits(&net, None)) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }

    #[test]
    fn hooks_see_every_layer_once_and_in_order() {
        let net = Cnn::cnn2_small(5)
            .architecture()
            .init(Initialization::PyTorch, 0, &Device::flex())
            .unwrap();
        let mut seen = Vec::new();
        net.forward_hooked(images(2, &Device::flex()), |name, x| {
            seen.push((name.to_string(), x.dims()))
        });
        let names: Vec<&str> = net.architecture().layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(seen.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), names);
        assert_eq!(seen[0].1, [2, 10, 28, 28]);
        assert_eq!(seen[2].1, [2, 10, 14, 14]);
    }

    #[test]
    #[should_panic(expected = "takes images of [channels, height, width]")]
    fn images_of_another_size_are_refused() {
        let net =
            Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        net.forward(Tensor::zeros([1, 3, 28, 28], &Device::flex()));
    }
}
