//! Convolutions of every channel with a kernel of its own.

use super::planes::{Planes, frame};
use super::step::{Band, Images, Work};
use crate::cpu::memory::Held;
use crate::cpu::simd::{Isa, Simd, Task};

/// Pixels of the largest register block.
const MOST_PIXELS: usize = 8;

/// How much longer it takes where its channels are no neighbours in memory.
const INTERLEAVED: u64 = 4;

/// A convolution in as many groups as channels, with its weights in the order in which they are read.
pub(super) struct Depthwise {
    /// Height and width.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: usize,
    /// Rows above and columns to the left.
    pub padding: [usize; 2],
    /// Block by block, row by row of the kernel.
    pub weights: Held,
    pub bias: Held,
    /// Between which the results are held: an activation.
    pub limits: [f32; 2],
}

impl Depthwise {
    /// Packs a weight `[channels, 1, kernel height, kernel width]`.
    pub fn pack(isa: Isa, weight: &[f32], channels: usize) -> Held {
        let lanes = isa.lanes();
        let kernel = weight.len() / channels;
        let mut packed = Held::zeros(channels.next_multiple_of(lanes) * kernel);
        for channel in 0..channels {
            for i in 0..kernel {
                packed[(channel / lanes * kernel + i) * lanes + channel % lanes] =
                    weight[channel * kernel + i];
            }
        }
        packed
    }

    /// What `y` costs an image: here, and with many images interleaved, in the time of a multiply-add of vectors.
    pub fn costs(&self, y: &Planes) -> [u64; 2] {
        let pixels = y.blocks() * y.shape[1] * y.shape[2];
        let cost = pixels as u64 * (self.kernel[0] * self.kernel[1]) as u64;
        [cost, INTERLEAVED * cost]
    }

    /// The rows above and below, the columns to the left and to the right that it reads around an image of `x` for one of
    /// `y`.
    pub fn frame(&self, x: &Planes, y: &Planes) -> [usize; 4] {
        let [x, y] = [x, y].map(|planes| [planes.shape[1], planes.shape[2]]);
        frame(x, y, self.kernel, self.stride, self.dilation, self.padding)
    }

    pub fn run(&self, work: Work, x: Images<*const f32>, y: Images<*mut f32>) {
        let operations = y.planes.len() as u64 * (self.kernel[0] * self.kernel[1]) as u64;
        work.each_band(&y.planes, operations, |band| {
            work.isa.run(Block { layer: self, band, x, y });
        });
    }
}

/// Some rows of a block of channels.
struct Block<'a> {
    layer: &'a Depthwise,
    band: Band,
    x: Images<*const f32>,
    y: Images<*mut f32>,
}

impl Task for Block<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Block { layer, band, x, y } = self;
        let block = band.block;
        let [kernel_height, kernel_width] = layer.kernel;
        let width = y.planes.shape[2];
        let step = x.planes.row();
        let before = layer.padding[0] * step + layer.padding[1] * S::LANES;
        let x_first = x.at.wrapping_add(block * x.planes.block() + x.planes.first() - before);
        let y_first = y.at.wrapping_add(block * y.planes.block() + y.planes.first());
        let weights = layer.weights[block * kernel_height * kernel_width * S::LANES..].as_ptr();
        let bias = layer.bias[block * S::LANES..].as_ptr();
        let pieces = width.div_ceil(MOST_PIXELS);
        let (short, longer) = (width / pieces, width % pieces);
        for row in band.rows() {
            let strip = Strip {
                x: x_first.wrapping_add(row * layer.stride[0] * step),
                x_pixel: layer.stride[1] * S::LANES,
                x_row: layer.dilation * step,
                x_column: layer.dilation * S::LANES,
                kernel: layer.kernel,
                weights,
                bias,
                y: y_first.wrapping_add(row * y.planes.row()),
                limits: layer.limits,
            };
            // SAFETY: the kernel keeps within the image and its frame.
            unsafe {
                strip.of_width::<S>(short + 1, longer);
                strip.after(longer * (short + 1), S::LANES).of_width::<S>(short, pieces - longer);
            }
        }
    }
}

/// A row of a block of channels.
#[derive(Clone, Copy)]
struct Strip {
    /// The first pixel under the kernel, and the distances from there: for the next pixel of the result, the next row and
    /// the next column of the kernel.
    x: *const f32,
    x_pixel: usize,
    x_row: usize,
    x_column: usize,
    kernel: [usize; 2],
    weights: *const f32,
    bias: *const f32,
    y: *mut f32,
    limits: [f32; 2],
}

impl Strip {
    #[inline(always)]
    fn after(self, pixels: usize, lanes: usize) -> Self {
        let x = self.x.wrapping_add(pixels * self.x_pixel);
        Strip { x, y: self.y.wrapping_add(pixels * lanes), ..self }
    }

    /// `count` blocks of `pixels` pixels.
    ///
    /// # Safety
    ///
    /// The processor has `S`; all that the distances lead to is there, and nobody else uses the results.
    #[inline(always)]
    unsafe fn of_width<S: Simd>(self, pixels: usize, count: usize) {
        if count == 0 {
            return;
        }
        // SAFETY: the caller's promise.
        unsafe {
            match pixels {
                1 => S::enter(Pixels::<1> { strip: self, count }),
                2 => S::enter(Pixels::<2> { strip: self, count }),
                3 => S::enter(Pixels::<3> { strip: self, count }),
                4 => S::enter(Pixels::<4> { strip: self, count }),
                5 => S::enter(Pixels::<5> { strip: self, count }),
                6 => S::enter(Pixels::<6> { strip: self, count }),
                7 => S::enter(Pixels::<7> { strip: self, count }),
                8 => S::enter(Pixels::<8> { strip: self, count }),
                _ => unreachable!("a block has at most `MOST_PIXELS` pixels"),
            }
        }
    }
}

/// `count` blocks of `P` pixels, one after the other.
struct Pixels<const P: usize> {
    strip: Strip,
    count: usize,
}

impl<const P: usize> Task for Pixels<P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Pixels { mut strip, count } = self;
        for _ in 0..count {
            // SAFETY: the caller vouches for all blocks. Distances that are constants cost no register.
            unsafe {
                match (strip.x_pixel == S::LANES, strip.x_column == S::LANES) {
                    (true, true) => block::<S, P>(strip, S::LANES, S::LANES),
                    _ => block::<S, P>(strip, strip.x_pixel, strip.x_column),
                }
            }
            strip = strip.after(P, S::LANES);
        }
    }
}

/// One block, whose sums lie in registers.
///
/// # Safety
///
/// As for [`Strip::of_width`].
#[inline(always)]
unsafe fn block<S: Simd, const P: usize>(strip: Strip, pixel: usize, column: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [S::load(strip.bias); P];
        let (mut row, mut weights) = (strip.x, strip.weights);
        for _ in 0..strip.kernel[0] {
            let mut x = row;
            for _ in 0..strip.kernel[1] {
                let weight = S::load(weights);
                for p in 0..P {
                    sums[p] = S::fma(S::load(x.wrapping_add(p * pixel)), weight, sums[p]);
                }
                x = x.wrapping_add(column);
                weights = weights.wrapping_add(S::LANES);
            }
            row = row.wrapping_add(strip.x_row);
        }
        let (low, high) = (S::splat(strip.limits[0]), S::splat(strip.limits[1]));
        for p in 0..P {
            S::store(strip.y.wrapping_add(p * S::LANES), S::clamp(sums[p], low, high));
        }
    }
}
