//! Depthwise convolution as an operation of Burn's backends.

use burn::backend::{Backend, Dispatch, backend_extension, ops::ConvOptions, tensor::FloatTensor};
use burn::tensor::Tensor;

use super::options::{FusedActivation, windows};

/// Backends that convolve every channel with a kernel of its own.
///
/// This is the layer below [`depthwise_conv`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait DepthwiseConvBackend: Backend {
    /// The convolution on primitive tensors; the bias is added if `has_bias` says so.
    ///
    /// The default is Burn's own operation.
    fn depthwise_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: DepthwiseConvOptions,
        has_bias: bool,
    ) -> FloatTensor<Self> {
        compose::<Self>([x, weight, bias], options, has_bias)
    }
}

/// Where the kernels of a depthwise convolution are applied, and what follows. Pairs are `[vertical, horizontal]`.
///
/// The default is stride 1, no padding, no activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthwiseConvOptions {
    /// Distance between applications of the kernel.
    pub stride: [usize; 2],
    /// Rows of zeros above and below, columns of zeros on the left and on the right.
    pub padding: [[usize; 2]; 2],
    /// What follows the convolution.
    pub activation: FusedActivation,
}

impl Default for DepthwiseConvOptions {
    fn default() -> Self {
        Self { stride: [1; 2], padding: [[0; 2]; 2], activation: FusedActivation::None }
    }
}

impl DepthwiseConvOptions {
    /// Height and width of the result for an input and a kernel of the given height and width; `None` where
    /// nothing fits, or a stride or a kernel is 0.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        windows(input, kernel, self.stride, self.padding)
    }
}

pub(crate) fn compose<B: Backend>(
    [x, weight, bias]: [FloatTensor<B>; 3],
    options: DepthwiseConvOptions,
    has_bias: bool,
) -> FloatTensor<B> {
    use burn::backend::TensorMetadata;
    let [_, channels, _, _] = x.shape().dims();
    let padding = options.padding.map(|[before, after]| (before, after));
    let convolution = ConvOptions::new_with_padding(options.stride, padding, [1, 1], channels);
    let activation = options.activation;
    activation.compose::<B>(B::conv2d(x, weight, has_bias.then_some(bias), convolution))
}

compose_on_other_backends!(DepthwiseConvBackend);

/// Depthwise convolution: every channel of an image with a kernel of its own.
///
/// The result is that of [`burn::tensor::module::conv2d`] with as many groups as channels, then the activation. On the flex
/// device, in `f32`, kernels written for it compute it and its gradients, if the padding is smaller than
/// the kernel; everywhere else Burn's operation does. The gradient of an input that needs none is not
/// computed.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `weight`: `[channels, 1, kernel_height, kernel_width]`
/// - `bias`: `[channels]`
/// - result: `[batch, channels, height, width]` as by [`DepthwiseConvOptions::output_size`]
///
/// # Panics
///
/// Panics if the channels do not match, or if no kernel fits.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{DepthwiseConvOptions, depthwise_conv};
///
/// let device = Device::flex();
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0]], [[3.0, 4.0]]]], &device);
/// let weight = Tensor::<4>::from_data([[[[1.0, 10.0]]], [[[1.0, 100.0]]]], &device);
/// let options = DepthwiseConvOptions { padding: [[0, 0], [0, 1]], ..Default::default() };
/// let y = depthwise_conv(x, weight, None, options);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [21.0, 2.0, 403.0, 4.0]);
/// # }
/// ```
pub fn depthwise_conv(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: DepthwiseConvOptions,
) -> Tensor<4> {
    let ([_, channels, height, width], [kernels, one, rows, columns]) = (x.dims(), weight.dims());
    assert_eq!(
        [kernels, one],
        [channels, 1],
        "depthwise_conv: the weight has [kernels, channels of each] on the left for the channels on the right"
    );
    if let Some(bias) = &bias {
        assert_eq!(bias.dims(), [channels], "depthwise_conv: the bias, and the channels");
    }
    assert!(
        options.output_size([height, width], [rows, columns]).is_some(),
        "depthwise_conv: no kernel {rows} × {columns} fits into {height} × {width} pixels with {options:?}"
    );
    let has_bias = bias.is_some();
    // An operation has a fixed number of inputs: no bias is zeros, which need no gradient.
    let bias = bias.unwrap_or_else(|| Tensor::zeros([channels], (&x.device(), x.dtype())));
    Tensor::from_dispatch(<Dispatch as DepthwiseConvBackend>::depthwise_conv(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        options,
        has_bias,
    ))
}
