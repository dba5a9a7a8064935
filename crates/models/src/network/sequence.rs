use std::sync::Arc;

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, RunningState};
use burn::nn::BatchNorm;
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::module::{adaptive_avg_pool2d, interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};
use selvedge_kernels::{
    BatchNormOptions, ConvBlockOptions, conv_block, conv_block_scaled, conv_transpose_block,
    linear, linear_of_channels, max_pool,
};

use super::dropout;
use super::init::Sampler;
use super::node::{Node, Params, Paths};
use super::plan::{Step, plan};
use crate::{Activation, Layer, Op, Rng, Shape};

/// Layers, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub nodes: Vec<Node>,
    plan: Arc<[Step]>,
}

/// What a pass shows: the path of a layer within the network, and its output.
pub(crate) type Tap<'a> = &'a mut dyn FnMut(&str, &Activation);

impl Sequence {
    /// Builds the layers that `input` reaches. They have been checked before.
    pub fn new(layers: &[Layer], input: Shape, sampler: &mut Sampler, device: &Device) -> Self {
        let mut shape = input;
        let mut nodes = Vec::with_capacity(layers.len());
        for layer in layers {
            nodes.push(Node::new(layer.clone(), shape, sampler, device));
            shape = layer.op.apply(shape).expect("the architecture was checked");
        }
        Self { nodes, plan: plan(layers).into() }
    }

    /// Layers that exist already, one after the other.
    pub fn of(nodes: Vec<Node>) -> Self {
        let layers: Vec<Layer> = nodes.iter().map(|node| node.layer.clone()).collect();
        Self { nodes, plan: plan(&layers).into() }
    }

    /// The output, computed in blocks. Dropout acts if there is a generator to draw from.
    pub fn run(&self, mut x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
        for planned in self.plan.iter() {
            match planned {
                Step::Layer(i) => x = step(&self.nodes[*i], x, rng),
                Step::Block { conv, options, dropout } => {
                    let dropout = dropout.zip(rng.as_deref_mut());
                    x = Activation::Images(block(&self.nodes[*conv], x, options, dropout));
                }
                Step::Linear { linear, relu } => {
                    x = linear_block(&self.nodes[*linear], x, None, *relu);
                }
                Step::FlatLinear { linear, relu } => {
                    let images = x.into_images();
                    let [_, _, height, width] = images.dims();
                    // Without dropout there are no zeros to look for.
                    let channel = rng.is_some().then_some(height * width);
                    let flat = Activation::Features(images.flatten(1, 3));
                    x = linear_block(&self.nodes[*linear], flat, channel, *relu);
                }
                Step::Decoder { conv, options } => {
                    let Params::ConvTranspose2d(conv) = &self.nodes[*conv].params else {
                        unreachable!("planned for a transposed convolution")
                    };
                    let bias = conv.bias.as_ref().map(|bias| bias.val());
                    let y = conv_transpose_block(x.into_images(), conv.weight.val(), bias, options);
                    x = Activation::Images(y);
                }
                Step::Norm { norm, relu } => {
                    let Params::BatchNorm(norm) = &self.nodes[*norm].params else {
                        unreachable!("planned for a batch normalisation")
                    };
                    x = Activation::Images(batch_norm(norm, x.into_images(), *relu));
                }
                Step::Pool { pool } => x = Activation::Images(max_pool(x.into_images(), pool)),
            }
        }
        x
    }

    /// The output without dropout, computed layer by layer and shown to `tap` under the names that
    /// begin with `prefix`.
    pub fn run_tapped(&self, mut x: Activation, prefix: &str, tap: Tap<'_>) -> Activation {
        for node in &self.nodes {
            let name = format!("{prefix}{}", node.layer.name);
            x = match &node.params {
                Params::Residual(paths) => {
                    let inner = format!("{name}.");
                    let main = paths.main.run_tapped(x.clone(), &inner, tap);
                    add(main, paths.shortcut.run_tapped(x, &inner, tap))
                }
                _ => step(node, x, &mut None),
            };
            tap(&name, &x);
        }
        x
    }

    /// Replaces the running statistics, which clones share, by copies.
    pub fn own_statistics(&mut self) {
        for node in &mut self.nodes {
            match &mut node.params {
                Params::BatchNorm(norm) => {
                    norm.running_mean = RunningState::new(norm.running_mean.value_sync());
                    norm.running_var = RunningState::new(norm.running_var.value_sync());
                }
                Params::Residual(paths) => {
                    paths.main.own_statistics();
                    paths.shortcut.own_statistics();
                }
                _ => {}
            }
        }
    }

    fn each(mut self, mut change: impl FnMut(Params) -> Params) -> Self {
        for node in &mut self.nodes {
            let params = std::mem::replace(&mut node.params, Params::None);
            node.params = change(params);
        }
        self
    }
}

/// A convolution with what follows it: also channel dropout, if a probability and a generator to draw
/// from are given.
fn block(
    node: &Node,
    x: Activation,
    options: &ConvBlockOptions,
    dropout: Option<(f64, &mut Rng)>,
) -> Tensor<4> {
    let Params::Conv2d(conv) = &node.params else {
        unreachable!("a block begins with a convolution")
    };
    let x = x.into_images();
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().map(|bias| bias.val()));
    match dropout {
        Some((probability, rng)) => {
            let shape = [x.dims()[0], weight.dims()[0]];
            let factors = dropout::factors(shape, probability, rng, &x.device());
            conv_block_scaled(x, weight, bias, factors, options)
        }
        None => conv_block(x, weight, bias, options),
    }
}

/// A linear layer, with the ReLU that may follow it. `channel` is the number of adjacent features that
/// were a channel, if some of those may be zero.
fn linear_block(node: &Node, x: Activation, channel: Option<usize>, relu: bool) -> Activation {
    match (&node.params, x) {
        (Params::Linear(layer), Activation::Features(x)) => {
            let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()));
            Activation::Features(match channel {
                Some(channel) => linear_of_channels(x, weight, bias, relu, channel),
                None => linear(x, weight, bias, relu),
            })
        }
        (_, x) => unreachable!("{:?} was checked not to meet {:?}", node.layer.op, x.dims()),
    }
}

/// One layer.
fn step(node: &Node, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
    use Activation::{Features, Images};
    match (&node.params, x) {
        (Params::Conv2d(conv), Images(x)) => Images(conv.forward(x)),
        (Params::ConvTranspose2d(conv), Images(x)) => Images(conv.forward(x)),
        (Params::BatchNorm(norm), Images(x)) => Images(batch_norm(norm, x, false)),
        (Params::Linear(linear), Features(x)) => Features(linear.forward(x)),
        (Params::Residual(paths), x) => residual(paths, x, rng),
        (_, Images(x)) => on_images(&node.layer.op, x, rng),
        (_, Features(x)) => Features(on_features(&node.layer.op, x, rng)),
    }
}

/// Batch normalisation as PyTorch does it, with or without ReLU; a frozen one as in inference. Burn's
/// own differs in one thing: while training it moves the running variance towards the batch's biased
/// variance (÷ n), PyTorch towards the unbiased one (÷ (n - 1)).
fn batch_norm(norm: &BatchNorm, x: Tensor<4>, with_relu: bool) -> Tensor<4> {
    if !(x.device().is_autodiff() && norm.training.is_enabled()) {
        let y = norm.forward(x);
        return if with_relu { relu(y) } else { y };
    }
    let [batch, _, height, width] = x.dims();
    let n = (batch * height * width) as f64;
    let options = BatchNormOptions { epsilon: norm.epsilon, relu: with_relu };
    let result = selvedge_kernels::batch_norm(x, norm.gamma.val(), norm.beta.val(), options);
    let update = |running: &RunningState<Tensor<1>>, value: Tensor<1>| {
        let kept = running.value_sync() * (1.0 - norm.momentum);
        running.update((kept + value.detach() * norm.momentum).detach());
    };
    update(&norm.running_mean, result.mean);
    // One value a channel has no variance: PyTorch refuses it, here it counts as 0.
    update(&norm.running_var, result.variance * (n / (n - 1.0).max(1.0)));
    result.output
}

fn residual(paths: &Paths, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
    let main = paths.main.run(x.clone(), rng);
    add(main, paths.shortcut.run(x, rng))
}

fn add(a: Activation, b: Activation) -> Activation {
    use Activation::{Features, Images};
    match (a, b) {
        (Images(a), Images(b)) => Images(a + b),
        (Features(a), Features(b)) => Features(a + b),
        (a, b) => unreachable!("checked to agree: {:?} and {:?}", a.dims(), b.dims()),
    }
}

/// An operation without parameters on images.
fn on_images(op: &Op, x: Tensor<4>, rng: &mut Option<&mut Rng>) -> Activation {
    Activation::Images(match *op {
        Op::Relu => relu(x),
        Op::Sigmoid => sigmoid(x),
        Op::Tanh => tanh(x),
        Op::MaxPool2d { kernel, stride, padding } => {
            let options = MaxPoolOptions::new([kernel; 2])
                .with_stride([stride; 2])
                .with_padding([padding; 2]);
            max_pool2d(x, options)
        }
        Op::AdaptiveAvgPool2d { size } => adaptive_avg_pool2d(x, [size; 2]),
        Op::Upsample { scale } => {
            let [_, _, height, width] = x.dims();
            let options = InterpolateOptions::new(InterpolateMode::Nearest)
                .with_output_size([height * scale, width * scale]);
            interpolate(x, options)
        }
        Op::Flatten => return Activation::Features(x.flatten(1, 3)),
        Op::Dropout { probability } => match rng {
            Some(rng) => dropout::values(x, probability, rng),
            None => x,
        },
        Op::ChannelDropout { probability } => match rng {
            Some(rng) => dropout::channels(x, probability, rng),
            None => x,
        },
        _ => unreachable!("{op:?} was checked not to meet images"),
    })
}

/// An operation without parameters on features.
fn on_features(op: &Op, x: Tensor<2>, rng: &mut Option<&mut Rng>) -> Tensor<2> {
    match *op {
        Op::Relu => relu(x),
        Op::Sigmoid => sigmoid(x),
        Op::Tanh => tanh(x),
        Op::Dropout { probability } => match rng {
            Some(rng) => dropout::values(x, probability, rng),
            None => x,
        },
        _ => unreachable!("{op:?} was checked not to meet features"),
    }
}

/// The type that burn-store sees around a layer, as its own derive would name it.
const CONTAINER: &str = "Struct:Network";

impl Module for Sequence {
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

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Distribution, TensorData};
    use rand::SeedableRng;

    use super::*;
    use crate::{Init, TransferCnn, state};

    #[test]
    fn blocks_with_dropout_compute_what_their_layers_do() {
        let device = Device::flex().autodiff();
        device.seed(1);
        let network = TransferCnn::new(5).with_dropout(0.3).architecture();
        let network = network.init(Init::PyTorch, 1, &device).unwrap();
        let sequence = network.body();
        assert!(sequence.plan.iter().any(|step| matches!(step, Step::FlatLinear { .. })));
        let x = Tensor::<4>::random([20, 1, 28, 28], Distribution::Uniform(0.0, 1.0), &device);
        // The logits and all gradients; the same seed gives the same masks.
        let run = |in_blocks: bool| {
            let (mut rng, x) = (Rng::seed_from_u64(3), Activation::Images(x.clone()));
            let rng = &mut Some(&mut rng);
            let y = match in_blocks {
                true => sequence.run(x, rng),
                false => sequence.nodes.iter().fold(x, |x, node| step(node, x, rng)),
            };
            let Activation::Features(logits) = y else { panic!("a classifier") };
            let grads = (logits.clone() * logits.clone()).sum().backward();
            let grads = GradientsParams::from_grads(grads, &network);
            let mut all = state::gradients(&network, &grads);
            all.insert("logits".into(), logits.into_data());
            all
        };
        let (blocks, layers) = (run(true), run(false));
        assert_eq!(blocks.len(), 1 + 10, "logits, five weights and five biases");
        for (name, a) in blocks {
            let numbers = |data: &TensorData| data.clone().try_to_vec::<f32>().unwrap();
            let (a, b) = (numbers(&a), numbers(&layers[&name]));
            let largest = b.iter().fold(0.0_f32, |largest, b| largest.max(b.abs()));
            assert!(largest > 0.0, "{name}");
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-4 * largest, "{name}: {a} and {b}");
            }
        }
    }
}
