//! Layers without parameters.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::module::{adaptive_avg_pool2d, avg_pool2d, interpolate, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use selvedge_kernels::{PoolOptions, gelu, max_pool, relu6};

use super::{dropout, pointwise};
use crate::{Activation, Rng, Sides};

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
    Relu6,
    LeakyRelu { negative_slope: f64 },
    Gelu,
    GeluTanh,
    Silu,
    HardSwish,
    HardSigmoid,
    Sigmoid,
    Tanh,
    Scale { factor: f64 },
    Identity,
    Dropout { probability: f64 },
    StochasticDepth { probability: f64 },
}

/// What acts on images alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spatial {
    MaxPool(PoolOptions),
    /// A max-pool whose last windows may reach over the border.
    CeilMaxPool(PoolOptions),
    AvgPool(AvgPool),
    AdaptiveAvgPool {
        size: usize,
    },
    Upsample {
        scale: usize,
    },
    ChannelDropout {
        probability: f64,
    },
}

/// An average pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AvgPool {
    pub kernel: Sides,
    pub stride: Sides,
    pub padding: Sides,
    pub ceil_mode: bool,
    pub count_include_pad: bool,
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
            Self::Relu6 => relu6(x),
            Self::LeakyRelu { negative_slope } => pointwise::leaky_relu(x, negative_slope),
            Self::Gelu => gelu(x),
            Self::GeluTanh => pointwise::gelu_tanh(x),
            Self::Silu => x.clone() * sigmoid(x),
            Self::HardSwish => x.clone() * pointwise::hard_sigmoid(x),
            Self::HardSigmoid => pointwise::hard_sigmoid(x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Scale { factor } => x.mul_scalar(factor),
            Self::Identity => x,
            Self::Dropout { probability } => match rng {
                Some(rng) => dropout::values(x, probability, rng),
                None => x,
            },
            Self::StochasticDepth { probability } => match rng {
                Some(rng) => dropout::rows(x, probability, rng),
                None => x,
            },
        }
    }
}

impl Spatial {
    /// `[batch, channels, height, width]` to the same with another height and width.
    fn run(self, x: Tensor<4>, rng: &mut Option<&mut Rng>) -> Tensor<4> {
        match self {
            Self::MaxPool(pool) => max_pool2d(x, max_pool_options(pool)),
            Self::CeilMaxPool(pool) => max_pool2d(x, max_pool_options(pool).with_ceil_mode(true)),
            Self::AvgPool(pool) => {
                let options = AvgPoolOptions::new(pool.kernel.each())
                    .with_stride(pool.stride.each())
                    .with_padding(pool.padding.each())
                    .with_ceil_mode(pool.ceil_mode)
                    .with_count_include_pad(pool.count_include_pad);
                avg_pool2d(x, options)
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

fn max_pool_options(PoolOptions { kernel, stride, padding }: PoolOptions) -> MaxPoolOptions<2> {
    MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding)
}
