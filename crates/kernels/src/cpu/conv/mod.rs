//! Convolution blocks: convolution, bias, ReLU and max-pool of a batch, and their gradients.
//!
//! [`forward`] chooses among three methods by a model of their cost ([`method`]): [`direct`], by the
//! register blocks of the [`microkernel`]; [`winograd`]; and, for few images, [`im2col`]. The
//! [`backward`] pass undoes the pool, then takes the gradients directly ([`weight_grad`], and the same
//! microkernel for the input) or by Winograd's method. What goes in and out is in [`io`].

mod backward;
mod direct;
mod forward;
mod im2col;
mod io;
mod method;
mod microkernel;
#[cfg(test)]
mod tests;
mod weight_grad;
mod winograd;

pub(crate) use backward::{Saved, Wanted, backward};
pub(crate) use forward::forward;
pub(crate) use io::Inputs;
