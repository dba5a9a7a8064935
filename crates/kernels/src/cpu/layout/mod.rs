//! The sizes of a fused block, and where its tensors lie in memory.
//!
//! Burn keeps images one after the other, `[batch, channel, height, width]`. The kernels of a block
//! interleave groups of images ([`pack`]), so that a vector holds the same pixel of all of them.

mod geometry;
mod input_planes;
mod pack;
mod spread;

pub(crate) use geometry::Geometry;
pub(crate) use input_planes::InputPlanes;
pub(crate) use pack::{fold, pack, pack_gradient, pack_rows, pack_strip, unpack, unpack_run};
pub(crate) use spread::Spread;
