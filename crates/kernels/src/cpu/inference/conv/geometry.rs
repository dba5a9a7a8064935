//! The sizes of a convolution, and the order of its terms.

use crate::cpu::split::even_pieces;

/// Bytes of weights that stay in the first-level cache while the pixels pass by.
pub(super) const WEIGHTS: usize = 24 * 1024;

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(in crate::cpu::inference) struct Geometry {
    /// Channels that come in and go out.
    pub channels: [usize; 2],
    /// Height and width.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: usize,
    /// Rows above and columns to the left.
    pub padding: [usize; 2],
    pub groups: usize,
    /// Channels of a block of the input.
    pub lanes: usize,
}

/// The weight of each output channel, of input channel by input channel, row by row of the kernel.
#[derive(Clone, Copy)]
pub(in crate::cpu::inference) struct Weight<'a> {
    pub values: &'a [f32],
    /// From one output channel and from one term to the next.
    pub step: [usize; 2],
}

/// Some blocks of output channels.
pub(super) struct Panel {
    /// The first block.
    pub block: usize,
    /// How many: vectors.
    pub vectors: usize,
    /// The first block of the input channels of its group.
    pub input: usize,
    /// Where its weights begin.
    pub weights: usize,
    /// Its terms in pieces.
    pub chunks: Vec<Chunk>,
}

/// Terms that are added up before the next pixel.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// The first block of input channels and their number.
    pub blocks: [usize; 2],
    /// The first row of the kernel and their number.
    pub rows: [usize; 2],
    /// Columns of the kernel, each of so many terms that follow each other in memory; or one stretch of all columns.
    pub columns: usize,
    pub terms: usize,
}

impl Geometry {
    /// Input channels of a group.
    pub fn group_channels(&self) -> usize {
        self.channels[0] / self.groups
    }

    /// Blocks of input channels of a group.
    pub fn group_blocks(&self) -> usize {
        self.group_channels().div_ceil(self.lanes)
    }

    /// Columns of the kernel that are read as one stretch of memory.
    pub fn joined_columns(&self) -> usize {
        if self.dilation == 1 { self.kernel[1] } else { 1 }
    }

    /// Whether groups of channels fall on whole blocks.
    pub fn can_compute(&self, lanes: usize) -> bool {
        let whole = |channels: usize, lanes: usize| (channels / self.groups).is_multiple_of(lanes);
        self.groups == 1 || whole(self.channels[0], self.lanes) && whole(self.channels[1], lanes)
    }

    /// The terms of a panel in pieces, whose weights stay in the cache. They depend on the sizes of the layer alone, and
    /// with them the order in which a sum is taken.
    pub(super) fn chunks(&self, vectors: usize, lanes: usize) -> Vec<Chunk> {
        let [rows, columns] = self.kernel;
        // The channels that fill up the last block are left out: its pixels are no neighbours in memory then.
        let rest = self.group_channels() % self.lanes;
        let whole = self.group_channels() / self.lanes;
        let joined = self.joined_columns();
        let each = [columns / joined, joined * self.lanes];
        let row = columns * self.lanes * vectors * lanes * size_of::<f32>();
        let mut chunks = Vec::new();
        let mut push = |blocks, rows, [columns, terms]: [usize; 2]| {
            chunks.push(Chunk { blocks, rows, columns, terms });
        };
        if rows * row > WEIGHTS && rows > 1 {
            for block in 0..whole {
                let pieces = even_pieces(rows, (WEIGHTS / row).max(1));
                pieces.for_each(|(first, count)| push([block, 1], [first, count], each));
            }
        } else {
            let pieces = even_pieces(whole, (WEIGHTS / (rows * row)).max(1));
            pieces.for_each(|(first, count)| push([first, count], [0, rows], each));
        }
        if rest > 0 {
            let most = (WEIGHTS * self.lanes / (row * rest)).max(1);
            let pieces = even_pieces(rows, most);
            pieces.for_each(|(first, count)| push([whole, 1], [first, count], [columns, rest]));
        }
        chunks
    }

    /// The places in the weight of an output channel of the terms of a chunk, in their order.
    pub(super) fn terms(&self, chunk: &Chunk) -> Vec<usize> {
        let [height, width] = self.kernel;
        let columns = width / chunk.columns;
        let mut terms = Vec::new();
        for block in chunk.blocks[0]..chunk.blocks[0] + chunk.blocks[1] {
            for row in chunk.rows[0]..chunk.rows[0] + chunk.rows[1] {
                for first in (0..width).step_by(columns) {
                    for term in 0..chunk.terms {
                        let (column, lane) = (first + term / self.lanes, term % self.lanes);
                        let channel = block * self.lanes + lane;
                        terms.push((channel * height + row) * width + column);
                    }
                }
            }
        }
        terms
    }
}

impl Panel {
    /// Packs its weights.
    pub fn pack(&self, g: &Geometry, lanes: usize, weight: Weight, to: &mut [f32]) {
        let first = self.block * lanes;
        let count = (self.vectors * lanes).min(g.channels[1] - first);
        let [channel_step, term_step] = weight.step;
        let terms = self.chunks.iter().flat_map(|chunk| g.terms(chunk));
        for (to, term) in to.chunks_exact_mut(self.vectors * lanes).zip(terms) {
            let from = &weight.values[first * channel_step + term * term_step..];
            match channel_step {
                1 => to[..count].copy_from_slice(&from[..count]),
                _ => {
                    let from = from.iter().step_by(channel_step);
                    to[..count].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}
