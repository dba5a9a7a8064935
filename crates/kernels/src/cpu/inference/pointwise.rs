//! Functions of single values, sums and products of images, and images put one behind the other.

use std::slice::{from_raw_parts, from_raw_parts_mut};

use super::step::{Band, Images, Split, Work};
use crate::cpu::pointwise::{Function as _, Gelu, sigmoid, tanh};
use crate::cpu::simd::{Simd, Task};
use crate::cpu::split::even_pieces;
use crate::ops::FusedActivation;

/// A function of single values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x above 0, the slope times x below.
    LeakyRelu(f32),
    /// x · Φ(x), with the normal distribution function Φ.
    Gelu,
    /// x / (1 + exp(-x)).
    Silu,
    /// x · min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// min(max(x + 3, 0), 6) / 6.
    HardSigmoid,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// The factor times x.
    Scale(f32),
}

impl Function {
    /// The values between which it holds its argument, if it does nothing else.
    pub(super) fn limits(self) -> Option<[f32; 2]> {
        match self {
            Function::Relu => Some([0.0, f32::INFINITY]),
            Function::Relu6 => Some([0.0, 6.0]),
            _ => None,
        }
    }

    /// Whether it takes so long that values which do not count are better left out.
    fn is_dear(self) -> bool {
        matches!(self, Function::Gelu | Function::Silu | Function::Sigmoid | Function::Tanh)
    }

    /// The function of the values in the first half of the lanes of every pixel.
    #[inline(always)]
    fn apply_to_half<S: Simd>(self, x: &[f32], y: &mut [f32]) {
        let half = S::LANES / 2;
        let (mut values, mut results) = ([0.0; PIXELS], [0.0; PIXELS]);
        for (x, y) in x.chunks(2 * PIXELS).zip(y.chunks_mut(2 * PIXELS)) {
            for (to, x) in values.chunks_exact_mut(half).zip(x.chunks_exact(S::LANES)) {
                to.copy_from_slice(&x[..half]);
            }
            let len = x.len() / 2;
            self.apply(&values[..len], &mut results[..len]);
            for (y, from) in y.chunks_exact_mut(S::LANES).zip(results.chunks_exact(half)) {
                y[..half].copy_from_slice(from);
            }
        }
    }

    /// The function of every value: a loop for each, which the compiler turns into vectors where it can.
    #[inline(always)]
    fn apply(self, x: &[f32], y: &mut [f32]) {
        macro_rules! each {
            (|$x:ident| $value:expr) => {
                for ($x, y) in x.iter().zip(y) {
                    let $x = *$x;
                    *y = $value;
                }
            };
        }
        match self {
            Function::Relu => each!(|x| FusedActivation::Relu.of(x)),
            Function::Relu6 => each!(|x| FusedActivation::Relu6.of(x)),
            Function::LeakyRelu(slope) => each!(|x| if x < 0.0 { slope * x } else { x }),
            Function::Gelu => each!(|x| Gelu.value(x)),
            Function::Silu => each!(|x| x * sigmoid(x)),
            Function::HardSwish => each!(|x| x * (FusedActivation::Relu6.of(x + 3.0) / 6.0)),
            Function::HardSigmoid => each!(|x| FusedActivation::Relu6.of(x + 3.0) / 6.0),
            Function::Sigmoid => each!(|x| sigmoid(x)),
            Function::Tanh => each!(|x| tanh(x)),
            Function::Scale(factor) => each!(|x| factor * x),
        }
    }
}

/// What becomes of the values of one or two images.
#[derive(Clone, Copy, Debug)]
pub(super) enum Join {
    Function(Function),
    /// The sum of both.
    Sum,
    /// The product of both; or with the one pixel of the second image.
    Product,
}

/// Values of a piece of work.
const PIECE: usize = 8 * 1024;

/// Values that are put together at a time, where half of the lanes are empty.
const PIXELS: usize = 256;

/// Computes images of others of the same blocks; `b` is the first again where there is no second.
pub(super) fn run(
    join: Join,
    work: Work,
    x: Images<*const f32>,
    b: Images<*const f32>,
    y: Images<*mut f32>,
) {
    let len = work.images * y.planes.len();
    let is_alike = [x.planes, b.planes].iter().all(|planes| *planes == y.planes);
    let keeps_rows = work.images == 1 && work.split == Split::Rows;
    if !keeps_rows && is_alike && y.planes.is_bare() {
        // All images are one stretch of memory.
        let lanes = y.planes.lanes;
        let pieces: Vec<_> = even_pieces(len / lanes, PIECE / lanes).collect();
        let is_half = y.planes.is_half();
        return work.each(pieces.len(), 4 * len as u64, |i| {
            let (first, len) = (pieces[i].0 * lanes, pieces[i].1 * lanes);
            let (x, b, y) = (x.element(first), b.element(first), y.element(first));
            work.isa.run(Row { join, is_half, x, b, y, len });
        });
    }
    if work.images == 1 {
        return work.each_band(&y.planes, 4 * len as u64, |band| {
            work.isa.run(Block { join, band, x, b, y });
        });
    }
    let of_one = Work { images: 1, ..work };
    work.each(work.images, 4 * len as u64, |i| {
        run(join, of_one, x.image(i), b.image(i), y.image(i));
    });
}

/// Values that follow each other.
struct Row {
    join: Join,
    /// Whether at most half of the lanes count.
    is_half: bool,
    x: *const f32,
    b: *const f32,
    y: *mut f32,
    len: usize,
}

impl Task for Row {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Row { join, is_half, len, .. } = self;
        // SAFETY: there are as many values, and no other row writes these.
        let (x, y) = unsafe { (from_raw_parts(self.x, len), from_raw_parts_mut(self.y, len)) };
        if let Join::Function(function) = join {
            return match is_half && function.is_dear() {
                true => function.apply_to_half::<S>(x, y),
                false => function.apply(x, y),
            };
        }
        // SAFETY: as above.
        let b = unsafe { from_raw_parts(self.b, len) };
        let is_sum = matches!(join, Join::Sum);
        for i in 0..len {
            y[i] = if is_sum { x[i] + b[i] } else { x[i] * b[i] };
        }
    }
}

/// Some rows of a block of channels.
struct Block {
    join: Join,
    band: Band,
    x: Images<*const f32>,
    b: Images<*const f32>,
    y: Images<*mut f32>,
}

impl Task for Block {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Block { join, band, x, b, y } = self;
        let block = band.block;
        let [_, height, width] = y.planes.shape;
        let lanes = y.planes.lanes;
        let len = width * lanes;
        let is_one_pixel = b.planes.shape[1..] == [1, 1] && [height, width] != [1, 1];
        for row in band.rows() {
            let (x, to) = (x.row(block, row), y.row(block, row));
            if !is_one_pixel {
                let is_half = y.planes.is_half();
                let row = Row { join, is_half, x, b: b.row(block, row), y: to, len };
                // SAFETY: these are rows of the images, and no other block writes this one of the result.
                unsafe { row.run::<S>() };
                continue;
            }
            // SAFETY: as above.
            let (x, to) = unsafe { (from_raw_parts(x, len), from_raw_parts_mut(to, len)) };
            // SAFETY: as above.
            let factors = unsafe { from_raw_parts(b.row(block, 0), lanes) };
            for pixel in 0..width {
                for lane in 0..lanes {
                    let i = pixel * lanes + lane;
                    to[i] = x[i] * factors[lane];
                }
            }
        }
    }
}

/// Copies an image `[channels, height, width]` to one of blocks of one channel.
pub(super) fn read(work: Work, image: &[f32], y: Images<*mut f32>) {
    let [_, height, width] = y.planes.shape;
    work.each_band(&y.planes, image.len() as u64, |band| {
        for row in band.rows() {
            let from = &image[(band.block * height + row) * width..][..width];
            // SAFETY: no other band has this row.
            let to = unsafe { from_raw_parts_mut(y.row(band.block, row), width) };
            to.copy_from_slice(from);
        }
    });
}

/// Copies the blocks of `x` behind the first `behind` blocks of `y`. With a scale, every pixel becomes as many in both
/// directions.
pub(super) fn copy(x: Images<*const f32>, behind: usize, scale: usize, y: Images<*mut f32>) {
    let [_, height, width] = x.planes.shape;
    let (from, to) = (x.planes.lanes, y.planes.lanes);
    if from != to {
        return spread(x, y);
    }
    for block in 0..x.planes.blocks() {
        for row in 0..height * scale {
            // SAFETY: these are rows of the images.
            let (x, y) = unsafe {
                let y = y.row(behind + block, row);
                (
                    from_raw_parts(x.row(block, row / scale), width * from),
                    from_raw_parts_mut(y, width * scale * to),
                )
            };
            for (pixel, copies) in x.chunks_exact(from).zip(y.chunks_exact_mut(scale * to)) {
                copies.chunks_exact_mut(to).for_each(|copy| copy.copy_from_slice(pixel));
            }
        }
    }
}

/// Copies an image of blocks of one channel to one of larger blocks.
fn spread(x: Images<*const f32>, y: Images<*mut f32>) {
    let [channels, height, width] = x.planes.shape;
    let lanes = y.planes.lanes;
    for block in 0..y.planes.blocks() {
        for row in 0..height {
            // SAFETY: this is a row of the image.
            let to = unsafe { from_raw_parts_mut(y.row(block, row), width * lanes) };
            for lane in 0..lanes {
                let channel = block * lanes + lane;
                for pixel in 0..width {
                    to[pixel * lanes + lane] = match channel < channels {
                        // SAFETY: it is a pixel of the image.
                        true => unsafe { *x.row(channel, row).wrapping_add(pixel) },
                        false => 0.0,
                    };
                }
            }
        }
    }
}
