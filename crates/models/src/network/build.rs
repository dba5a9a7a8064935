//! Layers with freshly drawn parameters.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::Device;
use selvedge_kernels::{ConvBlockOptions, ConvTransposeBlockOptions, PoolOptions};

use super::initialization::{Fan, Sampler};
use super::norm::Norm;
use super::path::transposed;
use super::plain::{Plain, Pointwise, Spatial};
use super::sequence::{Paths, Sequence};
use super::step::{Built, Core};
use crate::{Layer, Op, Shape};

impl Core {
    /// Builds a layer that `input` reaches. The architecture has been checked before.
    pub fn new(layer: &Layer, input: Shape, sampler: &mut Sampler, device: &Device) -> Self {
        let [channels, ..] = input.as_images();
        let layer = layer.clone();
        let plain = match layer.op {
            Op::Conv2d { out_channels, kernel, stride, padding, bias } => {
                let conv = Conv2dConfig::new([channels, out_channels], [kernel; 2])
                    .with_stride([stride; 2])
                    .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
                    .with_bias(bias);
                let options = ConvBlockOptions {
                    stride: [stride; 2],
                    padding: [padding; 2],
                    ..ConvBlockOptions::default()
                };
                let conv = Built { module: conv2d(&conv, sampler, device), layer };
                return Self::Conv { conv, options, dropout: None };
            }
            Op::ConvTranspose2d { out_channels, kernel } => {
                let sides = [channels, out_channels, kernel];
                let conv = Built { module: conv_transpose2d(sides, sampler, device), layer };
                return Self::Decoder { conv, options: ConvTransposeBlockOptions::default() };
            }
            Op::BatchNorm2d => {
                let norm = Built { module: Norm::new(channels, device), layer };
                return Self::Norm { norm, relu: false };
            }
            Op::Linear { out_features } => {
                let module = linear([input.size(), out_features], sampler, device);
                return Self::Linear { linear: Built { module, layer }, relu: false };
            }
            Op::Residual { ref main, ref shortcut } => {
                let module = Box::new(Paths {
                    main: Sequence::new(main, input, sampler, device),
                    shortcut: Sequence::new(shortcut, input, sampler, device),
                });
                return Self::Residual(Built { module, layer });
            }
            Op::Relu => Plain::Pointwise(Pointwise::Relu),
            Op::Sigmoid => Plain::Pointwise(Pointwise::Sigmoid),
            Op::Tanh => Plain::Pointwise(Pointwise::Tanh),
            Op::Dropout { probability } => Plain::Pointwise(Pointwise::Dropout { probability }),
            Op::MaxPool2d { kernel, stride, padding } => {
                let (kernel, stride, padding) = ([kernel; 2], [stride; 2], [padding; 2]);
                Plain::Spatial(Spatial::MaxPool(PoolOptions { kernel, stride, padding }))
            }
            Op::AdaptiveAvgPool2d { size } => Plain::Spatial(Spatial::AdaptiveAvgPool { size }),
            Op::Upsample { scale } => Plain::Spatial(Spatial::Upsample { scale }),
            Op::ChannelDropout { probability } => {
                Plain::Spatial(Spatial::ChannelDropout { probability })
            }
            Op::Flatten => Plain::Flatten,
        };
        Self::Plain(Built { module: plain, layer })
    }
}

fn conv2d(config: &Conv2dConfig, sampler: &mut Sampler, device: &Device) -> Conv2d {
    let ([in_channels, out_channels], [height, width]) = (config.channels, config.kernel_size);
    let fan = Fan { input: in_channels * height * width, output: out_channels * height * width };
    let weight = sampler.weight(&[out_channels, in_channels, height, width], fan);
    let bias = config.bias.then(|| sampler.bias(out_channels, fan));
    Conv2d {
        weight: Param::from_data(weight, device),
        bias: bias.map(|values| Param::from_data(values, device)),
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
pub(super) fn linear(
    [input, output]: [usize; 2],
    sampler: &mut Sampler,
    device: &Device,
) -> Linear {
    let fan = Fan { input, output };
    let weight = transposed(sampler.weight(&[output, input], fan)).expect("it is a matrix");
    let bias = sampler.bias(output, fan);
    Linear { weight: Param::from_data(weight, device), bias: Some(Param::from_data(bias, device)) }
}
