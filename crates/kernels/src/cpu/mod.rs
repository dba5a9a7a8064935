//! The kernels behind Burn's flex device, floor by floor: each folder uses only those above it in this
//! list.
//!
//! | | |
//! |---|---|
//! | [`simd`] | the vector instructions that kernels are written in, and the choice at run time |
//! | [`memory`] | working memory of a thread, recycled memory of results |
//! | [`threads`] | who computes the pieces of a kernel |
//! | [`split`] | how work is shared among threads |
//! | [`layout`] | the sizes of a fused block, and images interleaved so that a vector holds one pixel of each |
//! | [`activation`] | ReLU and ReLU6 of vectors |
//! | [`matmul`] | products of matrices, and those of a linear layer with channels of zeros |
//! | [`pool`] | ReLU and max-pool, of interleaved planes and of Burn's |
//! | [`norm`] | batch normalization |
//! | [`pointwise`] | GELU, ReLU, ReLU6 |
//! | [`conv`] | convolution blocks: direct, by Winograd's method, as products of matrices; their gradients |
//! | [`depthwise`] | depthwise convolutions and their gradients |
//! | [`inference`] | whole networks for inference |
//! | [`flex`] | the operations of [`ops`](crate::ops) on flex tensors, with their backward passes |

mod activation;
mod conv;
mod depthwise;
mod flex;
pub mod inference;
mod layout;
mod matmul;
mod memory;
mod norm;
mod pointwise;
mod pool;
pub(crate) mod simd;
mod split;
#[cfg(test)]
mod test_values;
pub(crate) mod threads;
