use std::sync::Arc;

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, activation::relu, module::max_pool2d};
use selvedge_kernels::{ConvBlockOptions, conv_block};

use crate::init::Sampler;
use crate::node::{Node, Params};
use crate::plan::{Step, plan};
use crate::{Activation, Architecture, Init, ModelError, Op, Shape, dropout};

/// The generator that dropout draws from: xoshiro256++, whose numbers are the same everywhere.
pub type Rng = rand::rngs::Xoshiro256PlusPlus;

/// A network: an [`Architecture`] with its weights on a device.
///
/// It is a Burn [`Module`] whose parameters have PyTorch's names, so that Burn's optimizers, freezing
/// by path and readers of weight files work on it as they do on a derived module. Linear weights
/// alone are stored the other way round, `[in_features, out_features]`, as Burn does.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Arc<Architecture>,
    plan: Arc<[Step]>,
    nodes: Vec<Node>,
}

impl Network {
    pub(crate) fn new(
        architecture: Architecture,
        init: Init,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let shapes = architecture.shapes()?;
        let mut sampler = Sampler::new(init, seed);
        let mut input = Shape::Images(architecture.input);
        let mut nodes = Vec::with_capacity(shapes.len());
        for (layer, output) in architecture.layers.iter().zip(shapes) {
            nodes.push(Node::new(layer.clone(), input, &mut sampler, device));
            input = output;
        }
        let plan = plan(&architecture.layers).into();
        let architecture = Arc::new(architecture);
        Ok(Self { architecture, plan, nodes })
    }

    /// The network as data.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The outputs for `images`, `[batch, channels, height, width]` to `[batch, features]`, without
    /// dropout.
    ///
    /// Batch normalisation uses the batch's own statistics where the parameters are on a training
    /// device, and the running ones after [`Module::valid`].
    ///
    /// # Panics
    ///
    /// Panics if `images` are not of the architecture's input size.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.run(images, None)
    }

    /// As [`forward`](Self::forward), with dropout drawn from `rng`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_train(&self, images: Tensor<4>, rng: &mut Rng) -> Tensor<2> {
        self.run(images, Some(rng))
    }

    /// As [`forward`](Self::forward), showing `tap` the name and the output of every layer.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_tapped(
        &self,
        images: Tensor<4>,
        mut tap: impl FnMut(&str, &Activation),
    ) -> Tensor<2> {
        let mut x = self.input(images);
        for node in &self.nodes {
            x = step(node, x, None);
            tap(&node.layer.name, &x);
        }
        x.into_features()
    }

    fn run(&self, images: Tensor<4>, mut rng: Option<&mut Rng>) -> Tensor<2> {
        let mut x = self.input(images);
        for planned in self.plan.iter() {
            match planned {
                Step::Layer(i) => x = step(&self.nodes[*i], x, rng.as_deref_mut()),
                Step::Block { conv, options, dropout } => {
                    x = Activation::Images(block(&self.nodes[*conv], x.into_images(), options));
                    if let Some(i) = dropout {
                        x = step(&self.nodes[*i], x, rng.as_deref_mut());
                    }
                }
            }
        }
        x.into_features()
    }

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
    pub(crate) fn reset_linear(&mut self, name: &str, init: Init, seed: u64) {
        let device = self.devices().into_iter().next().unwrap_or_default();
        let mut sampler = Sampler::new(init, seed);
        for node in self.nodes.iter_mut().filter(|n| n.layer.name == name) {
            node.reset_linear(&mut sampler, &device);
        }
    }
}

/// A convolution with what follows it.
fn block(node: &Node, x: Tensor<4>, options: &ConvBlockOptions) -> Tensor<4> {
    let Params::Conv2d(conv) = &node.params else {
        unreachable!("a block begins with a convolution")
    };
    conv_block(x, conv.weight.val(), conv.bias.as_ref().map(|bias| bias.val()), options)
}

/// One layer.
fn step(node: &Node, x: Activation, rng: Option<&mut Rng>) -> Activation {
    use Activation::{Features, Images};
    match (&node.layer.op, &node.params, x) {
        (_, Params::Conv2d(conv), Images(x)) => Images(conv.forward(x)),
        (_, Params::BatchNorm(norm), Images(x)) => Images(norm.forward(x)),
        (_, Params::Linear(linear), Features(x)) => Features(linear.forward(x)),
        (Op::Relu, _, Images(x)) => Images(relu(x)),
        (Op::Relu, _, Features(x)) => Features(relu(x)),
        (&Op::MaxPool2d { kernel, stride }, _, Images(x)) => {
            let options = MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]);
            Images(max_pool2d(x, options))
        }
        (Op::Flatten, _, x) => Features(x.into_features()),
        (&Op::Dropout { probability }, _, x) => match (rng, x) {
            (None, x) => x,
            (Some(rng), Images(x)) => Images(dropout::values(x, probability, rng)),
            (Some(rng), Features(x)) => Features(dropout::values(x, probability, rng)),
        },
        (&Op::ChannelDropout { probability }, _, Images(x)) => Images(match rng {
            None => x,
            Some(rng) => dropout::channels(x, probability, rng),
        }),
        (op, _, x) => unreachable!("{op:?} was checked not to meet {:?}", x.dims()),
    }
}

/// The type that burn-store sees around a layer; its own derive would print the same.
const CONTAINER: &str = "Struct:Network";

impl Module for Network {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.nodes.iter().fold(devices, |devices, n| n.params.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|params| params.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|params| params.to_device(device))
    }

    fn train(self) -> Self {
        self.each(Module::train)
    }

    fn valid(&self) -> Self {
        self.clone().each(|params| params.valid())
    }

    fn materialize(self) -> Self {
        self.each(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for Node { layer, params } in &self.nodes {
            visitor.enter_module(&layer.name, CONTAINER);
            params.visit(visitor);
            visitor.exit_module(&layer.name, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        for node in &mut self.nodes {
            let params = std::mem::replace(&mut node.params, Params::None);
            mapper.enter_module(&node.layer.name, CONTAINER);
            node.params = params.map(mapper);
            mapper.exit_module(&node.layer.name, CONTAINER);
        }
        self
    }
}

impl Network {
    fn each(mut self, mut change: impl FnMut(Params) -> Params) -> Self {
        for node in &mut self.nodes {
            let params = std::mem::replace(&mut node.params, Params::None);
            node.params = change(params);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cnn, TransferCnn};
    use rand::SeedableRng;

    fn images(n: usize, device: &Device) -> Tensor<4> {
        let values: Vec<f32> = (0..n * 784).map(|i| (i as f32 * 0.05).sin()).collect();
        Tensor::from_data(burn::tensor::TensorData::new(values, [n, 1, 28, 28]), device)
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
            logits(&net.init(Init::PyTorch, seed, &Device::flex()).unwrap(), None)
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn dropout_acts_in_training_alone_and_follows_its_seed() {
        let net = TransferCnn::new(5).with_dropout(0.3).architecture();
        let net = net.init(Init::PyTorch, 1, &Device::flex()).unwrap();
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
            let net = architecture.init(Init::PyTorch, 0, &Device::flex()).unwrap();
            assert_eq!(net.num_params(), expected, "{}", architecture.name);
        }
    }

    #[test]
    fn a_tapped_pass_gives_the_same_logits() {
        let net = TransferCnn::new(5).with_dropout(0.3).architecture();
        let net = net.init(Init::PyTorch, 1, &Device::flex()).unwrap();
        let tapped = net.forward_tapped(images(3, &Device::flex()), |_, _| {});
        let tapped: Vec<f32> = tapped.into_data().try_to_vec().unwrap();
        // The tapped pass computes layer by layer, the other in blocks that round differently.
        for (a, b) in tapped.iter().zip(logits(&net, None)) {
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
        }
    }

    #[test]
    fn taps_see_every_layer_once_and_in_order() {
        let net =
            Cnn::cnn2_small(5).architecture().init(Init::PyTorch, 0, &Device::flex()).unwrap();
        let mut seen = Vec::new();
        net.forward_tapped(images(2, &Device::flex()), |name, x| {
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
        let net = Cnn::cnn2(5).architecture().init(Init::PyTorch, 0, &Device::flex()).unwrap();
        net.forward(Tensor::zeros([1, 3, 28, 28], &Device::flex()));
    }
}
