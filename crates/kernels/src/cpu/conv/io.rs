//! What a block is computed from, and what it gives.

use crate::cpu::layout::Geometry;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;

/// The output `[batch, out_channels, height, width]`, and the argmax that the backward pass needs.
pub(crate) struct Output {
    pub values: Recycled,
    /// For every group `[out_channels, height, width, LANES]`; empty if not asked for or not needed.
    pub argmax: Recycled<u8>,
}

impl Output {
    /// Room for the output, with `argmax_len` bytes of argmax for every group.
    pub(crate) fn new(g: &Geometry, isa: Isa, argmax_len: usize) -> Self {
        let groups = g.batch.div_ceil(isa.lanes());
        Output {
            values: Recycled::any(g.batch * g.output_len()),
            argmax: Recycled::any(groups * argmax_len),
        }
    }
}

/// What a block is computed from, in Burn's layouts.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    /// A factor for every image and output channel, if the result is scaled.
    pub scale: Option<&'a [f32]>,
}

/// The factors of at most `lanes` images from image `first` on.
pub(crate) fn group_scale<'a>(
    g: &Geometry,
    scale: &'a [f32],
    first: usize,
    lanes: usize,
) -> &'a [f32] {
    let end = (first + lanes).min(g.batch);
    &scale[first * g.out_channels..end * g.out_channels]
}
