//! Products of matrices, for a few rows against a large weight.
//!
//! The right matrix is read in *panels* of a few vectors of adjacent columns, copied so that the blocks
//! find their terms one after the other: a panel of [`TERMS`](part::TERMS) terms stays in the first-level cache while
//! all rows pass by. The left matrix is read where it is, element by element; but if its terms lie apart,
//! from a copy, too.
//!
//! An entry of the result is summed up term after term in sums of that many, whatever the sizes of the
//! blocks and the number of threads: those only share the entries. Very long sums are taken more
//! carefully ([`long`]).
//!
//! Measured on one core of a Zen 3 server (AVX2, 102 GFLOP/s in registers): 78 to 97 GFLOP/s for 32 to
//! 512 rows, inner sizes of 32 to 2000 and 128 to 2000 columns, in all orientations.

mod compute;
mod long;
mod matrix;
mod microkernel;
mod panel;
mod part;
mod product;
mod sparse_channels;
#[cfg(test)]
mod tests;

pub(crate) use compute::{compute_all, compute_each};
pub(crate) use long::LONG;
pub(crate) use matrix::{Matrix, column_sums, relu_backward};
pub(crate) use product::{Product, Start};
pub(crate) use sparse_channels::{Operands, SparseChannels};
