//! The forward pass of a block: pack, convolve and pool strip by strip, unpack.

use rayon::prelude::*;

use crate::buffer::Aligned;
use crate::columns;
use crate::conv::{Plan, Rows, Source, conv_rows};
use crate::options::{Geometry, even_pieces};
use crate::pack::{Planes, pack, pack_rows, unpack};
use crate::pool::{Strip, conv_rows_of, pool_strip};
use crate::recycled::Recycled;
use crate::simd::{Isa, Simd, Task};
use crate::winograd::{self, Methods};

/// The output `[batch, out_channels, height, width]`, and with `codes` what the backward pass needs.
pub(crate) struct Output {
    pub values: Recycled,
    /// For every group `[out_channels, height, width, LANES]`; empty if not asked for or not needed.
    pub codes: Recycled<u8>,
}

impl Output {
    /// Room for the output, with `code_len` codes for every group.
    pub(crate) fn new(g: &Geometry, isa: Isa, code_len: usize) -> Self {
        let groups = g.batch.div_ceil(isa.lanes());
        Output {
            values: Recycled::any(g.batch * g.output_len()),
            codes: Recycled::any(groups * code_len),
        }
    }
}

/// The numbers that a block is computed from, in Burn's layouts.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    /// A factor for every image and output channel, if the result is scaled.
    pub scale: Option<&'a [f32]>,
}

/// Multiply-adds of a group of images below which more threads are not worth their coordination: about
/// 80 µs of one core.
pub(crate) const SPLIT_WORK: usize = 4_000_000;

/// Computes the block, with the codes of its outputs if they are asked for.
pub(crate) fn forward(isa: Isa, g: &Geometry, inputs: Inputs, codes: bool) -> Output {
    if !codes && Methods::columns_are_faster(g, isa.lanes()) {
        return Output { values: columns::forward(isa, g, inputs), codes: Recycled::any(0) };
    }
    forward_by(isa, (g, Methods::of(g, isa.lanes())), inputs, codes)
}

/// The same by methods of the caller's choice.
pub(crate) fn forward_by(
    isa: Isa,
    (g, methods): (&Geometry, Methods),
    inputs: Inputs,
    codes: bool,
) -> Output {
    if let Some(variant) = methods.forward {
        return winograd::forward(isa, g, variant, inputs, codes);
    }
    let groups = g.batch.div_ceil(isa.lanes());
    let work = isa.lanes() * g.out_channels * g.conv[0] * g.conv[1] * g.taps();
    let parts = match groups {
        0 => 1,
        _ => (rayon::current_num_threads() / groups).min(work / SPLIT_WORK),
    };
    // An output is summed up in the same order whatever channels are computed beside it, so the number
    // of parts changes no bit.
    match parts.min(g.out_channels) {
        0 | 1 => forward_groups(isa, g, inputs, codes),
        parts => forward_parts(isa, g, inputs, codes, parts),
    }
}

/// A small batch: the output channels are shared among the threads, too.
fn forward_parts(isa: Isa, g: &Geometry, inputs: Inputs, codes: bool, parts: usize) -> Output {
    let ranges: Vec<(usize, usize)> =
        even_pieces(g.out_channels, g.out_channels.div_ceil(parts)).collect();
    let taps = g.taps();
    let part = |&(first, channels): &(usize, usize)| {
        let scale: Option<Vec<f32>> = inputs.scale.map(|scale| {
            let images = scale.chunks_exact(g.out_channels);
            images.flat_map(|image| &image[first..first + channels]).copied().collect()
        });
        let inputs = Inputs {
            x: inputs.x,
            weight: &inputs.weight[first * taps..][..channels * taps],
            bias: &inputs.bias[first..][..channels],
            scale: scale.as_deref(),
        };
        forward_groups(isa, &Geometry { out_channels: channels, ..*g }, inputs, codes)
    };
    let outputs: Vec<Output> = ranges.par_iter().map(part).collect();
    let code_len = g.code_len(codes, isa.lanes());
    let mut whole = Output::new(g, isa, code_len);
    let mut values = &mut whole.values[..];
    let plane = g.output[0] * g.output[1];
    for image in 0..g.batch {
        for (output, (_, channels)) in outputs.iter().zip(&ranges) {
            let len = channels * plane;
            append(&mut values, &output.values[image * len..][..len]);
        }
    }
    let mut all_codes = &mut whole.codes[..];
    if code_len > 0 {
        for group in 0..g.batch.div_ceil(isa.lanes()) {
            for (output, (_, channels)) in outputs.iter().zip(&ranges) {
                let len = channels * plane * isa.lanes();
                append(&mut all_codes, &output.codes[group * len..][..len]);
            }
        }
    }
    whole
}

/// Writes numbers to the front of a slice, and leaves the rest of it.
fn append<T: Copy>(to: &mut &mut [T], from: &[T]) {
    let (front, rest) = std::mem::take(to).split_at_mut(from.len());
    front.copy_from_slice(from);
    *to = rest;
}

/// The groups of a batch, each by one thread.
fn forward_groups(isa: Isa, g: &Geometry, inputs: Inputs, codes: bool) -> Output {
    let Inputs { x, weight, bias, scale } = inputs;
    let lanes = isa.lanes();
    let groups = g.batch.div_ceil(lanes);
    let planes = Planes::of_input(g);
    let source =
        Source { in_channels: g.in_channels, kernel: g.kernel, plane_width: planes.padded()[1] };
    let taps = g.taps();
    let plan = Plan::new(isa, &source, g.out_channels, Some(bias), |o, tap| weight[o * taps + tap]);
    let code_len = g.code_len(codes, lanes);
    let mut output = Output::new(g, isa, code_len);
    let group = Group { g, planes, plan };
    // A group without codes gets an empty piece of them.
    let mut code_pieces: Vec<&mut [u8]> = match code_len {
        0 => (0..groups).map(|_| Default::default()).collect(),
        _ => output.codes.chunks_mut(code_len).collect(),
    };
    output
        .values
        .par_chunks_mut(lanes * g.output_len())
        .zip(x.par_chunks((lanes * g.input_len()).max(1)))
        .zip(code_pieces.par_iter_mut())
        .enumerate()
        .for_each_init(
            || Scratch::new(&group, lanes),
            |scratch, (index, ((y, x), codes))| {
                let scale = scale.map(|scale| group_scale(g, scale, index * lanes, lanes));
                let codes = (code_len > 0).then_some(&mut **codes);
                isa.run(ForwardGroup { group: &group, x, scale, y, codes, scratch });
            },
        );
    output
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

/// What all groups share.
struct Group<'a> {
    g: &'a Geometry,
    planes: Planes,
    plan: Plan,
}

impl Group<'_> {
    /// Pool rows that are computed together: one if windows do not share rows, else all.
    fn strip_rows(&self) -> usize {
        if self.g.pool_tiles() { 1 } else { self.g.output[0] }
    }
}

/// Working memory of one thread.
struct Scratch {
    /// The packed input; its borders stay zero.
    x: Aligned,
    /// Some rows of the convolution of one block of channels.
    conv: Aligned,
    /// The output before it is unpacked.
    y: Aligned,
    /// The packed factors.
    scale: Aligned,
}

impl Scratch {
    fn new(group: &Group, lanes: usize) -> Self {
        let g = group.g;
        let block = group.plan.blocks().iter().map(|b| b.1).max().unwrap_or(0);
        let rows = match g.pool_tiles() {
            true => g.pool.kernel[0].min(g.conv[0]),
            false => g.conv[0],
        };
        Scratch {
            x: group.planes.with_clear_borders(lanes),
            conv: Aligned::any(block * rows * g.conv[1] * lanes),
            y: Aligned::any(g.output_len() * lanes),
            scale: Aligned::any(g.out_channels * lanes),
        }
    }
}

/// One group of images.
struct ForwardGroup<'a> {
    group: &'a Group<'a>,
    x: &'a [f32],
    scale: Option<&'a [f32]>,
    y: &'a mut [f32],
    codes: Option<&'a mut [u8]>,
    scratch: &'a mut Scratch,
}

impl Task for ForwardGroup<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let (group, scratch, g) = (self.group, self.scratch, self.group.g);
        let lanes = S::LANES;
        let plane = g.output[0] * g.output[1] * lanes;
        let row_len = g.conv[1] * lanes;
        // SAFETY: `run` is only entered where the processor has `S`.
        unsafe { pack_rows::<S>(self.x, &group.planes, &mut scratch.x) };
        if let Some(scale) = self.scale {
            // SAFETY: as above.
            unsafe { pack::<S>(scale, g.out_channels, &mut scratch.scale) };
        }
        let mut first = 0;
        while first < g.output[0] {
            let end = (first + group.strip_rows()).min(g.output[0]);
            let (conv_first, conv_end) = conv_rows_of(g, first, end);
            let rows = Rows {
                size: [conv_end - conv_first, g.conv[1]],
                x_row: g.stride[0] * group.planes.row_len(lanes),
                x_pixel: g.stride[1] * lanes,
                y_row: row_len,
                y_channel: (conv_end - conv_first) * row_len,
            };
            let x = &scratch.x[conv_first * rows.x_row..];
            for (block, &(channel, size)) in group.plan.blocks().iter().enumerate() {
                // SAFETY: as above.
                unsafe { conv_rows::<S>(&group.plan, block, &rows, x, &mut scratch.conv) };
                for o in 0..size {
                    let strip = Strip {
                        conv: &scratch.conv[o * rows.y_channel..][..rows.y_channel],
                        conv_first,
                        rows: (first, end),
                        scale: self.scale.map(|_| &scratch.scale[(channel + o) * lanes..][..lanes]),
                    };
                    let at = (channel + o) * plane + first * g.output[1] * lanes;
                    let codes = self.codes.as_mut().map(|codes| &mut codes[at..]);
                    // SAFETY: as above.
                    unsafe { pool_strip::<S>(g, &strip, &mut scratch.y[at..], codes) };
                }
            }
            first = end;
        }
        // SAFETY: as above.
        unsafe { unpack::<S>(&scratch.y, g.output_len(), self.y) };
    }
}
