//! A network as a program of the kernels.

use burn::module::{Module, Param};
use burn::nn::conv::ConvTranspose2d;
use burn::tensor::{DType, Tensor, TensorData};
use selvedge_kernels::inference::{Builder, Convolution, Function, PoolWindows, Program, Value};

use crate::network::norm::Norm;
use crate::network::plain::{Plain, Pointwise};
use crate::network::sequence::Sequence;
use crate::network::step::{Node, Params};
use crate::{Network, Op, Padding, Shape};

/// The network as a program, if it is on a CPU and there is a kernel for each of its layers.
pub(super) fn of(network: &Network) -> Option<Program> {
    if !network.devices().iter().all(selvedge_kernels::is_cpu) {
        return None;
    }
    let input = network.architecture().input;
    let (mut builder, x) = Builder::new(input);
    let flow = Flow { value: x, shape: Shape::Images(input) };
    let last = sequence(&mut builder, network.body(), flow)?;
    Some(builder.finish(last.value))
}

/// What flows from one layer to the next. Features may still lie as the image that they were flattened from.
#[derive(Clone, Copy)]
struct Flow {
    value: Value,
    shape: Shape,
}

fn sequence(builder: &mut Builder, layers: &Sequence, input: Flow) -> Option<Flow> {
    layers.nodes().try_fold(input, |flow, node| layer(builder, node, flow))
}

fn layer(builder: &mut Builder, node: Node, input: Flow) -> Option<Flow> {
    let op = &node.layer.op;
    let shape = op.apply(input.shape).ok()?;
    let x = input.value;
    // Features that are an image yet are that to layers that look at every channel.
    let is_whole = builder.shape(x) == input.shape.as_images();
    let [_, height, width] = shape.as_images();
    let value = match (node.params, op) {
        (_, op) if op.is_identity_in_inference() => x,
        (Params::Conv2d(conv), Op::Conv2d { kernel, stride, padding, dilation, groups, .. }) => {
            let (weight, bias) = (values(&conv.weight)?, bias(&conv.bias)?);
            let Padding { top, bottom, left, right } = *padding;
            let conv = Convolution {
                weight: elements(&weight),
                bias: bias.as_ref().map(elements),
                out_channels: shape.as_images()[0],
                kernel: kernel.each(),
                stride: stride.each(),
                padding: [top, bottom, left, right],
                dilation: *dilation,
                groups: *groups,
            };
            builder.conv(x, conv, [height, width])?
        }
        (Params::ConvTranspose2d(transposed), op) => {
            let turned = turned(transposed, op)?;
            builder.conv(x, turned.convolution(shape.as_images()[0]), [height, width])?
        }
        (Params::Linear(linear), _) => {
            let (weight, bias) = (values(&linear.weight)?, bias(&linear.bias)?);
            builder.linear(x, elements(&weight), bias.as_ref().map(elements))
        }
        (Params::BatchNorm(norm), _) if is_whole => {
            let [factor, shift] = norm_values(norm)?;
            builder.affine(x, elements(&factor), elements(&shift))
        }
        (Params::Paths(paths), op) if is_whole => {
            let reaches = sequence(builder, &paths.before, input)?;
            let ends = paths.branches.iter();
            let ends = ends.map(|path| {
                let end = sequence(builder, path, reaches)?;
                (builder.shape(end.value) == end.shape.as_images()).then_some(end.value)
            });
            let ends = ends.collect::<Option<Vec<Value>>>()?;
            match (op, &ends[..]) {
                (Op::Residual { .. }, [a, b]) => builder.sum(*a, *b),
                (Op::Gate { .. }, [gate]) => builder.product(reaches.value, *gate),
                (Op::Concat { .. }, ends) => builder.concat(ends)?,
                _ => return None,
            }
        }
        (Params::None(Plain::Flatten), _) => x,
        (Params::None(Plain::Pointwise(function)), _) => builder.function(x, of_values(function)?),
        (Params::None(_), op) => spatial(builder, op, x, [height, width])?,
        _ => return None,
    };
    Some(Flow { value, shape })
}

/// A transposed convolution as a convolution: every kernel turned by 180°.
struct Turned {
    /// `[out_channels, in_channels, kernel height, kernel width]`.
    weight: Vec<f32>,
    bias: Option<TensorData>,
    kernel: [usize; 2],
    padding: [usize; 2],
}

impl Turned {
    fn convolution(&self, out_channels: usize) -> Convolution<'_> {
        let [rows, columns] = self.padding;
        Convolution {
            weight: &self.weight,
            bias: self.bias.as_ref().map(elements),
            out_channels,
            kernel: self.kernel,
            stride: [1, 1],
            padding: [rows, rows, columns, columns],
            dilation: 1,
            groups: 1,
        }
    }
}

/// The convolution that a transposed one is, whose pixels stay neighbours.
fn turned(conv: &ConvTranspose2d, op: &Op) -> Option<Turned> {
    let Op::ConvTranspose2d { kernel, stride, padding, dilation: 1, groups: 1, .. } = op else {
        return None;
    };
    let (kernel, cut) = (kernel.each(), padding.each());
    let padding = [kernel[0].checked_sub(1 + cut[0])?, kernel[1].checked_sub(1 + cut[1])?];
    if stride.each() != [1, 1] {
        return None;
    }
    let [inputs, outputs, ..] = conv.weight.dims();
    let (weight, bias) = (values(&conv.weight)?, bias(&conv.bias)?);
    let len = kernel[0] * kernel[1];
    let mut turned = vec![0.0; weight.num_elements()];
    for (i, kernel) in elements(&weight).chunks_exact(len).enumerate() {
        let (input, output) = (i / outputs, i % outputs);
        let to = &mut turned[(output * inputs + input) * len..][..len];
        to.iter_mut().zip(kernel.iter().rev()).for_each(|(to, from)| *to = *from);
    }
    Some(Turned { weight: turned, bias, kernel, padding })
}

/// A layer without parameters that acts on images.
fn spatial(builder: &mut Builder, op: &Op, x: Value, output: [usize; 2]) -> Option<Value> {
    Some(match *op {
        Op::MaxPool2d { kernel, stride, padding, .. } => {
            let [kernel, stride, padding] = [kernel, stride, padding].map(|sides| sides.each());
            builder.max_pool(x, PoolWindows { kernel, stride, padding, output })
        }
        Op::AvgPool2d { kernel, stride, padding, count_include_pad, .. } => {
            let [kernel, stride, padding] = [kernel, stride, padding].map(|sides| sides.each());
            let windows = PoolWindows { kernel, stride, padding, output };
            builder.avg_pool(x, windows, count_include_pad)
        }
        Op::AdaptiveAvgPool2d { size } => builder.adaptive_avg_pool(x, size),
        Op::Upsample { scale } => builder.upsample(x, scale),
        _ => return None,
    })
}

fn of_values(function: Pointwise) -> Option<Function> {
    Some(match function {
        Pointwise::Relu => Function::Relu,
        Pointwise::Relu6 => Function::Relu6,
        Pointwise::LeakyRelu { negative_slope } => Function::LeakyRelu(negative_slope as f32),
        Pointwise::Gelu => Function::Gelu,
        Pointwise::Silu => Function::Silu,
        Pointwise::HardSwish => Function::HardSwish,
        Pointwise::HardSigmoid => Function::HardSigmoid,
        Pointwise::Sigmoid => Function::Sigmoid,
        Pointwise::Tanh => Function::Tanh,
        Pointwise::Scale { factor } => Function::Scale(factor as f32),
        _ => return None,
    })
}

/// The factor and the shift of each channel that a normalization is in inference.
fn norm_values(norm: &Norm) -> Option<[TensorData; 2]> {
    let [scale, shift] = super::super::fold::scale_and_shift(norm);
    Some([data(scale)?, data(shift)?])
}

fn values<const D: usize>(parameter: &Param<Tensor<D>>) -> Option<TensorData> {
    data(parameter.val())
}

fn bias(parameter: &Option<Param<Tensor<1>>>) -> Option<Option<TensorData>> {
    parameter.as_ref().map_or(Some(None), |bias| values(bias).map(Some))
}

/// The values of a tensor, if they are `f32`.
fn data<const D: usize>(tensor: Tensor<D>) -> Option<TensorData> {
    (tensor.dtype() == DType::F32).then(|| tensor.into_data())
}

fn elements(data: &TensorData) -> &[f32] {
    data.as_slice().expect("it was asked for f32")
}
