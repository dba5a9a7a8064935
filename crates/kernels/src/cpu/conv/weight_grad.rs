//! Gradient of a convolution's weight, summed over a group of interleaved images.
//!
//! The register block holds `OB` output channels × `KB` kernel offsets. It stays in registers over a strip of
//! rows; every pixel loads `OB + KB` vectors for `OB * KB` multiply-adds. The lanes of small
//! gradients are added only when all groups of a batch's piece are done, those of large ones after
//! every strip.

use crate::cpu::simd::{Simd, Task, block_x};
use crate::cpu::split::even_pieces;

/// Where input and gradient lie; distances in elements.
pub(crate) struct Layout<'a> {
    /// Number of rows and columns of the convolution's result.
    pub size: [usize; 2],
    /// Distances of the kernel offsets from the first one.
    pub offsets: &'a [usize],
    /// From one row or pixel to the next, at the first kernel offset of the input.
    pub x_step: [usize; 2],
    /// From one row or pixel to the next, in the gradient.
    pub dy_step: [usize; 2],
    /// From one output channel to the next, in the gradient.
    pub dy_channel: usize,
    pub out_channels: usize,
    /// Whether lanes are added at once, rather than by the caller.
    pub add_lanes: bool,
}

impl Layout<'_> {
    /// Elements of an accumulator in memory.
    fn accumulator_len(&self, lanes: usize) -> usize {
        if self.add_lanes { 1 } else { lanes }
    }
}

/// Elements of input and gradient that a strip of rows should not exceed, so that they stay in the
/// first-level cache while all blocks of channels and kernel offsets pass over them.
const STRIP_LEN: usize = 6 * 1024;
/// Pixels that a strip should at least have, so that loading and storing accumulators is little work.
const STRIP_PIXELS: usize = 48;

/// Elements of a strip's input that all channels pass over, before the next ones: they stay in a second-level cache of
/// 512 KiB.
const NEAR_LEN: usize = 48 * 1024;

/// Adds to `dw`, `[out_channels, kernel offsets, LANES]` or, with the lanes added, `[out_channels,
/// kernel offsets]`. `x` starts at the first pixel's first input, `dy` at the first pixel.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn weight_grad<S: Simd>(layout: &Layout, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let ([height, width], offsets) = (layout.size, layout.offsets.len());
    if height == 0 || width == 0 || offsets == 0 || layout.out_channels == 0 {
        return;
    }
    let end = |step: [usize; 2]| (height - 1) * step[0] + (width - 1) * step[1] + S::LANES;
    let last = layout.offsets.last().copied().unwrap_or(0);
    assert!(x.len() >= end(layout.x_step) + last);
    assert!(dy.len() >= end(layout.dy_step) + (layout.out_channels - 1) * layout.dy_channel);
    let accumulator = layout.accumulator_len(S::LANES);
    assert!(dw.len() >= layout.out_channels * offsets * accumulator);
    let row_len = layout.dy_step[0] + layout.x_step[0];
    let rows = (STRIP_LEN / row_len.max(1)).max(STRIP_PIXELS.div_ceil(width));
    for (first, rows) in even_pieces(height, rows) {
        let x = x.as_ptr().wrapping_add(first * layout.x_step[0]);
        let dy = dy.as_ptr().wrapping_add(first * layout.dy_step[0]);
        // Kernel offsets of which the strip's inputs stay in the second-level cache, while all channels pass over them.
        let inputs = (rows * layout.x_step[0]).max(1);
        let near = offsets.saturating_mul(NEAR_LEN) / inputs;
        let near = near.max(S::BLOCK_X);
        for (from, near) in even_pieces(offsets, near) {
            for (channel, channels) in even_pieces(layout.out_channels, S::BLOCK_C) {
                let dy = dy.wrapping_add(channel * layout.dy_channel);
                for (offset, count) in even_pieces(near, block_x::<S>(channels)) {
                    let offset = from + offset;
                    let block = Block {
                        layout,
                        rows,
                        offsets: &layout.offsets[offset..][..count],
                        x,
                        dy,
                        dw: dw
                            .as_mut_ptr()
                            .wrapping_add((channel * offsets + offset) * accumulator),
                    };
                    // SAFETY: the assertions cover all rows, pixels, kernel offsets and channels.
                    unsafe { block.each_channels::<S>(channels) };
                }
            }
        }
    }
}

/// One strip for one block of channels and kernel offsets.
#[derive(Clone, Copy)]
struct Block<'a> {
    layout: &'a Layout<'a>,
    rows: usize,
    offsets: &'a [usize],
    x: *const f32,
    dy: *const f32,
    dw: *mut f32,
}

impl Block<'_> {
    /// # Safety
    ///
    /// As for [`Accumulate`].
    #[inline(always)]
    unsafe fn each_channels<S: Simd>(&self, channels: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match channels {
                1 => self.each_count::<S, 1>(),
                2 => self.each_count::<S, 2>(),
                3 if S::BLOCK_C >= 3 => self.each_count::<S, 3>(),
                4 if S::BLOCK_C >= 4 => self.each_count::<S, 4>(),
                5 if S::BLOCK_C >= 5 => self.each_count::<S, 5>(),
                6 if S::BLOCK_C >= 6 => self.each_count::<S, 6>(),
                _ => unreachable!("a block has at most BLOCK_C channels"),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Accumulate`].
    #[inline(always)]
    unsafe fn each_count<S: Simd, const OB: usize>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.offsets.len() {
                1 => S::enter(Accumulate::<OB, 1>(*self)),
                2 => S::enter(Accumulate::<OB, 2>(*self)),
                3 => S::enter(Accumulate::<OB, 3>(*self)),
                4 if block_x::<S>(OB) >= 4 => S::enter(Accumulate::<OB, 4>(*self)),
                5 if block_x::<S>(OB) >= 5 => S::enter(Accumulate::<OB, 5>(*self)),
                6 if block_x::<S>(OB) >= 6 => S::enter(Accumulate::<OB, 6>(*self)),
                7 if block_x::<S>(OB) >= 7 => S::enter(Accumulate::<OB, 7>(*self)),
                8 if block_x::<S>(OB) >= 8 => S::enter(Accumulate::<OB, 8>(*self)),
                _ => unreachable!("a block has at most `block_x` kernel offsets"),
            }
        }
    }
}

/// A block of `OB` channels and `KB` kernel offsets: all their pixels can be read, and their accumulators read
/// and written.
struct Accumulate<'a, const OB: usize, const KB: usize>(Block<'a>);

impl<const OB: usize, const KB: usize> Task for Accumulate<'_, OB, KB> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let block = self.0;
        let layout = block.layout;
        let accumulator = layout.accumulator_len(S::LANES);
        let dw_channel = layout.offsets.len() * accumulator;
        // SAFETY: as the struct says; `wrapping_add` as in `conv`.
        unsafe {
            let mut acc = [[S::splat(0.0); KB]; OB];
            let mut x_first = [block.x; KB];
            for k in 0..KB {
                x_first[k] = block.x.wrapping_add(*block.offsets.as_ptr().wrapping_add(k));
            }
            for row in 0..block.rows {
                let mut x_at = row * layout.x_step[0];
                let mut dy = block.dy.wrapping_add(row * layout.dy_step[0]);
                for _ in 0..layout.size[1] {
                    let mut grad = [S::splat(0.0); OB];
                    for o in 0..OB {
                        grad[o] = S::load(dy.wrapping_add(o * layout.dy_channel));
                    }
                    for k in 0..KB {
                        let x = S::load(x_first[k].wrapping_add(x_at));
                        for o in 0..OB {
                            acc[o][k] = S::fma(grad[o], x, acc[o][k]);
                        }
                    }
                    x_at = x_at.wrapping_add(layout.x_step[1]);
                    dy = dy.wrapping_add(layout.dy_step[1]);
                }
            }
            for o in 0..OB {
                let dw = block.dw.wrapping_add(o * dw_channel);
                if layout.add_lanes {
                    S::add_sums(dw, acc[o]);
                    continue;
                }
                for k in 0..KB {
                    let dw = dw.wrapping_add(k * accumulator);
                    S::store(dw, S::add(S::load(dw), acc[o][k]));
                }
            }
        }
    }
}
