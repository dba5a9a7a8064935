//! Operations that have more settings than a short form of the builder takes.

use super::op;
use super::padding::Padding;
use super::sides::Sides;
use crate::Op;

/// A 2-d convolution, by default of stride 1, without padding and with a bias.
///
/// ```
/// use selvedge_models::{Architecture, Conv, MaxPool, Shape};
///
/// // How torchvision's residual networks begin.
/// let stem = Architecture::new("stem", [3, 224, 224])
///     .layer("conv1", Conv::new(64, 7).stride(2).padding(3).without_bias())
///     .batch_norm("bn1")
///     .relu()
///     .max_pool(MaxPool::new(3).stride(2).padding(1));
/// assert_eq!(stem.output_shape()?, Shape::Images([64, 56, 56]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    out_channels: usize,
    kernel: Sides,
    stride: Sides,
    padding: Padding,
    bias: bool,
    dilation: usize,
    groups: usize,
}

impl Conv {
    /// With `out_channels` channels that come out, and a kernel of so many pixels: of a number as high and as wide,
    /// or of `[height, width]`.
    pub fn new(out_channels: usize, kernel: impl Into<Sides>) -> Self {
        let (kernel, stride, padding) = (kernel.into(), 1.into(), Padding::default());
        Self { out_channels, kernel, stride, padding, bias: true, dilation: 1, groups: 1 }
    }

    /// With other steps of the kernel, in pixels.
    #[must_use]
    pub fn stride(self, stride: impl Into<Sides>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// With rows and columns of zeros: a number of them on every side, or a [`Padding`] that differs.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// Without a bias, as before a batch normalization.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// With entries of the kernel that are `dilation` pixels apart.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// With channels in `groups`, each with kernels of its own; as many as input channels are a depthwise
    /// convolution.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

impl From<Conv> for Op {
    fn from(conv: Conv) -> Self {
        let Conv { out_channels, kernel, stride, padding, bias, dilation, groups } = conv;
        Self::Conv2d { out_channels, kernel, stride, padding, bias, dilation, groups }
    }
}

/// A transposed 2-d convolution, by default of stride 1, without padding and with a bias.
///
/// ```
/// use selvedge_models::{Architecture, ConvTranspose, Shape};
///
/// // Twice as large, as in U-Net and DCGAN.
/// let up = Architecture::new("up", [64, 7, 7])
///     .layer("up1", ConvTranspose::new(32, 2).stride(2))
///     .layer("up2", ConvTranspose::new(16, 3).stride(2).padding(1).output_padding(1));
/// assert_eq!(up.output_shape()?, Shape::Images([16, 28, 28]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose {
    out_channels: usize,
    kernel: Sides,
    stride: Sides,
    padding: Sides,
    output_padding: Sides,
    bias: bool,
    dilation: usize,
    groups: usize,
}

impl ConvTranspose {
    /// With `out_channels` channels that come out, and a kernel of so many pixels: of a number as high and as wide,
    /// or of `[height, width]`.
    pub fn new(out_channels: usize, kernel: impl Into<Sides>) -> Self {
        Self {
            out_channels,
            kernel: kernel.into(),
            stride: 1.into(),
            padding: 0.into(),
            output_padding: 0.into(),
            bias: true,
            dilation: 1,
            groups: 1,
        }
    }

    /// With other distances between the places that neighbouring pixels are spread to.
    #[must_use]
    pub fn stride(self, stride: impl Into<Sides>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// With rows and columns that are cut off the result on both sides.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// With rows and columns that the result has more at its lower and right side; less than the stride or the
    /// dilation.
    #[must_use]
    pub fn output_padding(self, output_padding: impl Into<Sides>) -> Self {
        Self { output_padding: output_padding.into(), ..self }
    }

    /// With entries of the kernel that reach pixels `dilation` apart.
    #[must_use]
    pub fn dilation(self, dilation: usize) -> Self {
        Self { dilation, ..self }
    }

    /// With channels in `groups`, each with kernels of its own.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// Without a bias, as before a batch normalization.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }
}

impl From<ConvTranspose> for Op {
    fn from(conv: ConvTranspose) -> Self {
        Self::ConvTranspose2d {
            out_channels: conv.out_channels,
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            output_padding: conv.output_padding,
            bias: conv.bias,
            dilation: conv.dilation,
            groups: conv.groups,
        }
    }
}

/// A batch normalization of images, by default with PyTorch's ε, 1e-5, and momentum, 0.1.
///
/// ```
/// use selvedge_models::{Architecture, BatchNorm};
///
/// // TensorFlow's numbers; its momentum is what is kept, PyTorch's and this one what is changed.
/// let norm = BatchNorm::new().epsilon(1e-3).momentum(0.01);
/// let net = Architecture::new("net", [3, 8, 8]).layer("bn1", norm);
/// net.shapes()?;
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    epsilon: f64,
    momentum: f64,
}

impl BatchNorm {
    /// With PyTorch's settings.
    pub fn new() -> Self {
        Self { epsilon: op::epsilon(), momentum: op::momentum() }
    }

    /// With another number that is added to the variance; above 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// With another share by which the running statistics move towards those of a batch; in [0, 1].
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The same for features, as behind a linear layer.
    pub fn of_features(self) -> Op {
        Op::BatchNorm1d { epsilon: self.epsilon, momentum: self.momentum }
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl From<BatchNorm> for Op {
    fn from(BatchNorm { epsilon, momentum }: BatchNorm) -> Self {
        Self::BatchNorm2d { epsilon, momentum }
    }
}

/// A max-pool, by default of windows that are as far apart as they are wide, and without padding. A
/// size alone becomes one of square windows.
///
/// ```
/// use selvedge_models::{Architecture, MaxPool, Shape};
///
/// // How GoogLeNet and SqueezeNet pool.
/// let net = Architecture::new("net", [3, 8, 8]).op(MaxPool::new(3).stride(2).ceil_mode());
/// assert_eq!(net.output_shape()?, Shape::Images([3, 4, 4]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    kernel: Sides,
    stride: Sides,
    padding: Sides,
    ceil_mode: bool,
}

impl MaxPool {
    /// With windows of so many pixels: of a number as high and as wide, or of `[height, width]`.
    pub fn new(kernel: impl Into<Sides>) -> Self {
        let kernel = kernel.into();
        Self { kernel, stride: kernel, padding: 0.into(), ceil_mode: false }
    }

    /// With other steps of the window, in pixels; below its size windows overlap.
    #[must_use]
    pub fn stride(self, stride: impl Into<Sides>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// With rows and columns of minus infinity on both sides; at most half the kernel.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// With sizes that round up: a last window may reach over the border.
    #[must_use]
    pub fn ceil_mode(self) -> Self {
        Self { ceil_mode: true, ..self }
    }
}

impl From<usize> for MaxPool {
    fn from(kernel: usize) -> Self {
        Self::new(kernel)
    }
}

impl From<MaxPool> for Op {
    fn from(pool: MaxPool) -> Self {
        let MaxPool { kernel, stride, padding, ceil_mode } = pool;
        Self::MaxPool2d { kernel, stride, padding, ceil_mode }
    }
}

/// An average pool, by default of windows that are as far apart as they are wide, and without padding.
///
/// ```
/// use selvedge_models::{Architecture, AvgPool, Shape};
///
/// // What ResNet-D has in its shortcuts.
/// let pool = AvgPool::new(2).ceil_mode().without_padding_in_mean();
/// let net = Architecture::new("net", [3, 7, 7]).op(pool);
/// assert_eq!(net.output_shape()?, Shape::Images([3, 4, 4]));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool {
    kernel: Sides,
    stride: Sides,
    padding: Sides,
    ceil_mode: bool,
    count_include_pad: bool,
}

impl AvgPool {
    /// With windows of so many pixels: of a number as high and as wide, or of `[height, width]`.
    pub fn new(kernel: impl Into<Sides>) -> Self {
        let kernel = kernel.into();
        let padding = 0.into();
        Self { kernel, stride: kernel, padding, ceil_mode: false, count_include_pad: true }
    }

    /// With other steps of the window, in pixels; below its size windows overlap.
    #[must_use]
    pub fn stride(self, stride: impl Into<Sides>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// With rows and columns of zeros on both sides; at most half the kernel.
    #[must_use]
    pub fn padding(self, padding: impl Into<Sides>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// With sizes that round up: a last window may reach over the border.
    #[must_use]
    pub fn ceil_mode(self) -> Self {
        Self { ceil_mode: true, ..self }
    }

    /// With the mean of the pixels alone; PyTorch's `count_include_pad=False`.
    #[must_use]
    pub fn without_padding_in_mean(self) -> Self {
        Self { count_include_pad: false, ..self }
    }
}

impl From<AvgPool> for Op {
    fn from(pool: AvgPool) -> Self {
        let AvgPool { kernel, stride, padding, ceil_mode, count_include_pad } = pool;
        Self::AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad }
    }
}
