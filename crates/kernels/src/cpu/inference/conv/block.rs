//! The inner loops: some pixels of some blocks of output channels, with all sums in registers.

use crate::cpu::simd::{Simd, Task};

/// Pixels of the largest register block.
const MOST_PIXELS: usize = 8;

/// Weights ahead of those that are read that are asked for: of the next terms, which come from a farther cache when a
/// network is read from beginning to end for each image.
const AHEAD: usize = 512;

/// Some equal steps through memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub count: usize,
    /// Elements.
    pub step: usize,
}

/// What a sum begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// The bias of its channel.
    Bias,
    /// What is in another image, and the bias.
    Other,
    /// What is there of it, and nothing else.
    Part,
}

/// Pixels one after the other, of as many output channels as a few vectors hold.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The first value under the kernel of the first pixel.
    pub x: *const f32,
    /// From the values under the kernel of a pixel to those of the next.
    pub x_pixel: usize,
    /// Blocks of input channels, rows of the kernel, and its columns where other pixels lie between them.
    pub blocks: Repeat,
    pub rows: Repeat,
    pub columns: Repeat,
    /// Values that follow each other in memory: all that is under a row of the kernel, of one block of channels.
    pub terms: usize,
    /// For every term a value of each output channel.
    pub weights: *const f32,
    pub bias: *const f32,
    pub first: First,
    /// The first pixel of what the sums begin with, from there to the next pixel and to the next block of channels.
    pub other: *const f32,
    pub other_step: [usize; 2],
    /// The same of the result.
    pub y: *mut f32,
    pub y_step: [usize; 2],
    /// Between which the results are held.
    pub limits: [f32; 2],
}

/// Pixels of a register block with `vectors` vectors of output channels.
pub(super) fn most_pixels<S: Simd>(vectors: usize) -> usize {
    (6 * S::BLOCK_VECTORS / vectors).min(MOST_PIXELS)
}

impl Run {
    /// Computes `pixels` pixels of `vectors` vectors.
    ///
    /// # Safety
    ///
    /// The processor has `S`; all that the distances lead to is there to be read, and nobody else uses the results.
    #[inline(always)]
    pub unsafe fn compute<S: Simd>(mut self, vectors: usize, pixels: usize) {
        // Blocks that differ by one pixel at most, the larger ones first.
        let pieces = pixels.div_ceil(most_pixels::<S>(vectors));
        if pieces == 0 {
            return;
        }
        let (short, longer) = (pixels / pieces, pixels % pieces);
        // SAFETY: the caller's promise.
        unsafe {
            if longer > 0 {
                self.of_width::<S>(vectors, short + 1, longer);
                self.skip(longer * (short + 1));
            }
            self.of_width::<S>(vectors, short, pieces - longer);
        }
    }

    #[inline(always)]
    fn skip(&mut self, pixels: usize) {
        self.x = self.x.wrapping_add(pixels * self.x_pixel);
        self.y = self.y.wrapping_add(pixels * self.y_step[0]);
        self.other = self.other.wrapping_add(pixels * self.other_step[0]);
    }

    /// `count` blocks of `pixels` pixels.
    ///
    /// # Safety
    ///
    /// As for [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_width<S: Simd>(self, vectors: usize, pixels: usize, count: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match vectors {
                1 => self.of_pixels::<S, 1>(pixels, count),
                2 => self.of_pixels::<S, 2>(pixels, count),
                3 if S::BLOCK_VECTORS >= 3 => self.of_pixels::<S, 3>(pixels, count),
                4 if S::BLOCK_VECTORS >= 4 => self.of_pixels::<S, 4>(pixels, count),
                _ => unreachable!("a block has at most `BLOCK_VECTORS` vectors"),
            }
        }
    }

    /// # Safety
    ///
    /// As for [`compute`](Self::compute).
    #[inline(always)]
    unsafe fn of_pixels<S: Simd, const V: usize>(self, pixels: usize, count: usize) {
        let run = self;
        // SAFETY: the caller's promise.
        unsafe {
            match pixels {
                1 => S::enter(Blocks::<1, V> { run, count }),
                2 => S::enter(Blocks::<2, V> { run, count }),
                3 => S::enter(Blocks::<3, V> { run, count }),
                4 => S::enter(Blocks::<4, V> { run, count }),
                5 => S::enter(Blocks::<5, V> { run, count }),
                6 => S::enter(Blocks::<6, V> { run, count }),
                7 if V < S::BLOCK_VECTORS => S::enter(Blocks::<7, V> { run, count }),
                8 if V < S::BLOCK_VECTORS => S::enter(Blocks::<8, V> { run, count }),
                _ => unreachable!("a block has at most `most_pixels` pixels"),
            }
        }
    }
}

/// `count` blocks of `P` pixels and `V` vectors, one after the other.
struct Blocks<const P: usize, const V: usize> {
    run: Run,
    count: usize,
}

impl<const P: usize, const V: usize> Task for Blocks<P, V> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        for _ in 0..self.count {
            // SAFETY: the caller vouches for all blocks. As a constant, the distance costs no register.
            unsafe {
                match self.run.x_pixel == S::LANES {
                    true => self.block::<S>(S::LANES),
                    false => self.block::<S>(self.run.x_pixel),
                }
            }
            self.run.skip(P);
        }
    }
}

impl<const P: usize, const V: usize> Blocks<P, V> {
    /// One block.
    ///
    /// # Safety
    ///
    /// As for [`Run::compute`].
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, pixel: usize) {
        let run = &self.run;
        // SAFETY: all addresses are the caller's promise. `wrapping_add` is used because `add` is checked at run time
        // where debug assertions are on.
        unsafe {
            let mut sums = [[S::splat(0.0); V]; P];
            if run.first != First::Part {
                for v in 0..V {
                    let bias = S::load(run.bias.wrapping_add(v * S::LANES));
                    for p in 0..P {
                        sums[p][v] = bias;
                    }
                }
            }
            if run.first != First::Bias {
                for p in 0..P {
                    for v in 0..V {
                        let at = p * run.other_step[0] + v * run.other_step[1];
                        sums[p][v] = S::add(sums[p][v], S::load(run.other.wrapping_add(at)));
                    }
                }
            }
            let mut weights = run.weights;
            let mut block = run.x;
            for _ in 0..run.blocks.count {
                let mut row = block;
                for _ in 0..run.rows.count {
                    let mut column = row;
                    for _ in 0..run.columns.count {
                        let mut x = column;
                        for _ in 0..run.terms {
                            let mut right = [S::splat(0.0); V];
                            for v in 0..V {
                                right[v] = S::load(weights.wrapping_add(v * S::LANES));
                                S::prefetch(weights.wrapping_add(AHEAD + v * S::LANES));
                            }
                            for p in 0..P {
                                let left = S::splat(*x.wrapping_add(p * pixel));
                                for v in 0..V {
                                    sums[p][v] = S::fma(left, right[v], sums[p][v]);
                                }
                            }
                            x = x.wrapping_add(1);
                            weights = weights.wrapping_add(V * S::LANES);
                        }
                        column = column.wrapping_add(run.columns.step);
                    }
                    row = row.wrapping_add(run.rows.step);
                }
                block = block.wrapping_add(run.blocks.step);
            }
            let (low, high) = (S::splat(run.limits[0]), S::splat(run.limits[1]));
            for p in 0..P {
                for v in 0..V {
                    let to = run.y.wrapping_add(p * run.y_step[0] + v * run.y_step[1]);
                    S::store(to, S::clamp(sums[p][v], low, high));
                }
            }
        }
    }
}
