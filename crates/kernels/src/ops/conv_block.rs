//! The block as an operation of Burn's backends.

use burn::backend::{
    Backend, Dispatch, TensorMetadata, backend_extension, ops::ConvOptions, tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use super::options::ConvBlockOptions;

/// Backends that compute a block of convolution, bias, activation and max-pool.
///
/// This is the layer below [`conv_block`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait ConvBlockBackend: Backend {
    /// The block on primitive tensors. `scale` counts as a constant.
    ///
    /// The default composes Burn's own operations.
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        settings: ConvBlockSettings,
    ) -> FloatTensor<Self> {
        compose::<Self>([x, weight, bias, scale], &settings)
    }
}

/// What to do, and which of the tensors that an operation is given it is to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvBlockSettings {
    /// The block.
    pub options: ConvBlockOptions,
    /// Whether the bias is added.
    pub has_bias: bool,
    /// Whether the result is scaled.
    pub has_scale: bool,
}

/// The block out of Burn's own operations, for `[x, weight, bias, scale]`.
pub(crate) fn compose<B: Backend>(
    [x, weight, bias, scale]: [FloatTensor<B>; 4],
    settings: &ConvBlockSettings,
) -> FloatTensor<B> {
    let options = &settings.options;
    let x = repeat::<B>(x, options.upsample);
    let conv = ConvOptions::new(options.stride, options.padding, [1, 1], 1);
    let mut y = B::conv2d(x, weight, settings.has_bias.then_some(bias), conv);
    y = options.activation.compose::<B>(y);
    if let Some(pool) = options.pool {
        y = B::max_pool2d(y, pool.kernel, pool.stride, pool.padding, [1, 1], false);
    }
    if settings.has_scale {
        let [batch, channels] = scale.shape().dims();
        y = B::float_mul(y, B::float_reshape(scale, Shape::new([batch, channels, 1, 1])));
    }
    y
}

/// Repeats the rows and columns of `[batch, channels, height, width]`.
fn repeat<B: Backend>(x: FloatTensor<B>, [rows, columns]: [usize; 2]) -> FloatTensor<B> {
    if [rows, columns] == [1, 1] {
        return x;
    }
    let [batch, channels, height, width] = x.shape().dims();
    let x = B::float_reshape(x, Shape::new([batch, channels, height, 1, width, 1]));
    let x = B::float_expand(x, Shape::new([batch, channels, height, rows, width, columns]));
    B::float_reshape(x, Shape::new([batch, channels, height * rows, width * columns]))
}

compose_on_other_backends!(ConvBlockBackend);

/// Convolution, bias, activation and max-pool as one differentiable operation.
///
/// The result is that of `conv2d`, then the activation, then `max_pool2d` of Burn, with or without the last
/// two as `options` say: a NaN stays one, the gradient of a pool goes to the first of several equal
/// maxima, and ReLU's gradient at 0, and [`relu6`](super::relu6)'s at 0 and 6, is 0. On the flex device, in `f32`, hand-written kernels compute
/// it and its gradients; everywhere else Burn's operations do. The gradient of an input that needs
/// none is not computed.
///
/// # Shapes
///
/// - `x`: `[batch, in_channels, height, width]`
/// - `weight`: `[out_channels, in_channels, kernel_height, kernel_width]`
/// - `bias`: `[out_channels]`
/// - result: `[batch, out_channels, height, width]` as by [`ConvBlockOptions::output_size`]
///
/// # Panics
///
/// Panics if channels do not match, or if the kernel or the pool's window does not fit.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{ConvBlockOptions, FusedActivation, PoolOptions, conv_block};
///
/// let device = Device::flex();
/// let x = Tensor::<4>::ones([8, 1, 28, 28], &device);
/// let weight = Tensor::<4>::ones([10, 1, 3, 3], &device);
/// let options = ConvBlockOptions {
///     padding: [1, 1],
///     activation: FusedActivation::Relu,
///     pool: Some(PoolOptions::tiles(2)),
///     ..Default::default()
/// };
/// let y = conv_block(x, weight, None, &options);
/// assert_eq!(y.dims(), [8, 10, 14, 14]);
/// assert_eq!(y.max().into_scalar::<f32>(), 9.0);
/// # }
/// ```
pub fn conv_block(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &ConvBlockOptions,
) -> Tensor<4> {
    block([x, weight], bias, None, options)
}

/// [`conv_block`], and then every output channel of every image times a factor of its own.
///
/// This is channel dropout: `scale`, `[batch, out_channels]`, holds 0 for a dropped channel and
/// 1 / (1 − rate) for a kept one. Where factors are not negative it makes no difference whether they
/// are applied before or after ReLU and pool; they are applied after ReLU6. `scale` counts as a constant: it gets no gradient.
///
/// # Panics
///
/// As [`conv_block`], and if `scale` has another shape.
pub fn conv_block_scaled(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    scale: Tensor<2>,
    options: &ConvBlockOptions,
) -> Tensor<4> {
    block([x, weight], bias, Some(scale), options)
}

fn block(
    [x, weight]: [Tensor<4>; 2],
    bias: Option<Tensor<1>>,
    scale: Option<Tensor<2>>,
    options: &ConvBlockOptions,
) -> Tensor<4> {
    options.plane_sizes(x.dims(), weight.dims());
    let ([batch, ..], [out_channels, ..]) = (x.dims(), weight.dims());
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [out_channels],
            "conv_block: the bias has {:?} elements, the weight {out_channels} output channels",
            bias.dims()
        );
    }
    if let Some(scale) = &scale {
        assert_eq!(
            scale.dims(),
            [batch, out_channels],
            "conv_block_scaled: the scale has the shape {:?}, expected [{batch}, {out_channels}]",
            scale.dims()
        );
    }
    let settings = ConvBlockSettings {
        options: *options,
        has_bias: bias.is_some(),
        has_scale: scale.is_some(),
    };
    // An operation has a fixed number of inputs: what is not given is replaced by zeros, which need no
    // gradient.
    let like_x = (&x.device(), x.dtype());
    let bias = bias.unwrap_or_else(|| Tensor::zeros([out_channels], like_x));
    let scale = match scale {
        Some(scale) => scale.detach(),
        None => Tensor::zeros([0, 0], like_x),
    };
    Tensor::from_dispatch(<Dispatch as ConvBlockBackend>::conv_block(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        scale.into_dispatch(),
        settings,
    ))
}
