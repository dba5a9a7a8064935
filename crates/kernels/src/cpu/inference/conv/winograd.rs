//! Convolutions by Winograd's method, whose transforms take a block of channels as a vector.

use super::block::{First, Repeat, Run};
use super::geometry::{Geometry, Panel, WEIGHTS};
use super::kernels::Kernels;
use crate::cpu::conv::Variant;
use crate::cpu::conv::transform::{input, output};
use crate::cpu::inference::planes::Planes;
use crate::cpu::inference::step::{Images, NO_LIMITS, Split, Work};
use crate::cpu::memory::{Aligned, SharedSlice};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::split::even_pieces;
use crate::cpu::threads;

/// Bytes of the transforms of some tiles and of their products that should stay in the second-level cache.
const TILES: usize = 1 << 20;

/// The fewest tiles for which a thread reads all weights, unless several share an image.
const FEWEST: usize = 16;

/// A convolution of some images.
pub(super) struct Winograd<'a> {
    pub kernels: &'a Kernels,
    pub geometry: &'a Geometry,
    pub panels: &'a [Panel],
    pub bias: &'a [f32],
    pub limits: [f32; 2],
    pub x: Images<*const f32>,
    pub other: Option<Images<*const f32>>,
    pub y: Images<*mut f32>,
}

/// Some tiles, image by image and row by row, of which some blocks of output channels are computed: by one thread, from
/// the image to the result, so that what lies between stays in its caches.
#[derive(Clone, Copy)]
struct Tiles<'a> {
    first: usize,
    count: usize,
    /// Rows of tiles of an image, and tiles of a row.
    size: [usize; 2],
    /// Output channels, one behind the other.
    panels: &'a [Panel],
    /// Transforms of all input channels and products of these output channels: `[position][block][tile][lane]`.
    inputs: &'a SharedSlice<'a>,
    outputs: &'a SharedSlice<'a>,
}

impl Winograd<'_> {
    pub fn run(&self, work: Work) {
        let variant = self.kernels.variant;
        let [_, height, width] = self.y.planes.shape;
        let size = variant.tiles([height, width]);
        let count = work.images * size[0] * size[1];
        let lanes = self.y.planes.lanes;
        let blocks = self.x.planes.blocks() + self.y.planes.blocks();
        let tile = variant.positions() * blocks * lanes * size_of::<f32>();
        let (most, threads) = ((TILES / tile).max(FEWEST), threads::count());
        let is_many = count.div_ceil(most) >= 2 * threads;
        let (most, panels) = match Split::of(self.kernels.bytes(), &self.x.planes) {
            _ if is_many => (most, self.panels.len()),
            Split::Rows => (most.min(count.div_ceil(threads)), self.panels.len()),
            Split::Channels => (most, self.panels.len().div_ceil(threads)),
        };
        let groups: Vec<_> = self.panels.chunks(panels).collect();
        let chunks: Vec<_> = even_pieces(count, most).collect();
        let operations = count as u64 * self.kernels.values.len() as u64;
        work.each(groups.len() * chunks.len(), operations, |i| {
            // A thread gets the same channels of all tiles, or all channels of its tiles.
            let (panels, chunk) = (groups[i / chunks.len()], chunks[i % chunks.len()]);
            self.compute(work.isa, panels, chunk, size);
        });
    }

    /// Computes some channels of some tiles.
    fn compute(
        &self,
        isa: Isa,
        panels: &[Panel],
        (first, count): (usize, usize),
        size: [usize; 2],
    ) {
        let variant = self.kernels.variant;
        let to = panels.iter().map(|panel| panel.vectors).sum();
        let len = |blocks: usize| variant.positions() * blocks * count * isa.lanes();
        let from = self.x.planes.blocks();
        let (mut inputs, mut outputs) = (Aligned::any(len(from)), Aligned::any(len(to)));
        let (inputs, outputs) = (&SharedSlice::new(&mut inputs), &SharedSlice::new(&mut outputs));
        let tiles = Tiles { first, count, size, panels, inputs, outputs };
        for block in 0..from {
            match variant {
                Variant::F2x3 => isa.run(Input::<4> { layer: self, tiles, block }),
                Variant::F4x3 | Variant::F2x5 => isa.run(Input::<6> { layer: self, tiles, block }),
                Variant::F4x5 => isa.run(Input::<8> { layer: self, tiles, block }),
            }
        }
        for panel in panels {
            for position in 0..variant.positions() {
                isa.run(Products { layer: self, tiles, panel, position });
            }
        }
        for block in 0..to {
            match variant {
                Variant::F2x3 => isa.run(Output::<2, 4> { layer: self, tiles, block }),
                Variant::F4x3 => isa.run(Output::<4, 6> { layer: self, tiles, block }),
                Variant::F2x5 => isa.run(Output::<2, 6> { layer: self, tiles, block }),
                Variant::F4x5 => isa.run(Output::<4, 8> { layer: self, tiles, block }),
            }
        }
    }
}

impl Tiles<'_> {
    /// Blocks of output channels.
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.panels.iter().map(|panel| panel.vectors).sum()
    }

    /// The image of a tile, its row and its column there.
    #[inline(always)]
    fn place(&self, i: usize) -> [usize; 3] {
        let [height, width] = self.size;
        let (row, column) = ((self.first + i) / width, (self.first + i) % width);
        [row / height, row % height, column]
    }
}

/// The transforms of a block of input channels.
struct Input<'a, const T: usize> {
    layer: &'a Winograd<'a>,
    tiles: Tiles<'a>,
    block: usize,
}

impl<const T: usize> Task for Input<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Input { layer, tiles, block } = self;
        let results = layer.kernels.variant.results();
        let [top, left] = layer.geometry.padding;
        let planes = layer.x.planes;
        let row = planes.row();
        let before = top * row + left * S::LANES;
        let first = layer.x.at.wrapping_add(block * planes.block() + planes.first() - before);
        let position = planes.blocks() * tiles.count * S::LANES;
        for i in 0..tiles.count {
            let [image, y, x] = tiles.place(i);
            let at = image * planes.len() + y * results * row + x * results * S::LANES;
            let tile = first.wrapping_add(at);
            let at = (block * tiles.count + i) * S::LANES;
            let to = tiles.inputs.pointer(at, S::LANES);
            // SAFETY: the image with its frame covers all tiles, and no other task writes these elements.
            unsafe {
                let zero = S::splat(0.0);
                let mut half = [[zero; T]; T];
                for i in 0..T {
                    let mut line = [zero; T];
                    for j in 0..T {
                        line[j] = S::load(tile.wrapping_add(i * row + j * S::LANES));
                    }
                    half[i] = input::<S, T>(line);
                }
                for j in 0..T {
                    let mut column = [zero; T];
                    for i in 0..T {
                        column[i] = half[i][j];
                    }
                    let column = input::<S, T>(column);
                    for i in 0..T {
                        S::store(to.wrapping_add((i * T + j) * position), column[i]);
                    }
                }
            }
        }
    }
}

/// The products of a position with a panel.
struct Products<'a> {
    layer: &'a Winograd<'a>,
    tiles: Tiles<'a>,
    panel: &'a Panel,
    position: usize,
}

impl Task for Products<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Products { layer, tiles, panel, position } = self;
        let (from, to) = (layer.x.planes.blocks(), tiles.blocks());
        let step = tiles.count * S::LANES;
        let x = tiles.inputs.pointer(position * from * step, from * step);
        let block = panel.block - tiles.panels[0].block;
        let y = tiles.outputs.pointer((position * to + block) * step, panel.vectors * step);
        let term = panel.vectors * S::LANES;
        let positions = layer.kernels.variant.positions();
        let begin = positions * from * S::LANES * panel.block * S::LANES;
        let weights = &layer.kernels.values[begin + position * from * S::LANES * term..];
        let weights = weights[..from * S::LANES * term].as_ptr();
        let most = WEIGHTS / (S::LANES * term * size_of::<f32>());
        let most = if most == 0 { 1 } else { most };
        let inputs = layer.geometry.channels[0];
        let (whole, rest) = (inputs / S::LANES, inputs % S::LANES);
        let mut block = 0;
        while block < from {
            // The channels that fill up the last block are left out.
            let (count, terms) = match () {
                () if block == whole => (1, rest),
                () if whole - block > most => (most, S::LANES),
                () => (whole - block, S::LANES),
            };
            let run = Run {
                x: x.wrapping_add(block * step),
                x_pixel: S::LANES,
                blocks: Repeat { count, step },
                rows: Repeat { count: 1, step: 0 },
                columns: Repeat { count: 1, step: 0 },
                terms,
                weights: weights.wrapping_add(block * S::LANES * term),
                bias: layer.kernels.zeros.as_ptr(),
                first: if block == 0 { First::Bias } else { First::Part },
                other: y,
                other_step: [S::LANES, step],
                y,
                y_step: [S::LANES, step],
                limits: NO_LIMITS,
            };
            // SAFETY: tiles and weights are as many as told, and no other task writes these products.
            unsafe { run.compute::<S>(panel.vectors, tiles.count) };
            block += count;
        }
    }
}

/// The results of a block of these output channels.
struct Output<'a, const M: usize, const T: usize> {
    layer: &'a Winograd<'a>,
    tiles: Tiles<'a>,
    block: usize,
}

impl<const M: usize, const T: usize> Task for Output<'_, M, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Output { layer, tiles, block } = self;
        let planes: Planes = layer.y.planes;
        let [_, height, width] = planes.shape;
        let position = tiles.blocks() * tiles.count * S::LANES;
        let within = block * tiles.count;
        let block = tiles.panels[0].block + block;
        for i in 0..tiles.count {
            let [image, y, x] = tiles.place(i);
            let (y, x) = (y * M, x * M);
            let result = layer.y.image(image);
            let at = (within + i) * S::LANES;
            let from = tiles.outputs.pointer(at, S::LANES);
            // SAFETY: pixels beyond the image are left out, and no other task writes these.
            unsafe {
                let zero = S::splat(0.0);
                let bias = S::load(layer.bias[block * S::LANES..].as_ptr());
                let low = S::splat(layer.limits[0]);
                let high = S::splat(layer.limits[1]);
                let mut half = [[zero; M]; T];
                for i in 0..T {
                    let mut line = [zero; T];
                    for j in 0..T {
                        line[j] = S::load(from.wrapping_add((i * T + j) * position));
                    }
                    half[i] = output::<S, M, T>(line);
                }
                for j in 0..M {
                    if x + j >= width {
                        break;
                    }
                    let mut column = [zero; T];
                    for i in 0..T {
                        column[i] = half[i][j];
                    }
                    let column = output::<S, M, T>(column);
                    for i in 0..M {
                        if y + i < height {
                            let mut value = S::add(column[i], bias);
                            let pixel = (x + j) * S::LANES;
                            if let Some(other) = &layer.other {
                                let there =
                                    other.image(image).row(block, y + i).wrapping_add(pixel);
                                value = S::add(value, S::load(there));
                            }
                            let to = result.row(block, y + i).wrapping_add(pixel);
                            S::store(to, S::clamp(value, low, high));
                        }
                    }
                }
            }
        }
    }
}
