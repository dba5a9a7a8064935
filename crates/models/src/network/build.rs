//! Layers with freshly drawn parameters.

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{GroupNormConfig, LayerNormConfig, Linear, PaddingConfig2d};
use burn::tensor::Device;
use selvedge_kernels::{ConvBlockOptions, ConvTransposeBlockOptions, FusedActivation, PoolOptions};

use super::initialization::{Fan, Sampler};
use super::norm::Norm;
use super::path::transposed;
use super::paths::Paths;
use super::plain::{AvgPool, Plain, Pointwise, Spatial};
use super::step::{Built, Core};
use crate::{GeluApproximation, Layer, Op, Padding, Shape, Sides};

impl Core {
    /// Builds a layer that `input` reaches. The architecture has been checked before.
    pub fn new(layer: &Layer, input: Shape, sampler: &mut Sampler, device: &Device) -> Self {
        let [channels, ..] = input.as_images();
        let layer = layer.clone();
        if let Some(paths) = Paths::new(&layer.op, input, sampler, device) {
            let paths = Built { module: Box::new(paths), layer };
            return Self::Paths { paths, activation: FusedActivation::None };
        }
        match layer.op {
            Op::Conv2d { out_channels, kernel, stride, padding, bias, dilation, groups } => {
                let Padding { top, bottom, left, right } = padding;
                let config = Conv2dConfig::new([channels, out_channels], kernel.each())
                    .with_stride(stride.each())
                    .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
                    .with_dilation([dilation; 2])
                    .with_groups(groups)
                    .with_bias(bias);
                let conv = Built { module: conv2d(&config, sampler, device), layer };
                if [dilation, groups] != [1, 1] {
                    return Self::GroupedConv { conv, activation: FusedActivation::None };
                }
                // Where its sides differ, the padding is a step of its own.
                let padding = if [top, left] == [bottom, right] { [top, left] } else { [0; 2] };
                let options =
                    ConvBlockOptions { stride: stride.each(), padding, ..Default::default() };
                Self::Conv { conv, options, dropout: None }
            }
            Op::ConvTranspose2d {
                out_channels,
                kernel,
                stride,
                padding,
                output_padding,
                bias,
                dilation,
                groups,
            } => {
                let options = ConvTransposeBlockOptions {
                    stride: stride.each(),
                    padding: padding.each(),
                    output_padding: output_padding.each(),
                    ..Default::default()
                };
                let config = ConvTranspose2dConfig::new([channels, out_channels], kernel.each())
                    .with_stride(options.stride)
                    .with_padding(options.padding)
                    .with_padding_out(options.output_padding)
                    .with_dilation([dilation; 2])
                    .with_groups(groups)
                    .with_bias(bias);
                let conv = Built { module: conv_transpose2d(&config, sampler, device), layer };
                match [dilation, groups] {
                    [1, 1] => Self::Decoder { conv, options },
                    _ => Self::GroupedDecoder(conv),
                }
            }
            Op::BatchNorm2d { epsilon, momentum } | Op::BatchNorm1d { epsilon, momentum } => {
                let module = Norm::new(channels, [epsilon, momentum], device);
                Self::Norm { norm: Built { module, layer }, activation: FusedActivation::None }
            }
            Op::GroupNorm { groups, epsilon } => {
                let config = GroupNormConfig::new(groups, channels).with_epsilon(epsilon);
                Self::GroupNorm(Built { module: config.init(device), layer })
            }
            Op::LayerNorm { epsilon } => {
                let config = LayerNormConfig::new(channels).with_epsilon(epsilon);
                Self::LayerNorm(Built { module: config.init(device), layer })
            }
            Op::Linear { out_features, bias } => {
                let module = linear([input.size(), out_features], bias, sampler, device);
                Self::Linear { linear: Built { module, layer }, relu: false }
            }
            ref op => {
                let module = plain(op).expect("every operation with weights is built above");
                Self::Plain(Built { module, layer })
            }
        }
    }
}

/// An operation without weights; `None` for others.
fn plain(op: &Op) -> Option<Plain> {
    let pointwise = |op| Some(Plain::Pointwise(op));
    let spatial = |op| Some(Plain::Spatial(op));
    match *op {
        Op::Relu => pointwise(Pointwise::Relu),
        Op::Relu6 => pointwise(Pointwise::Relu6),
        Op::LeakyRelu { negative_slope } => pointwise(Pointwise::LeakyRelu { negative_slope }),
        Op::Gelu { approximate: GeluApproximation::None } => pointwise(Pointwise::Gelu),
        Op::Gelu { approximate: GeluApproximation::Tanh } => pointwise(Pointwise::GeluTanh),
        Op::Silu => pointwise(Pointwise::Silu),
        Op::HardSwish => pointwise(Pointwise::HardSwish),
        Op::HardSigmoid => pointwise(Pointwise::HardSigmoid),
        Op::Sigmoid => pointwise(Pointwise::Sigmoid),
        Op::Tanh => pointwise(Pointwise::Tanh),
        Op::Scale { factor } => pointwise(Pointwise::Scale { factor }),
        Op::Identity => pointwise(Pointwise::Identity),
        Op::Dropout { probability } => pointwise(Pointwise::Dropout { probability }),
        Op::StochasticDepth { probability } => {
            pointwise(Pointwise::StochasticDepth { probability })
        }
        Op::MaxPool2d { kernel, stride, padding, ceil_mode } => {
            let [kernel, stride, padding] = [kernel, stride, padding].map(Sides::each);
            let pool = PoolOptions { kernel, stride, padding };
            spatial(if ceil_mode { Spatial::CeilMaxPool(pool) } else { Spatial::MaxPool(pool) })
        }
        Op::AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad } => {
            let pool = AvgPool { kernel, stride, padding, ceil_mode, count_include_pad };
            spatial(Spatial::AvgPool(pool))
        }
        Op::AdaptiveAvgPool2d { size } => spatial(Spatial::AdaptiveAvgPool { size }),
        Op::Upsample { scale } => spatial(Spatial::Upsample { scale }),
        Op::ChannelDropout { probability } => spatial(Spatial::ChannelDropout { probability }),
        Op::Flatten => Some(Plain::Flatten),
        _ => None,
    }
}

fn conv2d(config: &Conv2dConfig, sampler: &mut Sampler, device: &Device) -> Conv2d {
    let ([in_channels, out_channels], [height, width]) = (config.channels, config.kernel_size);
    // As PyTorch counts: all outputs, although an input reaches those of its group alone.
    let in_channels = in_channels / config.groups;
    let fan = Fan { input: in_channels * height * width, output: out_channels * height * width };
    let shape = [out_channels, in_channels, height, width];
    let weight = match config.groups {
        1 => sampler.conv_weight(shape, fan),
        _ => sampler.weight(&shape, fan),
    };
    let bias = config.bias.then(|| sampler.bias(out_channels, fan));
    Conv2d {
        weight: Param::from_data(weight, device),
        bias: bias.map(|values| Param::from_data(values, device)),
        ..config.init(device)
    }
}

fn conv_transpose2d(
    config: &ConvTranspose2dConfig,
    sampler: &mut Sampler,
    device: &Device,
) -> ConvTranspose2d {
    let ([in_channels, out_channels], [height, width]) = (config.channels, config.kernel_size);
    // PyTorch takes the second dimension of the weight, here the outputs of a group, for the fan's input.
    let in_a_group = out_channels / config.groups;
    let fan = Fan { input: in_a_group * height * width, output: in_channels * height * width };
    let weight = sampler.weight(&[in_channels, in_a_group, height, width], fan);
    let bias = config.bias.then(|| sampler.bias(out_channels, fan));
    ConvTranspose2d {
        weight: Param::from_data(weight, device),
        bias: bias.map(|values| Param::from_data(values, device)),
        ..config.init(device)
    }
}

/// Burn stores `[in_features, out_features]`; the values are drawn in PyTorch's order.
pub(super) fn linear(
    [input, output]: [usize; 2],
    bias: bool,
    sampler: &mut Sampler,
    device: &Device,
) -> Linear {
    let fan = Fan { input, output };
    let weight = transposed(sampler.weight(&[output, input], fan)).expect("it is a matrix");
    let bias = bias.then(|| Param::from_data(sampler.bias(output, fan), device));
    Linear { weight: Param::from_data(weight, device), bias }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, ConvTranspose, Initialization, state};

    #[test]
    fn a_transposed_convolution_in_groups_is_drawn_within_pytorchs_bound() {
        // nn.ConvTranspose2d(8, 6, 3, groups=2).weight is [8, 3, 3, 3], uniform within 1 / √(3 · 9).
        let net = Architecture::new("a", [8, 4, 4]).layer("up", ConvTranspose::new(6, 3).groups(2));
        let network = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let weight = state::read(&network)["up.weight"].clone().try_to_vec::<f32>().unwrap();
        let largest = weight.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let bound = (1.0f32 / 27.0).sqrt();
        assert!(weight.len() == 216 && largest <= bound && largest > 0.95 * bound, "{largest}");
    }
}
