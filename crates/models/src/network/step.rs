//! Layers with their parameters, and those that are computed together.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::nn::{GroupNorm, LayerNorm, Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor, ops::PadMode};
use selvedge_kernels::{
    ConvBlockOptions, ConvTransposeBlockOptions, DepthwiseConvOptions, FusedActivation, conv_block,
    conv_block_scaled, conv_transpose_block, depthwise_conv, linear, linear_of_channels,
};

use super::dropout;
use super::norm::Norm;
use super::paths::Paths;
use super::plain::Plain;
use crate::{Activation, Layer, Rng};

/// A layer of an architecture with what it computes with.
#[derive(Clone, Debug)]
pub(crate) struct Built<M> {
    pub layer: Layer,
    pub module: M,
}

impl<M> Built<M> {
    fn map(self, change: impl FnOnce(M) -> M) -> Self {
        Self { layer: self.layer, module: change(self.module) }
    }
}

impl Built<Plain> {
    fn node(&self) -> Node<'_> {
        Node { layer: &self.layer, params: Params::None(self.module) }
    }
}

/// Layers that are computed together: at most one of them has parameters.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What stands before it and is computed with it: an upsampling or a flattening.
    pub before: Option<Built<Plain>>,
    pub core: Core,
    /// What follows it and is computed with it.
    pub after: Vec<Built<Plain>>,
}

/// What a step computes, in one operation with the layers around it.
///
/// The parameters are in Burn's own modules: their types tell Burn's readers and writers of weight
/// files which tensors PyTorch stores transposed or under other names.
#[derive(Clone, Debug)]
pub(crate) enum Core {
    /// A convolution with the activation and the max-pool that follow it, in either order: both activations
    /// grow with x, so that they may trade places with a maximum. A channel dropout among them, given by its
    /// probability, is applied after them: it multiplies by a number that is not negative, which may
    /// trade places with a maximum and ReLU; not with ReLU6, which stands before it or is a step of its own.
    Conv { conv: Built<Conv2d>, options: ConvBlockOptions, dropout: Option<f64> },
    /// A convolution in groups, or with a dilated kernel, with the activation that follows it.
    GroupedConv { conv: Built<Conv2d>, activation: FusedActivation },
    /// A transposed convolution, with the upsampling before it and the ReLU that follows it.
    Decoder { conv: Built<ConvTranspose2d>, options: ConvTransposeBlockOptions },
    /// A transposed convolution in groups, or with a dilated kernel.
    GroupedDecoder(Built<ConvTranspose2d>),
    /// A linear layer, with the ReLU that follows it. The flattening before it is part of the step
    /// where whole channels may have been dropped: no gradient flows back into those.
    Linear { linear: Built<Linear>, relu: bool },
    /// A batch normalization, with the activation that follows it.
    Norm { norm: Built<Norm>, activation: FusedActivation },
    /// A normalization over groups of channels.
    GroupNorm(Built<GroupNorm>),
    /// A normalization over the channels of a pixel, or over features.
    LayerNorm(Built<LayerNorm>),
    /// A block of several paths, with the activation that follows the sum of them.
    Paths { paths: Built<Box<Paths>>, activation: FusedActivation },
    /// A layer without parameters, on its own.
    Plain(Built<Plain>),
}

/// A single layer of a network, with its parameters.
#[derive(Clone, Copy)]
pub(crate) struct Node<'a> {
    pub layer: &'a Layer,
    pub params: Params<'a>,
}

/// The parameters of a layer.
#[derive(Clone, Copy)]
pub(crate) enum Params<'a> {
    Conv2d(&'a Conv2d),
    ConvTranspose2d(&'a ConvTranspose2d),
    BatchNorm(&'a Norm),
    GroupNorm(&'a GroupNorm),
    LayerNorm(&'a LayerNorm),
    Linear(&'a Linear),
    Paths(&'a Paths),
    None(Plain),
}

impl From<Core> for Step {
    /// A layer that is computed alone.
    fn from(core: Core) -> Self {
        Self { before: None, core, after: Vec::new() }
    }
}

impl Step {
    /// The output. Dropout acts if there is a generator to draw from.
    pub fn run(&self, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
        match &self.core {
            Core::Conv { conv, options, dropout } => {
                let dropout = dropout.zip(rng.as_deref_mut());
                Activation::Images(conv_step(&conv.module, x.into_images(), options, dropout))
            }
            Core::Decoder { conv, options } => {
                let conv = &conv.module;
                let bias = conv.bias.as_ref().map(|bias| bias.val());
                let y = conv_transpose_block(x.into_images(), conv.weight.val(), bias, options);
                Activation::Images(y)
            }
            Core::Linear { linear, relu } => {
                // Images reach it if their flattening is part of the step. Without dropout there are
                // no channels of zeros to look for.
                let channel = match &x {
                    Activation::Images(x) if rng.is_some() => {
                        let [_, _, height, width] = x.dims();
                        Some(height * width)
                    }
                    _ => None,
                };
                let y = linear_step(&linear.module, x.into_features(), channel, *relu);
                Activation::Features(y)
            }
            Core::GroupedConv { conv, activation } => {
                Activation::Images(grouped_step(&conv.module, x.into_images(), *activation))
            }
            Core::GroupedDecoder(conv) => Activation::Images(conv.module.forward(x.into_images())),
            Core::Norm { norm, activation } => norm.module.run(x, *activation),
            Core::GroupNorm(norm) => group_norm(&norm.module, x),
            Core::LayerNorm(norm) => layer_norm(&norm.module, x),
            Core::Paths { paths, activation } => {
                paths.module.run(x, *activation, |path, x| path.run(x, rng))
            }
            Core::Plain(plain) => plain.module.run(x, rng),
        }
    }

    /// Its layers in their order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        let core = Node { layer: self.core.layer(), params: self.core.params() };
        let (before, after) = (self.before.iter(), self.after.iter());
        before.map(Built::node).chain([core]).chain(after.map(Built::node))
    }

    /// Its layers, each a step of its own.
    pub fn into_single(self) -> impl Iterator<Item = Self> {
        let before = self.before.map(|plain| Core::Plain(plain).into());
        let after = self.after.into_iter().map(|plain| Core::Plain(plain).into());
        before.into_iter().chain([self.core.alone().into()]).chain(after)
    }
}

impl Core {
    /// The layer that the step is named after.
    pub fn layer(&self) -> &Layer {
        match self {
            Self::Conv { conv, .. } => &conv.layer,
            Self::Decoder { conv, .. } => &conv.layer,
            Self::Linear { linear, .. } => &linear.layer,
            Self::GroupedConv { conv, .. } => &conv.layer,
            Self::GroupedDecoder(conv) => &conv.layer,
            Self::Norm { norm, .. } => &norm.layer,
            Self::GroupNorm(norm) => &norm.layer,
            Self::LayerNorm(norm) => &norm.layer,
            Self::Paths { paths, .. } => &paths.layer,
            Self::Plain(plain) => &plain.layer,
        }
    }

    fn params(&self) -> Params<'_> {
        match self {
            Self::Conv { conv, .. } => Params::Conv2d(&conv.module),
            Self::Decoder { conv, .. } => Params::ConvTranspose2d(&conv.module),
            Self::Linear { linear, .. } => Params::Linear(&linear.module),
            Self::GroupedConv { conv, .. } => Params::Conv2d(&conv.module),
            Self::GroupedDecoder(conv) => Params::ConvTranspose2d(&conv.module),
            Self::Norm { norm, .. } => Params::BatchNorm(&norm.module),
            Self::GroupNorm(norm) => Params::GroupNorm(&norm.module),
            Self::LayerNorm(norm) => Params::LayerNorm(&norm.module),
            Self::Paths { paths, .. } => Params::Paths(&paths.module),
            Self::Plain(plain) => Params::None(plain.module),
        }
    }

    /// The same without what stands around it.
    fn alone(self) -> Self {
        match self {
            Self::Conv { conv, options, .. } => {
                let options =
                    ConvBlockOptions { activation: FusedActivation::None, pool: None, ..options };
                Self::Conv { conv, options, dropout: None }
            }
            Self::Decoder { conv, options } => {
                let options =
                    ConvTransposeBlockOptions { upsample: [1; 2], relu: false, ..options };
                Self::Decoder { conv, options }
            }
            Self::Linear { linear, .. } => Self::Linear { linear, relu: false },
            Self::Norm { norm, .. } => Self::Norm { norm, activation: FusedActivation::None },
            Self::GroupedConv { conv, .. } => {
                Self::GroupedConv { conv, activation: FusedActivation::None }
            }
            Self::Paths { paths, .. } => Self::Paths { paths, activation: FusedActivation::None },
            Self::GroupedDecoder(_) | Self::GroupNorm(_) | Self::LayerNorm(_) | Self::Plain(_) => {
                self
            }
        }
    }
}

/// A convolution with what follows it: also channel dropout, if a probability and a generator to draw
/// from are given.
fn conv_step(
    conv: &Conv2d,
    x: Tensor<4>,
    options: &ConvBlockOptions,
    dropout: Option<(f64, &mut Rng)>,
) -> Tensor<4> {
    let (weight, bias) = (conv.weight.val(), conv.bias.as_ref().map(|bias| bias.val()));
    let x = match conv.padding {
        // Padding that differs is not among the options: they have none then.
        PaddingConfig2d::Explicit(top, left, bottom, right) if [top, left] != [bottom, right] => {
            x.pad([(top, bottom), (left, right)], PadMode::Constant(0.0))
        }
        _ => x,
    };
    match dropout {
        Some((probability, rng)) => {
            let shape = [x.dims()[0], weight.dims()[0]];
            let factors = dropout::factors(shape, probability, rng, &x.device());
            conv_block_scaled(x, weight, bias, factors, options)
        }
        None => conv_block(x, weight, bias, options),
    }
}

/// A convolution in groups, or with a dilated kernel, and what follows it.
fn grouped_step(conv: &Conv2d, x: Tensor<4>, activation: FusedActivation) -> Tensor<4> {
    let [out_channels, in_a_group, _, _] = conv.weight.dims();
    let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else {
        return activation.apply(conv.forward(x));
    };
    if [in_a_group, conv.groups] != [1, out_channels] || conv.dilation != [1, 1] {
        return activation.apply(conv.forward(x));
    }
    let padding = [[top, bottom], [left, right]];
    let options = DepthwiseConvOptions { stride: conv.stride, padding, activation };
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    depthwise_conv(x, conv.weight.val(), bias, options)
}

/// A linear layer, with the ReLU that may follow it. `channel` is the number of adjacent features that
/// were a channel, if some of those may be zero.
fn linear_step(layer: &Linear, x: Tensor<2>, channel: Option<usize>, relu: bool) -> Tensor<2> {
    let (weight, bias) = (layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()));
    match channel {
        Some(channel) => linear_of_channels(x, weight, bias, relu, channel),
        None => linear(x, weight, bias, relu),
    }
}

/// The normalization over groups of channels, of images or features.
pub(super) fn group_norm(norm: &GroupNorm, x: Activation) -> Activation {
    match x {
        Activation::Images(x) => Activation::Images(norm.forward(x)),
        Activation::Features(x) => Activation::Features(norm.forward(x)),
    }
}

/// The normalization over the channels of each pixel, or over the features of each image.
pub(super) fn layer_norm(norm: &LayerNorm, x: Activation) -> Activation {
    match x {
        Activation::Images(x) => {
            let y = norm.forward(x.permute([0, 2, 3, 1]));
            Activation::Images(y.permute([0, 3, 1, 2]))
        }
        Activation::Features(x) => Activation::Features(norm.forward(x)),
    }
}

/// The same core, its module `$m` replaced by `$call`.
macro_rules! each {
    ($core:expr, $m:ident => $call:expr) => {
        match $core {
            Core::Conv { conv, options, dropout } => {
                Core::Conv { conv: conv.map(|$m| $call), options, dropout }
            }
            Core::Decoder { conv, options } => {
                Core::Decoder { conv: conv.map(|$m| $call), options }
            }
            Core::Linear { linear, relu } => Core::Linear { linear: linear.map(|$m| $call), relu },
            Core::GroupedConv { conv, activation } => {
                Core::GroupedConv { conv: conv.map(|$m| $call), activation }
            }
            Core::GroupedDecoder(conv) => Core::GroupedDecoder(conv.map(|$m| $call)),
            Core::Norm { norm, activation } => {
                Core::Norm { norm: norm.map(|$m| $call), activation }
            }
            Core::GroupNorm(norm) => Core::GroupNorm(norm.map(|$m| $call)),
            Core::LayerNorm(norm) => Core::LayerNorm(norm.map(|$m| $call)),
            Core::Paths { paths, activation } => {
                let change = |paths: Box<Paths>| {
                    let $m = *paths;
                    Box::new($call)
                };
                Core::Paths { paths: paths.map(change), activation }
            }
            Core::Plain(plain) => Core::Plain(plain),
        }
    };
}

/// The type that burn-store sees around a layer, as its own derive would name it.
const CONTAINER: &str = "Struct:Network";

impl Step {
    fn with_core(self, change: impl FnOnce(Core) -> Core) -> Self {
        Self { core: change(self.core), ..self }
    }
}

impl Module for Step {
    fn collect_devices(&self, devices: Devices) -> Devices {
        match &self.core {
            Core::Conv { conv, .. } => conv.module.collect_devices(devices),
            Core::Decoder { conv, .. } => conv.module.collect_devices(devices),
            Core::Linear { linear, .. } => linear.module.collect_devices(devices),
            Core::GroupedConv { conv, .. } => conv.module.collect_devices(devices),
            Core::GroupedDecoder(conv) => conv.module.collect_devices(devices),
            Core::Norm { norm, .. } => norm.module.collect_devices(devices),
            Core::GroupNorm(norm) => norm.module.collect_devices(devices),
            Core::LayerNorm(norm) => norm.module.collect_devices(devices),
            Core::Paths { paths, .. } => paths.module.collect_devices(devices),
            Core::Plain(_) => devices,
        }
    }

    fn fork(self, device: &Device) -> Self {
        self.with_core(|core| each!(core, m => m.fork(device)))
    }

    fn to_device(self, device: &Device) -> Self {
        self.with_core(|core| each!(core, m => m.to_device(device)))
    }

    fn train(self) -> Self {
        self.with_core(|core| each!(core, m => m.train()))
    }

    fn valid(&self) -> Self {
        // Cloning shares the tensors, and `valid` takes them out of the training state.
        self.clone().with_core(|core| each!(core, m => m.valid()))
    }

    fn materialize(self) -> Self {
        self.with_core(|core| each!(core, m => m.materialize()))
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        let name = &self.core.layer().name;
        visitor.enter_module(name, CONTAINER);
        match &self.core {
            Core::Conv { conv, .. } => conv.module.visit(visitor),
            Core::Decoder { conv, .. } => conv.module.visit(visitor),
            Core::Linear { linear, .. } => linear.module.visit(visitor),
            Core::GroupedConv { conv, .. } => conv.module.visit(visitor),
            Core::GroupedDecoder(conv) => conv.module.visit(visitor),
            Core::Norm { norm, .. } => norm.module.visit(visitor),
            Core::GroupNorm(norm) => norm.module.visit(visitor),
            Core::LayerNorm(norm) => norm.module.visit(visitor),
            Core::Paths { paths, .. } => paths.module.visit(visitor),
            Core::Plain(_) => {}
        }
        visitor.exit_module(name, CONTAINER);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        mapper.enter_module(&self.core.layer().name, CONTAINER);
        let mapped = self.with_core(|core| each!(core, m => m.map(mapper)));
        mapper.exit_module(&mapped.core.layer().name, CONTAINER);
        mapped
    }
}
