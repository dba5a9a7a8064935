//! The public operations: what each computes, with which options, and how it is composed of Burn's own
//! operations where there are no kernels for it.
//!
//! Each file has a trait that Burn's backends implement, and a function on tensors that calls it. The
//! backends with kernels of their own are in [`cpu::flex`](crate::cpu::flex).

// Burn's macro has no backend to hand some arguments to where there is no device at all.
#![cfg_attr(
    not(any(feature = "flex", feature = "ndarray", feature = "wgpu", feature = "cuda")),
    allow(unused_variables)
)]

/// Lets the backends without kernels compute a trait's operations as its defaults compose them.
macro_rules! compose_on_other_backends {
    ($operation:ident) => {
        #[cfg(feature = "ndarray")]
        impl $operation for burn::backend::NdArray {}
        #[cfg(feature = "ndarray")]
        impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> $operation
            for burn::backend::Autodiff<burn::backend::NdArray, C>
        {
        }
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        impl $operation for burn::backend::Cube {}
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> $operation
            for burn::backend::Autodiff<burn::backend::Cube, C>
        {
        }
    };
}

pub(crate) mod add;
pub(crate) mod batch_norm;
pub(crate) mod conv_block;
mod conv_transpose_block;
pub(crate) mod cross_entropy;
pub(crate) mod depthwise_conv;
pub(crate) mod linear;
pub(crate) mod max_pool;
pub(crate) mod mean_squared_error;
mod options;
pub(crate) mod pointwise;

pub use add::{AddBackend, add};
pub use batch_norm::{
    BatchNormBackend, BatchNormOptions, BatchNormOutput, BatchNormStatistics, batch_norm,
    batch_norm_with,
};
pub use conv_block::{ConvBlockBackend, ConvBlockSettings, conv_block, conv_block_scaled};
pub use conv_transpose_block::{ConvTransposeBlockOptions, conv_transpose_block};
pub use cross_entropy::{CrossEntropyBackend, cross_entropy};
pub use depthwise_conv::{DepthwiseConvBackend, DepthwiseConvOptions, depthwise_conv};
pub use linear::{LinearBlockBackend, LinearSettings, linear, linear_of_channels};
pub use max_pool::{MaxPoolBackend, max_pool};
pub use mean_squared_error::{MeanSquaredErrorBackend, mean_squared_error};
#[cfg(test)]
pub(crate) use options::options;
pub use options::{ConvBlockOptions, FusedActivation, PoolOptions};
pub use pointwise::{Pointwise, PointwiseBackend, gelu, relu6, without_tiny_gradients};
