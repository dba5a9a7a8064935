//! The block as an operation of Burn's backends.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
use burn::backend::Cube;
#[cfg(feature = "flex")]
use burn::backend::Flex;
#[cfg(any(feature = "flex", feature = "ndarray", feature = "wgpu", feature = "cuda"))]
use burn::backend::Autodiff;
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
use burn::backend::NdArray;
#[cfg(any(feature = "ndarray", feature = "wgpu", feature = "cuda"))]
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::{
    Backend, Dispatch, backend_extension, ops::ConvOptions, tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::options::{ConvBlockOptions, Geometry};

/// Backends that compute a block of convolution, bias, ReLU and max-pool.
///
/// This is the layer below [`conv_block`]; only code that is generic over Burn's backends needs it.
#[allow(deprecated)]
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait ConvBlockBackend: Backend {
    /// The block on primitive tensors. `bias` is ignored unless `has_bias`.
    ///
    /// The default composes Burn's own operations.
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        has_bias: bool,
        options: ConvBlockOptions,
    ) -> FloatTensor<Self> {
        compose::<Self>(x, weight, has_bias.then_some(bias), &options)
    }
}

/// The block out of Burn's own operations.
pub(crate) fn compose<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    options: &ConvBlockOptions,
) -> FloatTensor<B> {
    let conv = ConvOptions::new(options.stride, options.padding, [1, 1], 1);
    let mut y = B::conv2d(x, weight, bias, conv);
    if options.relu {
        y = B::relu(y);
    }
    match options.pool {
        Some(pool) => B::max_pool2d(y, pool.kernel, pool.stride, pool.padding, [1, 1], false),
        None => y,
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)]
impl ConvBlockBackend for NdArray {}
#[cfg(feature = "ndarray")]
#[allow(deprecated)]
impl<C: CheckpointStrategy> ConvBlockBackend for Autodiff<NdArray, C> {}
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl ConvBlockBackend for Cube {}
#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl<C: CheckpointStrategy> ConvBlockBackend for Autodiff<Cube, C> {}

/// Convolution, bias, ReLU and max-pool as one differentiable operation.
///
/// The result is that of `conv2d`, then `relu`, then `max_pool2d` of Burn, with or without the last
/// two as `options` say: a NaN stays one, the gradient of a pool goes to the first of several equal
/// maxima, and ReLU's gradient at 0 is 0. On the flex device, in `f32`, hand-written kernels compute
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
/// use selvedge_kernels::{ConvBlockOptions, PoolOptions, conv_block};
///
/// let device = Device::flex();
/// let x = Tensor::<4>::ones([8, 1, 28, 28], &device);
/// let weight = Tensor::<4>::ones([10, 1, 3, 3], &device);
/// let options = ConvBlockOptions {
///     padding: [1, 1],
///     relu: true,
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
    let geometry = Geometry::new(x.dims(), weight.dims(), options);
    if let Some(bias) = &bias {
        assert_eq!(
            bias.dims(),
            [geometry.out_channels],
            "conv_block: the bias has {:?} numbers, the weight {} output channels",
            bias.dims(),
            geometry.out_channels
        );
    }
    let has_bias = bias.is_some();
    // The operation has a fixed number of inputs: without a bias, zeros that need no gradient.
    let bias =
        bias.unwrap_or_else(|| Tensor::zeros([geometry.out_channels], (&x.device(), x.dtype())));
    Tensor::from_dispatch(<Dispatch as ConvBlockBackend>::conv_block(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        has_bias,
        *options,
    ))
}
