//! Fused CPU operations for small convolutional networks.
//!
//! [`conv_block`] is convolution + bias + ReLU + max-pool in one differentiable operation on Burn
//! tensors. On Burn's flex device it runs on kernels written for small images; on every other device
//! the same call composes Burn's own operations, so a model is written once.
//!
//! # Choosing instructions
//!
//! The kernels exist for AVX-512, AVX2 with FMA, NEON, and in portable Rust. The fastest that the
//! processor has is chosen at the first call; no compiler flags are needed. The environment variable
//! `SELVEDGE_SIMD` (`avx512`, `avx2`, `neon` or `portable`, read once) asks for another one; a name
//! that is unknown, or that this processor does not have, is ignored.
//!
//! Results are the same bits for any number of threads. Different instruction sets round differently,
//! in the last bits.

mod adam;
#[cfg(feature = "flex")]
mod backward;
#[cfg(feature = "flex")]
mod buffer;
#[cfg(feature = "flex")]
mod conv;
mod extension;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod forward;
#[cfg(test)]
mod naive;
mod options;
#[cfg(feature = "flex")]
mod pack;
#[cfg(feature = "flex")]
mod pool;
#[cfg(feature = "flex")]
mod simd;
#[cfg(test)]
mod tests;
mod transpose;
#[cfg(feature = "flex")]
mod weight_grad;

pub use adam::{AdamOptions, FusedAdam};
pub use extension::{ConvBlockBackend, ConvBlockSettings, conv_block, conv_block_scaled};
pub use options::{ConvBlockOptions, PoolOptions};
pub use transpose::{ConvTransposeBlockOptions, conv_transpose_block};
