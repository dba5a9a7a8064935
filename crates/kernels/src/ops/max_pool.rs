//! Max-pool as an operation of Burn's backends.

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use super::options::PoolOptions;

/// Backends that pool images.
///
/// This is the layer below [`max_pool`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait MaxPoolBackend: Backend {
    /// The largest value of every window.
    ///
    /// The default is Burn's own operation.
    fn max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        compose::<Self>(x, options)
    }
}

pub(crate) fn compose<B: Backend>(x: FloatTensor<B>, options: PoolOptions) -> FloatTensor<B> {
    let PoolOptions { kernel, stride, padding } = options;
    B::max_pool2d(x, kernel, stride, padding, [1, 1], false)
}

compose_on_other_backends!(MaxPoolBackend);

/// Max-pool: the largest value of every window, for a pool that does not follow a convolution;
/// [`conv_block`](crate::conv_block) has one of its own.
///
/// The result is that of [`burn::tensor::module::max_pool2d`]: NaN if the window holds one, and the
/// gradient goes to the first of several equal maxima. On the flex device, in `f32`, a kernel written
/// for it computes it and its gradient, if a window has at most 256 pixels and the padding is smaller
/// than the window; everywhere else Burn's operation does.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - result: the same with (size + 2 padding − kernel) / stride + 1, rounded down, for height and width
///
/// # Panics
///
/// Panics if no window fits.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{PoolOptions, max_pool};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]], &Device::flex());
/// let pool = PoolOptions { kernel: [2, 2], stride: [1, 1], padding: [0, 0] };
/// let y: Vec<f32> = max_pool(x, &pool).into_data().try_to_vec().unwrap();
/// assert_eq!(y, [5.0, 5.0]);
/// # }
/// ```
pub fn max_pool(x: Tensor<4>, options: &PoolOptions) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    assert!(
        options.output_size([height, width]).is_some(),
        "max_pool: no window fits into {height} × {width} pixels with {options:?}"
    );
    let x = x.into_dispatch();
    Tensor::from_dispatch(<Dispatch as MaxPoolBackend>::max_pool(x, *options))
}
