//! Layers without parameters.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::module::{adaptive_avg_pool2d, interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
use selvedge_kernels::{PoolOptions, max_pool};

use super::dropout;
use crate::{Activation, Rng};

/// What a layer without parameters computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain {
    Pointwise(Pointwise),
    Spatial(Spatial),
    Flatten,
}

/// What acts on single values, of images or of features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pointwise {
    Relu,
    Sigmoid,
    Tanh,
    Dropout { probability: f64 },
}

/// What acts on images alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spatial {
    MaxPool(PoolOptions),
    AdaptiveAvgPool { size: usize },
    Upsample { scale: usize },
    ChannelDropout { probability: f64 },
}

impl Plain {
    pub const RELU: Self = Self::Pointwise(Pointwise::Relu);

    /// The output. Dropout acts if there is a generator to draw from.
    pub fn run(self, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
        match self {
            Self::Spatial(Spatial::MaxPool(options)) => {
                Activation::Images(max_pool(x.into_images(), &options))
            }
            _ => self.run_in_burn(x, rng),
        }
    }

    /// The same by Burn's operations alone.
    pub fn run_in_burn(self, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
        match (self, x) {
            (Self::Pointwise(op), Activation::Images(x)) => Activation::Images(op.run(x, rng)),
            (Self::Pointwise(op), Activation::Features(x)) => Activation::Features(op.run(x, rng)),
            (Self::Spatial(op), x) => Activation::Images(op.run(x.into_images(), rng)),
            (Self::Flatten, x) => Activation::Features(x.into_features()),
        }
    }
}

impl Pointwise {
    fn run<const D: usize>(self, x: Tensor<D>, rng: &mut Option<&mut Rng>) -> Tensor<D> {
        match self {
            Self::Relu => relu(x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Dropout { probability } => match rng {
                Some(rng) => dropout::values(x, probability, rng),
                None => x,
            },
        }
    }
}

impl Spatial {
    /// `[batch, channels, height, width]` to the same with another height and width.
    fn run(self, x: Tensor<4>, rng: &mut Option<&mut Rng>) -> Tensor<4> {
        match self {
            Self::MaxPool(PoolOptions { kernel, stride, padding }) => {
                let options = MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
                max_pool2d(x, options)
            }
            Self::AdaptiveAvgPool { size } => adaptive_avg_pool2d(x, [size; 2]),
            Self::Upsample { scale } => {
                let [_, _, height, width] = x.dims();
                let options = InterpolateOptions::new(InterpolateMode::Nearest)
                    .with_output_size([height * scale, width * scale]);
                interpolate(x, options)
            }
            Self::ChannelDropout { probability } => match rng {
                Some(rng) => dropout::channels(x, probability, rng),
                None => x,
            },
        }
    }
}
