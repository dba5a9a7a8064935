//! Convolution blocks: convolution, bias, activation and max-pool of a batch, and their gradients.
//!
//! [`forward`] chooses among four methods by a model of their cost ([`method`]): [`direct`], by the
//! register blocks of the [`microkernel`]; [`winograd`]; for kernels of 1 × 1, [`planes`]; and, for few images,
//! [`im2col`]. The [`backward`] pass undoes the pool, then takes the gradients directly ([`weight_grad`], and the same
//! microkernel for the input), by Winograd's method or as products of planes. What goes in and out is in [`io`].

mod backward;
mod direct;
mod forward;
mod im2col;
mod io;
mod method;
mod microkernel;
mod planes;
#[cfg(test)]
mod tests;
mod weight_grad;
mod winograd;

pub(crate) use backward::{Saved, Wanted, backward};
pub(crate) use forward::forward;
pub(crate) use io::Inputs;
pub(crate) use method::{Sizes, TRANSFORM, direct_is_wanted};
pub(crate) use winograd::{Variant, transform};
