//! Fused CPU operations for small convolutional networks, on Burn tensors.
//!
//! | | |
//! |---|---|
//! | [`conv_block`] | convolution + bias + ReLU or ReLU6 + max-pool |
//! | [`conv_block_scaled`] | the same, with channel dropout |
//! | [`conv_transpose_block`] | nearest upsampling + transposed convolution + bias + ReLU |
//! | [`depthwise_conv`] | convolution of every channel with a kernel of its own + ReLU or ReLU6 |
//! | [`linear`] | linear layer + ReLU |
//! | [`linear_of_channels`] | the same behind channel dropout, with less work for channels that are zero |
//! | [`batch_norm`], [`batch_norm_with`] | batch normalization + ReLU or ReLU6, while training and after it |
//! | [`add`] | sum of two tensors + ReLU or ReLU6: the end of a residual block |
//! | [`gelu`], [`relu6`] | functions of single values |
//! | [`max_pool`] | max-pool, where it does not follow a convolution |
//! | [`cross_entropy`] | log-softmax + negative log likelihood + mean of the batch |
//! | [`mean_squared_error`] | difference + square + mean |
//! | [`inference`] | a whole network that only predicts, as one program |
//! | [`AdamOptions`], [`SgdOptions`], [`RmsPropOptions`] | Adam, AdamW, SGD and RMSprop in one pass over memory |
//!
//! Each block is one differentiable operation. On Burn's flex device, in `f32`, it runs on kernels
//! written for small images; on every other device the same call composes Burn's own operations. So a
//! model is written once and never asks which device it is on.
//!
//! # Where everything is
//!
//! | | |
//! |---|---|
//! | `ops/` | the operations above: options, what they compute, how Burn's own operations compose it |
//! | `optim/` | the optimizers: a rule for every element, and the one pass that applies it |
//! | `cpu/flex/` | the operations on flex tensors: what the kernels cover, what is kept for the gradients |
//! | `cpu/conv/` | convolution blocks: `forward` chooses by `method` among `direct` (its inner loop is `microkernel`), `winograd/`, `planes` (kernels of 1 × 1) and `im2col`; `backward/` has the gradients |
//! | `cpu/depthwise/` | depthwise convolutions and their gradients |
//! | `cpu/norm/`, `cpu/pointwise/`, `cpu/pool/`, `cpu/matmul/` | batch normalization; GELU, ReLU and ReLU6; max-pool; products of matrices and linear layers |
//! | `cpu/inference/` | programs of whole networks that only predict |
//! | `cpu/layout/` | the sizes of a block; images interleaved, so that a vector holds one pixel of each |
//! | `cpu/threads/` | who computes the pieces of a kernel |
//! | `cpu/memory/`, `cpu/simd/` | aligned and recycled memory; vector instructions |
//!
//! `cpu/flex/` implements the traits of `ops/`; of the folders of `cpu/`, each is used by those above it
//! in the table alone. All of `cpu/` is compiled with the feature `flex` only; without it there are the
//! composed operations. The measuring programs are in `benches/`.
//!
//! # How the kernels work
//!
//! The same pixel of several images lies in the lanes of a vector, so no kernel size, image size or
//! channel count leaves lanes unused; only the last images of a batch may. A convolution is computed
//! directly, a few pixels of a few output channels at a time, with all sums in registers; bias, activation
//! and pool follow while the result is in the first-level cache. What the backward pass needs of it is
//! one byte for every output: the argmax of its pool window, or that the activation masks it. Groups of images are
//! spread over the threads of [rayon](https://docs.rs/rayon)'s current pool; or, within [`with_team`], over as many
//! that stay awake between the kernels of a step, which is worth most for small networks (two cores with AVX-512,
//! two rounds: `mlp_relu` 1.5, `linear_autoencoder` 1.2, `cnn2_small` 1.1, larger ones 1.0 times as fast;
//! `peer_step --team false` is without); and over one, while a loop that calls [`end_of_step`] is faster so.
//!
//! A stride makes the gradient of a convolution's input several convolutions, each for the inputs of one rest of the division by
//! the stride, with a part of the kernel.
//!
//! Kernels of 3×3 and 5×5 pixels with stride 1 between many channels are computed by Winograd's method
//! instead, F(2×2, 3×3), F(4×4, 3×3), F(2×2, 5×5) or F(4×4, 5×5) (Lavin and Gray 2016, arXiv:1509.09308), where
//! that takes less time: a model of the cost, fitted to measurements, decides for each pass by the
//! sizes. It needs 2.3 to 6.3 times fewer products, and rounds more, as the table shows; and a NaN or
//! an infinite pixel spoils all results of its tile, of up to 4 × 4 pixels. `SELVEDGE_CONV=direct` in the
//! environment (read once) turns it off.
//!
//! Kernels of 1×1 pixels with stride 1 are products of matrices: an image is a matrix `[channels, pixels]` already, so
//! nothing is interleaved. With few pixels and many images the direct way takes less time, which the model of the cost
//! decides for both passes at once. A pool behind it, channel dropout, and in training an activation (most have a batch
//! normalization between) are left to the direct way.
//!
//! Largest error against `f64`, as a share of the largest result, of 8 images of 8 × 8 random pixels with
//! AVX-512. It grows with the root of the channels; the gradient of the images is off by as much as the
//! outputs, that of the weights by up to 1.4e-5 for any number of channels:
//!
//! | channels | directly | F(2×2, 3×3) | F(4×4, 3×3) | F(2×2, 5×5) | F(4×4, 5×5) |
//! |---:|---:|---:|---:|---:|---:|
//! | 16 | 2e-7 | 2e-7 | 3e-6 | 2e-6 | 4e-6 |
//! | 64 | 2e-7 | 4e-7 | 6e-6 | 4e-6 | 6e-6 |
//! | 256 | 3e-7 | 7e-7 | 1.3e-5 | 9e-6 | 1e-5 |
//!
//! A test holds outputs to 2e-5 on every instruction set (2e-6 for F(2×2, 3×3)); other images and
//! weights were seen to reach 1.7e-5.
//!
//! A forward pass of a few images alone, of which that would leave most lanes unused, is computed as the
//! product of the weight with a matrix of what lies under the kernel (im2col), again where the model of
//! the cost says so: a single image takes a third to a tenth of the time that it takes directly, depending
//! on the layer (benchmark `few_speed`, with and without `SELVEDGE_CONV=direct`, which turns this off, too).
//! So the last bits of an output may depend on the size of the batch, and for a few images on whether a
//! gradient is to follow; behind a kernel of 1 × 1 with an activation for any number of images.
//!
//! A network that only predicts can be a program of its own ([`inference`]; `Network::for_inference` of `selvedge-models`
//! makes it). There a vector holds neighbouring *channels* of one pixel, so one image fills the lanes as well as many, where
//! channels are a multiple of them. Nothing is put into another order between two layers; weights are packed, and
//! transformed for Winograd's method, once; activations and the sums of residual blocks are part of the convolution before
//! them; values share memory by a plan; and Burn is not asked in between. A program gives an image the same bits in any
//! batch.
//!
//! What another core has written takes a dozen times as long to read as what is the same for all, such as weights. So
//! several threads share one image by rows, and keep to theirs from layer to layer; by channels only where weights are
//! large. A depthwise convolution is one layer with that of 1 × 1 behind it and mostly that before it, too: a thread computes
//! a few rows of all, and what lies between, several times as large as the image, stays in its caches. Where a signal
//! between two cores took 1.5 µs there and back, this made a single image 1.5 times as fast in `airbench94` and 1.6 times in
//! `mobilenet_v2`; where it took 0.4 µs, 1.02 and 1.08 times.
//!
//! Linear layers are products by kernels of their own, which know that the batch is small, with bias
//! and ReLU in place. The memory of large results is kept for the next ones: together
//! with what is in use, at most one and a half times the buffers that were in use at once, of which each may be up to four
//! times as large as its result.
//!
//! # How fast they are
//!
//! Operations are counted by the definition of a convolution. Winograd's method needs fewer, so that its shares of a
//! processor's peak are not shares of the multipliers' time, and may exceed 100 %.
//!
//! Layers alone, in GFLOP/s of two cores of a Sapphire Rapids server with AVX-512, which do 475 in registers (benchmark
//! `conv_speed`; forward pass and gradients, packing and pool included): A1's and A2's convolutions of 3×3 reach 200 and
//! 270 in a step, 64 to 256 channels 400 to 470 by Winograd's method, 512 channels of 4×4 pixels 270. On one core of a
//! Zen 3 server (AVX2, 102 in registers) directly computed convolutions of 10 to 256 channels reach 75 to 90, and products
//! of linear layers 78 to 97.
//!
//! Whole training steps on two cores of an EPYC (Zen 5) with AVX-512, which do 543 GFLOP/s in registers: images a second
//! by the example `peer_step` times the operations of the networks' definitions (forward pass and both gradients, but for
//! the gradient of the images); the mean of two runs.
//!
//! | network | MFLOP an image | GFLOP/s | share of the peak |
//! |---|---:|---:|---:|
//! | `cnn2_small` | 2.7 | 335 | 62 % |
//! | `cnn2` | 9.6 | 411 | 76 % |
//! | `cnn3` | 8.3 | 399 | 73 % |
//! | `cnn5` | 42.9 | 596 | 110 % |
//! | `conv_autoencoder` | 8.0 | 444 | 82 % |
//! | `encoder_cnn` | 2.6 | 282 | 52 % |
//! | `transfer_cnn` | 10.9 | 327 | 60 % |
//! | `mnist_cnn` | 4.3 | 366 | 67 % |
//! | `mnist_cnn2` | 67.6 | 648 | 119 % |
//! | `mnist_cnn3` | 544 | 772 | 142 % |
//! | `bn_cnn` | 88.5 | 355 | 65 % |
//! | `fashion_cnn` | 240 | 653 | 120 % |
//! | `mlp_relu` | 1.1 | 218 | 40 % |
//! | `linear_autoencoder` | 4.3 | 234 | 43 % |
//! | `resnet18_cifar` | 3,329 | 539 | 99 % |
//! | `airbench93` | 325 | 649 | 120 % |
//! | `airbench94` | 708 | 670 | 123 % |
//! | `vgg16` up to its last pool, inference | 30,693 | 1,140 | 210 % |
//!
//! (Shares of the smallest networks depend on where the system has put the two cores: `cnn2_small` was also seen to train
//! with 90,000 images a second, a share of 45 %.)
//!
//! What is left over: small networks wait for each other's threads, for some dozen operations a
//! step; a fifth of a step of `mlp_relu` on one core is allocation, autodiff and small operations, and what is left of it
//! products near the peak; results are put back into Burn's layout after each block, and packed again before the next;
//! Adam passes over four arrays as large as the weights; and with many channels, tiles and their products go through the
//! third-level cache. Of a step of `resnet18_cifar` more than half is gradients of
//! convolutions and a fifth their forward pass; the rest is batch normalization, transforms of kernels, Adam, operations of
//! Burn's own, and waiting.
//!
//! Tried without a gain: gradients of linear layers and steps of Adam shared among threads by the columns of the
//! weights, as the forward pass shares them, so that each thread reads what it has written (`linear_autoencoder` 0.7
//! times as fast where two cores were far from each other: rows of a kilobyte in turns belong to the caches of both);
//! by their rows (no difference); products in blocks of twelve rows and two vectors of AVX-512, whose panels fit the
//! first-level cache, instead of six rows and four (0.98 times as fast); small results kept on the list, too (1 %).
//!
//! # Choosing instructions
//!
//! The kernels exist for AVX-512 (F and VL), AVX2 with FMA, NEON, and in portable Rust. The fastest that the
//! processor has is chosen at the first call; no compiler flags are needed, but for WebAssembly, whose
//! vectors take the place of the portable ones under `-C target-feature=+simd128`. The environment variable
//! `SELVEDGE_SIMD` (`avx512`, `avx2`, `neon` or `portable`, read once) asks for another one; a name
//! that is unknown, or that this processor does not have, is ignored. Convolutions of at most eight images take AVX2's
//! vectors also where there is AVX-512, half of whose lanes would stay empty.
//!
//! Results are the same bits for any number of threads. Different instruction sets round differently,
//! in the last bits.
//!
//! # How the kernels are tested
//!
//! Every kernel is compared with a naive one over random shapes, on each instruction set that the
//! processor has. `.ci/thorough neon` runs the same tests as NEON in QEMU, where that and a linker for 64-bit
//! Arm are installed. `.ci/sanitize` runs them under AddressSanitizer; and the small ones in Miri,
//! which needs no processor with AVX2 or AVX-512 to run the kernels for them. The benchmark
//! `conv_speed` measures what the kernels reach of the processor's peak.
//!
//! # Building
//!
//! Debug assertions in this crate cost a factor of four, because the standard library then checks every
//! vector that is loaded. A release build has none; a workspace whose dev profile is optimized should
//! turn them off for this crate (`[profile.dev.package.selvedge-kernels] debug-assertions = false`).

// Kernels index several arrays of registers by one variable; the closures of iterators would be
// compiled without the instructions.
#![allow(clippy::needless_range_loop)]
// Burn calls its ndarray device deprecated; who asks for the feature knows.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

#[cfg(feature = "flex")]
mod cpu;
mod device;
mod ops;
mod optim;

/// Calls `f`. With the feature `flex`, its kernels find threads that are awake.
#[cfg(not(feature = "flex"))]
pub fn with_team<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Does nothing: there are no threads of these kernels.
#[cfg(not(feature = "flex"))]
pub fn end_of_step() {}

#[cfg(feature = "flex")]
pub use cpu::inference;
#[cfg(feature = "flex")]
pub use cpu::threads::{end_of_step, with_team};
pub use device::is_cpu;
pub use ops::{AddBackend, add};
pub use ops::{BatchNormBackend, BatchNormOptions, BatchNormOutput, batch_norm};
pub use ops::{BatchNormStatistics, batch_norm_with};
pub use ops::{ConvBlockBackend, ConvBlockSettings, conv_block, conv_block_scaled};
pub use ops::{ConvBlockOptions, PoolOptions};
pub use ops::{ConvTransposeBlockOptions, conv_transpose_block};
pub use ops::{CrossEntropyBackend, cross_entropy};
pub use ops::{DepthwiseConvBackend, DepthwiseConvOptions, FusedActivation, depthwise_conv};
pub use ops::{LinearBlockBackend, LinearSettings, linear, linear_of_channels};
pub use ops::{MaxPoolBackend, max_pool};
pub use ops::{MeanSquaredErrorBackend, mean_squared_error};
pub use ops::{Pointwise, PointwiseBackend, gelu, relu6, without_tiny_gradients};
pub use optim::{AdamOptions, FusedAdam};
pub use optim::{FusedRmsProp, FusedRmsPropState, RmsPropOptions};
pub use optim::{FusedSgd, FusedSgdState, MomentumOptions, SgdOptions};
