//! Batch normalization: statistics of every channel, the pass that normalizes, and its gradient.

mod given;
mod moments;
mod normalize;

pub(crate) use given::{Channel, normalized};
pub(crate) use moments::{Batch, statistics};
pub(crate) use normalize::{Affine, Normalize};
