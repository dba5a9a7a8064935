//! Operations that have more settings than a short form of the builder takes.

use crate::Op;

/// A 2-d convolution with a square kernel, by default of stride 1, without padding and with a bias.
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
    kernel: usize,
    stride: usize,
    padding: usize,
    bias: bool,
}

impl Conv {
    /// With `out_channels` channels that come out, and a kernel of `kernel` × `kernel` pixels.
    pub fn new(out_channels: usize, kernel: usize) -> Self {
        Self { out_channels, kernel, stride: 1, padding: 0, bias: true }
    }

    /// With another step of the kernel, in pixels.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With rows and columns of zeros on every side.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// Without a bias, as before a batch normalization.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }
}

impl From<Conv> for Op {
    fn from(conv: Conv) -> Self {
        let Conv { out_channels, kernel, stride, padding, bias } = conv;
        Self::Conv2d { out_channels, kernel, stride, padding, bias }
    }
}

/// A max-pool of square windows, by default as far apart as they are wide, and without padding. A
/// size alone becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl MaxPool {
    /// With windows of `kernel` × `kernel` pixels.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: kernel, padding: 0 }
    }

    /// With another step of the window, in pixels; below its size windows overlap.
    #[must_use]
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With rows and columns of minus infinity on every side; at most half the kernel.
    #[must_use]
    pub fn padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }
}

impl From<usize> for MaxPool {
    fn from(kernel: usize) -> Self {
        Self::new(kernel)
    }
}

impl From<MaxPool> for Op {
    fn from(pool: MaxPool) -> Self {
        let MaxPool { kernel, stride, padding } = pool;
        Self::MaxPool2d { kernel, stride, padding }
    }
}
