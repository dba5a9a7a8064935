use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, PaddingConfig2d};
use burn::tensor::Device;

use super::init::{Fan, Sampler};
use super::sequence::Sequence;
use crate::{Layer, Op, Shape};

/// A layer with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub layer: Layer,
    pub params: Params,
}

/// The parameters of a layer, in Burn's own modules: their types tell Burn's readers and writers of
/// weight files which tensors PyTorch stores transposed or under other names.
#[derive(Clone, Debug)]
pub(crate) enum Params {
    Conv2d(Conv2d),
    ConvTranspose2d(ConvTranspose2d),
    BatchNorm(BatchNorm),
    Linear(Linear),
    Residual(Box<Paths>),
    None,
}

/// The two paths of a residual block.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub main: Sequence,
    pub shortcut: Sequence,
}

impl Node {
    /// Builds a layer that `input` reaches. The architecture has been checked before.
    pub fn new(layer: Layer, input: Shape, sampler: &mut Sampler, device: &Device) -> Self {
        let params = match (&layer.op, input) {
            (Op::Conv2d { .. }, Shape::Images([channels, _, _])) => {
                Params::Conv2d(conv2d(&layer.op, channels, sampler, device))
            }
            (&Op::ConvTranspose2d { out_channels, kernel }, Shape::Images([channels, _, _])) => {
                let sides = [channels, out_channels, kernel];
                Params::ConvTranspose2d(conv_transpose2d(sides, sampler, device))
            }
            (Op::Residual { main, shortcut }, _) => Params::Residual(Box::new(Paths {
                main: Sequence::new(main, input, sampler, device),
                shortcut: Sequence::new(shortcut, input, sampler, device),
            })),
            (Op::BatchNorm2d, Shape::Images([channels, _, _])) => {
                Params::BatchNorm(BatchNormConfig::new(channels).init(device))
            }
            (&Op::Linear { out_features }, Shape::Features(features)) => {
                Params::Linear(linear(features, out_features, sampler, device))
            }
            _ => Params::None,
        };
        Self { layer, params }
    }

    /// Draws the parameters of a linear layer anew; other layers stay as they are.
    pub fn reset_linear(&mut self, sampler: &mut Sampler, device: &Device) {
        if let Params::Linear(old) = &self.params {
            let [input, output] = old.weight.lazy_shape().dims();
            self.params = Params::Linear(linear(input, output, sampler, device));
        }
    }
}

fn conv2d(op: &Op, in_channels: usize, sampler: &mut Sampler, device: &Device) -> Conv2d {
    let &Op::Conv2d { out_channels, kernel, stride, padding, bias } = op else {
        unreachable!("called for convolutions alone")
    };
    let fan = Fan { input: in_channels * kernel * kernel, output: out_channels * kernel * kernel };
    let weight = sampler.weight(&[out_channels, in_channels, kernel, kernel], fan);
    let bias_values = bias.then(|| sampler.bias(out_channels, fan));
    let config = Conv2dConfig::new([in_channels, out_channels], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(bias);
    Conv2d {
        weight: Param::from_data(weight, device),
        bias: bias_values.map(|values| Param::from_data(values, device)),
        ..config.init(device)
    }
}

fn conv_transpose2d(
    [in_channels, out_channels, kernel]: [usize; 3],
    sampler: &mut Sampler,
    device: &Device,
) -> ConvTranspose2d {
    // PyTorch takes the second dimension of the weight, here the outputs, for the fan's input.
    let area = kernel * kernel;
    let fan = Fan { input: out_channels * area, output: in_channels * area };
    let weight = sampler.weight(&[in_channels, out_channels, kernel, kernel], fan);
    let bias = sampler.bias(out_channels, fan);
    ConvTranspose2d {
        weight: Param::from_data(weight, device),
        bias: Some(Param::from_data(bias, device)),
        ..ConvTranspose2dConfig::new([in_channels, out_channels], [kernel, kernel]).init(device)
    }
}

/// Burn stores `[in_features, out_features]`; the values are drawn in PyTorch's order.
fn linear(input: usize, output: usize, sampler: &mut Sampler, device: &Device) -> Linear {
    let fan = Fan { input, output };
    let drawn: Vec<f32> = sampler.weight(&[output, input], fan).try_to_vec().expect("drawn as f32");
    let transposed = (0..input * output).map(|i| drawn[i % output * input + i / output]).collect();
    let weight = burn::tensor::TensorData::new::<f32, _>(transposed, [input, output]);
    let bias = sampler.bias(output, fan);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}

/// A match over all kinds of parameters; the first arm says what becomes of a module, the second of
/// the paths of a residual block.
macro_rules! each {
    ($params:expr, $m:ident => $call:expr) => {
        match $params {
            Params::Conv2d($m) => Params::Conv2d($call),
            Params::ConvTranspose2d($m) => Params::ConvTranspose2d($call),
            Params::BatchNorm($m) => Params::BatchNorm($call),
            Params::Linear($m) => Params::Linear($call),
            Params::Residual(paths) => Params::Residual(Box::new(Paths {
                main: {
                    let $m = paths.main;
                    $call
                },
                shortcut: {
                    let $m = paths.shortcut;
                    $call
                },
            })),
            Params::None => Params::None,
        }
    };
}

impl Module for Params {
    fn collect_devices(&self, devices: burn::module::Devices) -> burn::module::Devices {
        match self {
            Self::Conv2d(m) => m.collect_devices(devices),
            Self::ConvTranspose2d(m) => m.collect_devices(devices),
            Self::BatchNorm(m) => m.collect_devices(devices),
            Self::Linear(m) => m.collect_devices(devices),
            Self::Residual(p) => p.shortcut.collect_devices(p.main.collect_devices(devices)),
            Self::None => devices,
        }
    }

    fn fork(self, device: &Device) -> Self {
        each!(self, m => m.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        each!(self, m => m.to_device(device))
    }

    fn train(self) -> Self {
        each!(self, m => m.train())
    }

    fn valid(&self) -> Self {
        // Cloning shares the tensors, and `valid` takes them out of the training state.
        each!(self.clone(), m => m.valid())
    }

    fn materialize(self) -> Self {
        each!(self, m => m.materialize())
    }

    fn visit<V: burn::module::ModuleVisitor>(&self, visitor: &mut V) {
        match self {
            Self::Conv2d(m) => m.visit(visitor),
            Self::ConvTranspose2d(m) => m.visit(visitor),
            Self::BatchNorm(m) => m.visit(visitor),
            Self::Linear(m) => m.visit(visitor),
            Self::Residual(p) => {
                p.main.visit(visitor);
                p.shortcut.visit(visitor);
            }
            Self::None => {}
        }
    }

    fn map<M: burn::module::ModuleMapper>(self, mapper: &mut M) -> Self {
        each!(self, m => m.map(mapper))
    }
}
