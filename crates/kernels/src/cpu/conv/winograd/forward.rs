//! The forward pass of a block of many channels.

use rayon::prelude::*;

use super::kernels::TransformedKernels;
use super::tiles::{Tiles, View, tile_runs};
use super::variant::Variant;
use crate::cpu::conv::io::{Inputs, Output, group_scale};
use crate::cpu::layout::{Geometry, InputPlanes, pack, pack_strip, unpack_run};
use crate::cpu::memory::{Aligned, SharedSlice};
use crate::cpu::pool::{Strip, conv_rows_of, pool_strip};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Elements of input and result that a strip of rows of a plane should not exceed.
const STRIP_LEN: usize = 512 * 1024;

/// Computes the block, with the argmax of its outputs if it is asked for.
pub(crate) fn forward(
    isa: Isa,
    g: &Geometry,
    variant: Variant,
    inputs: Inputs,
    with_argmax: bool,
) -> Output {
    let lanes = isa.lanes();
    let groups = g.batch.div_ceil(lanes);
    let argmax_len = g.argmax_len(with_argmax, lanes);
    let mut output = Output::new(g, isa, argmax_len);
    if groups == 0 {
        return output;
    }
    let whole = Whole {
        g,
        inputs,
        planes: InputPlanes::of_input(g),
        kernels: TransformedKernels::new(isa, variant, g, inputs.weight, false),
        values: SharedSlice::new(&mut output.values),
        argmax: (argmax_len > 0).then(|| SharedSlice::new(&mut output.argmax)),
    };
    let pieces = whole.pieces(groups, lanes);
    let rows = pieces.iter().map(|piece| whole.conv_rows(piece)).map(|(a, b)| b - a).max();
    threads::for_each_init(
        pieces.into_par_iter(),
        || Scratch::new(&whole, rows.unwrap_or(0), lanes),
        |scratch, piece| isa.run(ForwardPiece { whole: &whole, piece, scratch }),
    );
    drop(whole);
    output
}

/// What all pieces share.
struct Whole<'a> {
    g: &'a Geometry,
    inputs: Inputs<'a>,
    planes: InputPlanes,
    kernels: TransformedKernels,
    values: SharedSlice<'a>,
    argmax: Option<SharedSlice<'a, u8>>,
}

/// Rows of the outputs of some groups of images.
struct Piece {
    /// First group, and their number: one if there are several strips of rows.
    groups: (usize, usize),
    /// First row of the output, and the last one's successor.
    rows: (usize, usize),
}

impl Whole<'_> {
    /// Cuts the batch: large planes into strips, small ones are computed several groups at a time.
    /// Strips, on which it depends how pixels are put together to tiles, depend on the sizes alone.
    fn pieces(&self, groups: usize, lanes: usize) -> Vec<Piece> {
        let g = self.g;
        let row_len = self.planes.row_len(lanes) + g.out_channels * g.conv[1] * lanes;
        let results = self.kernels.variant.results();
        // Whole tiles and whole windows: rows of the output that end with a row of tiles.
        let step = if g.pool.stride[0].is_multiple_of(results) { 1 } else { results };
        let rows = STRIP_LEN / (row_len * g.pool.stride[0] * step).max(1) * step;
        let rows = if g.windows_are_disjoint() { rows.max(step) } else { g.output[0] };
        let strips: Vec<(usize, usize)> = even_strips(g.output[0], rows, step);
        let tiles = self.kernels.variant.tiles(g.conv);
        let together = match strips.len() {
            // Results do not depend on what is computed beside them; so every thread may get a piece.
            1 => (self.kernels.chunk(lanes) / (tiles[0] * tiles[1]).max(1))
                .min(groups.div_ceil(threads::count())),
            _ => 1,
        };
        even_pieces(groups, together.max(1))
            .flat_map(|groups| strips.iter().map(move |&rows| Piece { groups, rows }))
            .collect()
    }

    /// Rows of the convolution that a piece computes: `[first, end)`.
    fn conv_rows(&self, piece: &Piece) -> (usize, usize) {
        conv_rows_of(self.g, piece.rows.0, piece.rows.1)
    }
}

/// `[first, end)` of strips of at most `rows` rows, multiples of `step` but for the last.
fn even_strips(total: usize, rows: usize, step: usize) -> Vec<(usize, usize)> {
    let pieces = even_pieces(total.div_ceil(step), rows.div_ceil(step).max(1));
    pieces.map(|(first, len)| (first * step, ((first + len) * step).min(total))).collect()
}

/// Working memory of one thread.
struct Scratch {
    /// Packed rows of the input of one group; columns of the border stay zero.
    x: Aligned,
    /// The transforms, and their products.
    from: Tiles,
    to: Tiles,
    /// Rows of the convolution of one group: `[channel, row, column, LANES]`.
    conv: Aligned,
    /// Rows of the output of one channel.
    y: Aligned,
    /// The packed factors.
    scale: Aligned,
}

impl Scratch {
    fn new(whole: &Whole, rows: usize, lanes: usize) -> Self {
        let (g, kernels) = (whole.g, &whole.kernels);
        let tiles = |channels| {
            Tiles::new(kernels.variant.positions(), channels, kernels.chunk(lanes), lanes)
        };
        let input_rows = rows + g.kernel[0] - 1;
        let mut x = Aligned::any(input_rows * whole.planes.row_len(lanes));
        whole.planes.clear_columns(&mut x, lanes);
        Scratch {
            x,
            from: tiles(g.in_channels),
            to: tiles(g.out_channels),
            conv: Aligned::any(g.out_channels * rows * g.conv[1] * lanes),
            y: Aligned::any(g.output[0] * g.output[1] * lanes),
            scale: Aligned::any(g.out_channels * lanes),
        }
    }
}

struct ForwardPiece<'a> {
    whole: &'a Whole<'a>,
    piece: Piece,
    scratch: &'a mut Scratch,
}

impl Task for ForwardPiece<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let (first, count) = self.piece.groups;
        let kernels = &self.whole.kernels;
        let (conv_first, conv_end) = self.whole.conv_rows(&self.piece);
        let tiles = kernels.variant.tiles([conv_end - conv_first, self.whole.g.conv[1]]);
        let (width, total) = (tiles[1], tiles[0] * tiles[1]);
        // SAFETY: `run` is only entered where the processor has `S`.
        unsafe {
            if count * total <= kernels.chunk(S::LANES) {
                for group in 0..count {
                    self.pack::<S>(first + group);
                    self.input::<S>(width, (0, total), group * total);
                }
                let columns = count * total * S::LANES;
                kernels.products::<S>(&self.scratch.from, &mut self.scratch.to, columns);
                for group in 0..count {
                    self.output::<S>(width, (0, total), group * total);
                    self.finish::<S>(first + group);
                }
                return;
            }
            for group in first..first + count {
                self.pack::<S>(group);
                let chunk = kernels.chunk(S::LANES);
                let mut at = 0;
                while at < total {
                    let len = if total - at < chunk { total - at } else { chunk };
                    self.input::<S>(width, (at, len), 0);
                    kernels.products::<S>(&self.scratch.from, &mut self.scratch.to, len * S::LANES);
                    self.output::<S>(width, (at, len), 0);
                    at += len;
                }
                self.finish::<S>(group);
            }
        }
    }
}

// SAFETY of every block below: the methods are called where the processor has `S`, and no two pieces
// have a row of an image in common.
#[allow(clippy::undocumented_unsafe_blocks)]
impl ForwardPiece<'_> {
    /// Images of a group: the first, and their number.
    #[inline(always)]
    fn images(&self, group: usize, lanes: usize) -> (usize, usize) {
        let first = group * lanes;
        let left = self.whole.g.batch - first;
        (first, if left < lanes { left } else { lanes })
    }

    #[inline(always)]
    unsafe fn pack<S: Simd>(&mut self, group: usize) {
        let (g, whole) = (self.whole.g, self.whole);
        let (first, count) = self.images(group, S::LANES);
        let images = &whole.inputs.x[first * g.input_len()..][..count * g.input_len()];
        let (conv_first, conv_end) = whole.conv_rows(&self.piece);
        let rows = (conv_first, conv_end + g.kernel[0] - 1);
        unsafe { pack_strip::<S>(images, &whole.planes, rows, &mut self.scratch.x) };
    }

    /// Transforms `tiles` (first and number) of the packed group.
    #[inline(always)]
    unsafe fn input<S: Simd>(&mut self, width: usize, tiles: (usize, usize), at: usize) {
        let (g, whole) = (self.whole.g, self.whole);
        let (conv_first, conv_end) = whole.conv_rows(&self.piece);
        let channel = whole.planes.padded()[1] * S::LANES;
        let view = View {
            channels: g.in_channels,
            size: [conv_end - conv_first + g.kernel[0] - 1, whole.planes.padded()[1]],
            row: g.in_channels * channel,
            channel,
        };
        for run in tile_runs(width, tiles.0, tiles.1, at) {
            let to = &mut self.scratch.from;
            unsafe { whole.kernels.variant.input_tiles::<S>(view, &self.scratch.x, run, to) };
        }
    }

    /// Makes `tiles` of the convolution.
    #[inline(always)]
    unsafe fn output<S: Simd>(&mut self, width: usize, tiles: (usize, usize), at: usize) {
        let (g, whole) = (self.whole.g, self.whole);
        let (conv_first, conv_end) = whole.conv_rows(&self.piece);
        let row = g.conv[1] * S::LANES;
        let rows = conv_end - conv_first;
        let size = [rows, g.conv[1]];
        let view = View { channels: g.out_channels, size, row, channel: rows * row };
        for run in tile_runs(width, tiles.0, tiles.1, at) {
            let y = (&mut self.scratch.conv[..], Some(whole.inputs.bias));
            unsafe { whole.kernels.variant.output_tiles::<S>(view, y, run, &self.scratch.to) };
        }
    }

    /// ReLU, pool and factors of a group, into the outputs.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&mut self, group: usize) {
        let (g, whole, lanes) = (self.whole.g, self.whole, S::LANES);
        let (first, count) = self.images(group, lanes);
        if let Some(scale) = whole.inputs.scale {
            let scale = group_scale(g, scale, first, lanes);
            unsafe { pack::<S>(scale, g.out_channels, &mut self.scratch.scale) };
        }
        let (conv_first, conv_end) = whole.conv_rows(&self.piece);
        let plane = (conv_end - conv_first) * g.conv[1] * lanes;
        let (row, end) = self.piece.rows;
        let len = (end - row) * g.output[1];
        for channel in 0..g.out_channels {
            let strip = Strip {
                conv: &self.scratch.conv[channel * plane..][..plane],
                conv_first,
                rows: (row, end),
                scale: match whole.inputs.scale {
                    Some(_) => Some(&self.scratch.scale[channel * lanes..][..lanes]),
                    None => None,
                },
            };
            let at = (channel * g.output[0] + row) * g.output[1];
            let argmax = match &whole.argmax {
                Some(argmax) => {
                    let start = first * g.output_len() + at * lanes;
                    Some(unsafe { argmax.slice(start, len * lanes) })
                }
                None => None,
            };
            unsafe {
                pool_strip::<S>(g, &strip, &mut self.scratch.y, argmax);
                let last = (first + count - 1) * g.output_len() + at;
                whole.values.pointer(last, len);
                let to = whole.values.pointer(first * g.output_len() + at, len);
                unpack_run::<S>(&self.scratch.y, len, to, g.output_len(), count);
            }
        }
    }
}
