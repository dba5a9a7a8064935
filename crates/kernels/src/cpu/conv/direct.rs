//! The forward pass by direct convolution: pack, convolve and pool strip by strip, unpack.

use rayon::prelude::*;

use super::io::{Inputs, Output, group_scale};
use super::microkernel::{InputLayout, PackedKernels, Rows, conv_rows};
use crate::cpu::layout::{Geometry, InputPlanes, pack, pack_rows, unpack};
use crate::cpu::memory::Aligned;
use crate::cpu::pool::{Strip, conv_rows_of, pool_strip};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::split::{SPLIT_WORK, even_pieces};
use crate::cpu::threads;

/// Computes the block, with the argmax of its outputs if it is asked for.
pub(crate) fn forward(isa: Isa, g: &Geometry, inputs: Inputs, with_argmax: bool) -> Output {
    let groups = g.batch.div_ceil(isa.lanes());
    let work = isa.lanes() * g.out_channels * g.conv[0] * g.conv[1] * g.fan_in();
    let parts = match groups {
        0 => 1,
        _ => (threads::count() / groups).min(work / threads::worth(SPLIT_WORK)),
    };
    // An output is summed up in the same order whatever channels are computed beside it, so the number
    // of parts changes no bit.
    match parts.min(g.out_channels) {
        0 | 1 => forward_groups(isa, g, inputs, with_argmax),
        parts => forward_parts(isa, g, inputs, with_argmax, parts),
    }
}

/// A small batch: the output channels are shared among the threads, too.
fn forward_parts(
    isa: Isa,
    g: &Geometry,
    inputs: Inputs,
    with_argmax: bool,
    parts: usize,
) -> Output {
    let ranges: Vec<(usize, usize)> =
        even_pieces(g.out_channels, g.out_channels.div_ceil(parts)).collect();
    let fan_in = g.fan_in();
    let part = |&(first, channels): &(usize, usize)| {
        let scale: Option<Vec<f32>> = inputs.scale.map(|scale| {
            let images = scale.chunks_exact(g.out_channels);
            images.flat_map(|image| &image[first..first + channels]).copied().collect()
        });
        let inputs = Inputs {
            x: inputs.x,
            weight: &inputs.weight[first * fan_in..][..channels * fan_in],
            bias: &inputs.bias[first..][..channels],
            scale: scale.as_deref(),
        };
        forward_groups(isa, &Geometry { out_channels: channels, ..*g }, inputs, with_argmax)
    };
    let outputs: Vec<Output> = threads::map(ranges.par_iter(), part);
    let argmax_len = g.argmax_len(with_argmax, isa.lanes());
    let mut whole = Output::new(g, isa, argmax_len);
    let mut values = &mut whole.values[..];
    let plane = g.output[0] * g.output[1];
    for image in 0..g.batch {
        for (output, (_, channels)) in outputs.iter().zip(&ranges) {
            let len = channels * plane;
            append(&mut values, &output.values[image * len..][..len]);
        }
    }
    let mut all_argmax = &mut whole.argmax[..];
    if argmax_len > 0 {
        for group in 0..g.batch.div_ceil(isa.lanes()) {
            for (output, (_, channels)) in outputs.iter().zip(&ranges) {
                let len = channels * plane * isa.lanes();
                append(&mut all_argmax, &output.argmax[group * len..][..len]);
            }
        }
    }
    whole
}

/// Copies elements to the front of a slice, and leaves the rest of it.
fn append<T: Copy>(to: &mut &mut [T], from: &[T]) {
    let (front, rest) = std::mem::take(to).split_at_mut(from.len());
    front.copy_from_slice(from);
    *to = rest;
}

/// The groups of a batch, each by one thread.
fn forward_groups(isa: Isa, g: &Geometry, inputs: Inputs, with_argmax: bool) -> Output {
    let Inputs { x, weight, bias, scale } = inputs;
    let lanes = isa.lanes();
    let groups = g.batch.div_ceil(lanes);
    let planes = InputPlanes::of_input(g);
    let layout = InputLayout {
        in_channels: g.in_channels,
        kernel: g.kernel,
        plane_width: planes.padded()[1],
    };
    let fan_in = g.fan_in();
    let kernels = PackedKernels::new(isa, &layout, g.out_channels, Some(bias), |o, offset| {
        weight[o * fan_in + offset]
    });
    let argmax_len = g.argmax_len(with_argmax, lanes);
    let mut output = Output::new(g, isa, argmax_len);
    let group = Group { g, planes, kernels };
    // Without an argmax, every group gets an empty piece of it.
    let mut argmax_pieces: Vec<&mut [u8]> = match argmax_len {
        0 => (0..groups).map(|_| Default::default()).collect(),
        _ => output.argmax.chunks_mut(argmax_len).collect(),
    };
    let pieces = output.values.par_chunks_mut(lanes * g.output_len());
    let pieces = pieces.zip(x.par_chunks((lanes * g.input_len()).max(1)));
    threads::for_each_init(
        pieces.zip(argmax_pieces.par_iter_mut()).enumerate(),
        || Scratch::new(&group, lanes),
        |scratch, (index, ((y, x), argmax))| {
            let scale = scale.map(|scale| group_scale(g, scale, index * lanes, lanes));
            let argmax = (argmax_len > 0).then_some(&mut **argmax);
            isa.run(ForwardGroup { group: &group, x, scale, y, argmax, scratch });
        },
    );
    output
}

/// What all groups share.
struct Group<'a> {
    g: &'a Geometry,
    planes: InputPlanes,
    kernels: PackedKernels,
}

impl Group<'_> {
    /// Pool rows that are computed together: one if windows do not share rows, else all.
    fn strip_rows(&self) -> usize {
        if self.g.windows_are_disjoint() { 1 } else { self.g.output[0] }
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
        let block = group.kernels.blocks().iter().map(|b| b.1).max().unwrap_or(0);
        let rows = match g.windows_are_disjoint() {
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
    argmax: Option<&'a mut [u8]>,
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
                y_pixel: lanes,
                y_channel: (conv_end - conv_first) * row_len,
            };
            let x = &scratch.x[conv_first * rows.x_row..];
            for (block, &(channel, size)) in group.kernels.blocks().iter().enumerate() {
                // SAFETY: as above.
                unsafe { conv_rows::<S>(&group.kernels, block, &rows, x, &mut scratch.conv) };
                for o in 0..size {
                    let strip = Strip {
                        conv: &scratch.conv[o * rows.y_channel..][..rows.y_channel],
                        conv_first,
                        rows: (first, end),
                        scale: self.scale.map(|_| &scratch.scale[(channel + o) * lanes..][..lanes]),
                    };
                    let at = (channel + o) * plane + first * g.output[1] * lanes;
                    let argmax = self.argmax.as_mut().map(|argmax| &mut argmax[at..]);
                    // SAFETY: as above.
                    unsafe { pool_strip::<S>(g, &strip, &mut scratch.y[at..], argmax) };
                }
            }
            first = end;
        }
        // SAFETY: as above.
        unsafe { unpack::<S>(&scratch.y, g.output_len(), self.y) };
    }
}
