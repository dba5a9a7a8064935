//! The operations on Burn's flex tensors: which cases the kernels cover, what is kept for the backward
//! pass, and which gradients are registered.

mod add;
mod batch_norm;
mod conv_block;
mod cross_entropy;
mod depthwise_conv;
mod linear;
mod max_pool;
mod mean_squared_error;
mod pointwise;
mod tensor;
