//! The micro-kernel of direct convolution, for a group of interleaved images.
//!
//! A *kernel offset* is one pixel of the kernel in one input channel, and where its input lies relative
//! to that of the first. A register block computes `XB` pixels of `OB` output channels: for every offset
//! it loads `XB` vectors of input and `OB` broadcast weights for `XB * OB` multiply-adds, and nothing is
//! stored before [`CHUNK_OFFSETS`] of them.

use crate::cpu::memory::Aligned;
use crate::cpu::simd::{Isa, Simd, Task, block_x};
use crate::cpu::split::even_pieces;

/// Kernel offsets whose products are added up from zero before their sum joins the total.
///
/// A sum of thousands of products in one accumulator rounds every one of them at the size of the total.
/// In chunks, the error grows with the length of a chunk and the number of chunks, which balance here
/// for the 4608 products of 512 channels of 3×3. Measured on Zen 3, the additions in memory cost 5 to 7 %
/// of a forward pass. Chunks of 128 cost less; but they are too long for VGG-16, whose outputs are then
/// off by more than 1e-4.
const CHUNK_OFFSETS: usize = 64;

/// A convolution prepared for one instruction set: reordered weights, and the kernel offsets.
pub(crate) struct PackedKernels {
    /// For every block of output channels: `[kernel offset][channel of the block]`.
    weights: Aligned,
    bias: Aligned,
    /// First channel and size of every block of output channels.
    blocks: Vec<(usize, usize)>,
    /// Distance of every kernel offset's input from the first one's, in elements.
    offsets: Vec<usize>,
}

/// Where the input of a convolution lies: `[row, channel, column, LANES]`, so that the rows under a
/// kernel are one stretch of memory.
#[derive(Clone, Copy)]
pub(crate) struct InputLayout {
    pub in_channels: usize,
    pub kernel: [usize; 2],
    /// Pixels in a row, with borders.
    pub plane_width: usize,
}

impl InputLayout {
    /// Distances of the kernel offsets from the first one, in elements.
    pub(crate) fn offsets(&self, lanes: usize) -> Vec<usize> {
        let width = self.plane_width;
        let mut offsets = Vec::with_capacity(self.in_channels * self.kernel[0] * self.kernel[1]);
        for channel in 0..self.in_channels {
            for ky in 0..self.kernel[0] {
                let row = ky * self.in_channels + channel;
                offsets.extend((0..self.kernel[1]).map(|kx| (row * width + kx) * lanes));
            }
        }
        offsets
    }
}

impl PackedKernels {
    /// Prepares a weight that is given as a function of output channel and kernel offset.
    pub(crate) fn new(
        isa: Isa,
        layout: &InputLayout,
        out_channels: usize,
        bias: Option<&[f32]>,
        weight: impl Fn(usize, usize) -> f32,
    ) -> Self {
        let offsets = layout.offsets(isa.lanes());
        let blocks: Vec<_> = even_pieces(out_channels, isa.block_channels()).collect();
        let mut weights = Aligned::zeros(out_channels * offsets.len());
        let mut next = 0;
        for &(first, size) in &blocks {
            for offset in 0..offsets.len() {
                for channel in first..first + size {
                    weights[next] = weight(channel, offset);
                    next += 1;
                }
            }
        }
        let mut padded_bias = Aligned::zeros(out_channels);
        if let Some(bias) = bias {
            padded_bias.copy_from_slice(bias);
        }
        PackedKernels { weights, bias: padded_bias, blocks, offsets }
    }

    /// Blocks of output channels: `(first channel, size)`.
    pub(crate) fn blocks(&self) -> &[(usize, usize)] {
        &self.blocks
    }
}

/// A run of output rows to compute, and how the memory is laid out; distances in elements.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// Number of rows, and of pixels in a row.
    pub size: [usize; 2],
    /// From one output row's first input to the next one's.
    pub x_row: usize,
    /// From one output pixel's first input to the next one's.
    pub x_pixel: usize,
    /// From one output row to the next, and from one pixel of a row to the next.
    pub y_row: usize,
    pub y_pixel: usize,
    /// From one output channel to the next.
    pub y_channel: usize,
}

impl Rows {
    /// Elements of the input from the first to behind the last, over all kernel offsets.
    fn x_len(&self, offsets: &[usize], lanes: usize) -> usize {
        let last = (self.size[0] - 1) * self.x_row + (self.size[1] - 1) * self.x_pixel;
        // Each offset is larger than the one before.
        last + offsets.last().copied().unwrap_or(0) + lanes
    }

    /// Elements of the output from the first to behind the last, over `channels` channels.
    fn y_len(&self, channels: usize, lanes: usize) -> usize {
        let last = (self.size[0] - 1) * self.y_row + (self.size[1] - 1) * self.y_pixel;
        (channels - 1) * self.y_channel + last + lanes
    }
}

/// Computes rows of the output channels of one block. `x` starts at the first output's first input,
/// `y` at the first output.
///
/// # Safety
///
/// The processor has `S`, and the kernels were packed for `S`.
#[inline(always)]
pub(crate) unsafe fn conv_rows<S: Simd>(
    kernels: &PackedKernels,
    block: usize,
    rows: &Rows,
    x: &[f32],
    y: &mut [f32],
) {
    if rows.size[0] == 0 || rows.size[1] == 0 {
        return;
    }
    let (first, size) = kernels.blocks[block];
    assert!(x.len() >= rows.x_len(&kernels.offsets, S::LANES));
    assert!(y.len() >= rows.y_len(size, S::LANES));
    let weights = &kernels.weights[first * kernels.offsets.len()..][..size * kernels.offsets.len()];
    let bias = &kernels.bias[first..][..size];
    let run = BlockRows {
        offsets: &kernels.offsets,
        weights: weights.as_ptr(),
        bias: bias.as_ptr(),
        rows,
        x: x.as_ptr(),
        y: y.as_mut_ptr(),
    };
    // Pieces of a row differ by at most one pixel: first the longer ones, then the others.
    let pieces = rows.size[1].div_ceil(block_x::<S>(size));
    let (pixels, longer) = (rows.size[1] / pieces, rows.size[1] % pieces);
    // SAFETY: the assertions cover every address the blocks use.
    unsafe {
        run.each_channels::<S>(size, pixels + 1, (0, longer));
        run.each_channels::<S>(size, pixels, (longer * (pixels + 1), pieces - longer));
    }
}

/// Rows of one block of channels.
#[derive(Clone, Copy)]
struct BlockRows<'a> {
    offsets: &'a [usize],
    weights: *const f32,
    bias: *const f32,
    rows: &'a Rows,
    x: *const f32,
    y: *mut f32,
}

impl BlockRows<'_> {
    /// `count` pieces of `pixels` pixels, from pixel `start`, of every row.
    ///
    /// # Safety
    ///
    /// As for [`Blocks`].
    #[inline(always)]
    unsafe fn each_channels<S: Simd>(
        &self,
        channels: usize,
        pixels: usize,
        pieces: (usize, usize),
    ) {
        if pieces.1 == 0 {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            match channels {
                1 => self.each_width::<S, 1>(pixels, pieces),
                2 => self.each_width::<S, 2>(pixels, pieces),
                3 if S::BLOCK_C >= 3 => self.each_width::<S, 3>(pixels, pieces),
                4 if S::BLOCK_C >= 4 => self.each_width::<S, 4>(pixels, pieces),
                5 if S::BLOCK_C >= 5 => self.each_width::<S, 5>(pixels, pieces),
                6 if S::BLOCK_C >= 6 => self.each_width::<S, 6>(pixels, pieces),
                _ => unreachable!("a block has at most BLOCK_C channels"),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Blocks`].
    #[inline(always)]
    unsafe fn each_width<S: Simd, const OB: usize>(&self, pixels: usize, pieces: (usize, usize)) {
        let (run, (start, count)) = (*self, pieces);
        // SAFETY: the caller's promise.
        unsafe {
            match pixels {
                1 => S::enter(Blocks::<OB, 1> { run, start, count }),
                2 => S::enter(Blocks::<OB, 2> { run, start, count }),
                3 => S::enter(Blocks::<OB, 3> { run, start, count }),
                4 if block_x::<S>(OB) >= 4 => S::enter(Blocks::<OB, 4> { run, start, count }),
                5 if block_x::<S>(OB) >= 5 => S::enter(Blocks::<OB, 5> { run, start, count }),
                6 if block_x::<S>(OB) >= 6 => S::enter(Blocks::<OB, 6> { run, start, count }),
                7 if block_x::<S>(OB) >= 7 => S::enter(Blocks::<OB, 7> { run, start, count }),
                8 if block_x::<S>(OB) >= 8 => S::enter(Blocks::<OB, 8> { run, start, count }),
                _ => unreachable!("a block has at most `block_x` pixels"),
            }
        }
    }
}

/// In every row, `count` adjacent blocks of `XB` pixels, from pixel `start`, of `OB` channels.
///
/// Every input of every pixel can be read, and every output written.
struct Blocks<'a, const OB: usize, const XB: usize> {
    run: BlockRows<'a>,
    start: usize,
    count: usize,
}

impl<const OB: usize, const XB: usize> Task for Blocks<'_, OB, XB> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let rows = self.run.rows;
        for row in 0..rows.size[0] {
            let mut x = self.run.x.wrapping_add(row * rows.x_row + self.start * rows.x_pixel);
            let mut y = self.run.y.wrapping_add(row * rows.y_row + self.start * rows.y_pixel);
            for _ in 0..self.count {
                // The distance between pixels is a constant in most convolutions: the addresses are
                // then constants, too.
                // SAFETY: all pixels of all rows are readable and writable.
                unsafe {
                    if rows.x_pixel == S::LANES && rows.y_pixel == S::LANES {
                        self.block::<S>(S::LANES, x, S::LANES, y);
                    } else {
                        self.block::<S>(rows.x_pixel, x, rows.y_pixel, y);
                    }
                }
                x = x.wrapping_add(XB * rows.x_pixel);
                y = y.wrapping_add(XB * rows.y_pixel);
            }
        }
    }
}

impl<const OB: usize, const XB: usize> Blocks<'_, OB, XB> {
    /// One register block.
    ///
    /// # Safety
    ///
    /// The processor has `S`; every input of every pixel can be read from `x`, every output written to `y`.
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, x_pixel: usize, x: *const f32, y_pixel: usize, y: *mut f32) {
        // SAFETY: all addresses are the caller's promise. `wrapping_add` is used because `add` is
        // checked at run time where debug assertions are on.
        unsafe {
            let offsets = self.run.offsets.len();
            let mut w = self.run.weights;
            let mut first = 0;
            loop {
                let end =
                    if offsets - first > CHUNK_OFFSETS { first + CHUNK_OFFSETS } else { offsets };
                let mut acc = [[S::splat(0.0); XB]; OB];
                if first == 0 {
                    for o in 0..OB {
                        acc[o] = [S::splat(*self.run.bias.wrapping_add(o)); XB];
                    }
                }
                for offset in first..end {
                    let x = x.wrapping_add(*self.run.offsets.as_ptr().wrapping_add(offset));
                    let mut weights = [S::splat(0.0); OB];
                    for o in 0..OB {
                        weights[o] = S::splat(*w.wrapping_add(o));
                    }
                    for j in 0..XB {
                        let value = S::load(x.wrapping_add(j * x_pixel));
                        for o in 0..OB {
                            acc[o][j] = S::fma(weights[o], value, acc[o][j]);
                        }
                    }
                    w = w.wrapping_add(OB);
                }
                for o in 0..OB {
                    for j in 0..XB {
                        let y = y.wrapping_add(o * self.run.rows.y_channel + j * y_pixel);
                        let sum =
                            if first == 0 { acc[o][j] } else { S::add(S::load(y), acc[o][j]) };
                        S::store(y, sum);
                    }
                }
                first = end;
                if first == offsets {
                    break;
                }
            }
        }
    }
}
