//! Convolutions by their definition.

use super::Conv;
use super::block::{First, Repeat, Run};
use super::geometry::Panel;
use crate::cpu::inference::planes::Planes;
use crate::cpu::inference::step::{Images, NO_LIMITS, Split, Work};
use crate::cpu::simd::{Simd, Task};
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Bytes of an input that stay in the second-level cache while the output channels pass by.
const INPUT: usize = 256 * 1024;

/// The fewest pieces of work of a layer, so that several threads end at about the same time.
const PIECES: usize = 8;

/// A convolution of some images.
pub(super) struct Direct<'a> {
    pub conv: &'a Conv,
    pub weights: &'a [f32],
    pub x: Images<*const f32>,
    pub other: Option<Images<*const f32>>,
    pub y: Images<*mut f32>,
}

impl Direct<'_> {
    pub fn run(&self, work: Work) {
        let &Direct { x, other, y, .. } = self;
        let rows =
            Rows::new(self.conv, x.planes, other.map(|other| other.planes), y.planes, work.images);
        let bytes = self.conv.geometry.channels[0] * rows.pixels_under() * size_of::<f32>();
        let fewest = if threads::count() > 1 { PIECES } else { 1 };
        let mut share = fewest.div_ceil(self.conv.panels.len()).max(bytes.div_ceil(INPUT));
        if Split::of(size_of_val(self.weights), &x.planes) == Split::Rows {
            share = share.next_multiple_of(threads::count());
        }
        let (lines, unit) = match rows.images * rows.count {
            1 => (rows.pixels, 4),
            lines => (lines, 1),
        };
        let most = lines.div_ceil(share).next_multiple_of(unit);
        let tiles: Vec<_> = even_pieces(lines, most).collect();
        let pieces = tiles.len() * self.conv.panels.len();
        let tile = |i: usize| Tile {
            direct: self,
            panel: &self.conv.panels[i % self.conv.panels.len()],
            rows: &rows,
            lines: tiles[i / self.conv.panels.len()],
        };
        let operations = rows.pixels_under() as u64 * self.weights.len() as u64;
        work.each(pieces, operations, |i| work.isa.run(tile(i)));
    }
}

/// The pixels of results in rows that are computed in one go.
struct Rows {
    /// Of an image.
    count: usize,
    pixels: usize,
    images: usize,
    /// From one row and from one pixel to the next: under the kernel, of what is added, of the result.
    x: [usize; 2],
    other: [usize; 2],
    y: [usize; 2],
}

impl Rows {
    fn new(conv: &Conv, x: Planes, other: Option<Planes>, y: Planes, images: usize) -> Self {
        let g = &conv.geometry;
        let of = |planes: &Planes| [planes.row(), planes.lanes];
        let scale = conv.spread.scale;
        let [height, width] = [y.shape[1], y.shape[2]].map(|side| side / scale);
        let other = other.unwrap_or(y);
        if [height, width] == [1, 1] {
            // One pixel each.
            let [x, other, y] = [&x, &other, &y].map(|planes| [0, planes.len()]);
            return Rows { count: 1, pixels: images, images: 1, x, other, y };
        }
        let is_one_row = [&x, &other, &y].iter().all(|planes| planes.has_no_columns())
            && [g.kernel, g.stride] == [[1, 1]; 2]
            && scale == 1;
        let [x, other, y] = [of(&x), of(&other), of(&y)];
        let x = [x[0] * g.stride[0], x[1] * g.stride[1]];
        let y = y.map(|step| step * scale);
        match is_one_row {
            true => Rows { count: 1, pixels: height * width, images, x, other, y },
            false => Rows { count: height, pixels: width, images, x, other, y },
        }
    }

    fn pixels_under(&self) -> usize {
        self.images * self.count * self.pixels
    }
}

/// Some rows, or some pixels of the only one, of the channels of a panel.
struct Tile<'a> {
    direct: &'a Direct<'a>,
    panel: &'a Panel,
    rows: &'a Rows,
    /// The first and the number.
    lines: (usize, usize),
}

impl Task for Tile<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Tile { direct, panel, rows, lines } = self;
        let &Direct { conv, weights: all, x, other, y } = direct;
        let g = &conv.geometry;
        let &Panel { block, vectors, input, weights, ref chunks } = panel;
        let (first_line, count, pixel, pixels) = match rows.images * rows.count {
            1 => (0, 1, lines.0, lines.1),
            _ => (lines.0, lines.1, 0, rows.pixels),
        };
        let before = g.padding[0] * x.planes.row() + g.padding[1] * x.planes.lanes;
        let x_first = x.planes.first() - before + input * x.planes.block();
        let last = chunks.len() - 1;
        let [row, column] = conv.spread.first;
        let first = y.planes.first() + row * y.planes.row() + column * y.planes.lanes;
        let result = y.at.wrapping_add(first + block * y.planes.block());
        let mut weights = all[weights..].as_ptr();
        for (i, chunk) in chunks.iter().enumerate() {
            let at = x_first
                + chunk.blocks[0] * x.planes.block()
                + chunk.rows[0] * g.dilation * x.planes.row();
            let columns = chunk.columns;
            let (first, from, other_step) = match other {
                Some(other) if i == 0 => {
                    let at = other.planes.first() + block * other.planes.block();
                    (First::Other, other.at.wrapping_add(at), [rows.other[1], other.planes.block()])
                }
                None if i == 0 => (First::Bias, result.cast_const(), [0, 0]),
                _ => (First::Part, result.cast_const(), [rows.y[1], y.planes.block()]),
            };
            let other_row = if first == First::Other { rows.other[0] } else { rows.y[0] };
            let other_len = match other {
                Some(other) if first == First::Other => other.planes.len(),
                _ => y.planes.len(),
            };
            for line in first_line..first_line + count {
                let (image, line) = (line / rows.count, line % rows.count);
                let run = Run {
                    x: x.at.wrapping_add(
                        image * x.planes.len() + at + line * rows.x[0] + pixel * rows.x[1],
                    ),
                    x_pixel: rows.x[1],
                    blocks: Repeat { count: chunk.blocks[1], step: x.planes.block() },
                    rows: Repeat { count: chunk.rows[1], step: g.dilation * x.planes.row() },
                    columns: Repeat { count: columns, step: g.dilation * x.planes.lanes },
                    terms: chunk.terms,
                    weights,
                    bias: conv.bias[block * S::LANES..].as_ptr(),
                    first,
                    other: from
                        .wrapping_add(image * other_len + line * other_row + pixel * other_step[0]),
                    other_step,
                    y: result.wrapping_add(
                        image * y.planes.len() + line * rows.y[0] + pixel * rows.y[1],
                    ),
                    y_step: [rows.y[1], y.planes.block()],
                    limits: if i == last { conv.limits } else { NO_LIMITS },
                };
                // SAFETY: the geometry keeps within the images and their frames, and the weights are those of its terms.
                unsafe { run.compute::<S>(vectors, pixels) };
            }
            let terms = chunk.blocks[1] * chunk.rows[1] * columns * chunk.terms;
            weights = weights.wrapping_add(terms * vectors * S::LANES);
        }
    }
}
