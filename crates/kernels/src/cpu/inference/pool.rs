//! Pools, nearest upsampling, and means.

use super::step::{Band, Images, Work};
use crate::cpu::simd::{Simd, Task};

/// Windows, of each of which one value a channel is left.
#[derive(Clone, Copy, Debug)]
pub(super) enum Windows {
    /// The largest value.
    Max(Sliding),
    /// The sum over as many pixels as the window has; or, for the second, as lie in the image.
    Mean(Sliding, Counted),
    /// The means of windows that cover the image: as many in each direction as the result has pixels.
    Cover,
}

/// Height and width, steps, and rows above and columns to the left of the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sliding {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
}

/// What a mean is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// The pixels of the window, those of the padding included, but not those beyond it.
    Padded,
    /// The pixels of the window that lie in the image.
    Image,
}

/// The pixels of a window along one axis, and by what they count.
struct Span {
    first: usize,
    end: usize,
    count: usize,
}

impl Windows {
    /// The window of pixel `i` of `sides[1]` in an image of `sides[0]` pixels.
    #[inline(always)]
    fn span(self, axis: usize, i: usize, sides: [usize; 2]) -> Span {
        let [side, result] = sides;
        let (sliding, counted) = match self {
            Windows::Cover => {
                let (first, end) = (i * side / result, ((i + 1) * side).div_ceil(result));
                return Span { first, end, count: end - first };
            }
            Windows::Max(sliding) => (sliding, Counted::Image),
            Windows::Mean(sliding, counted) => (sliding, counted),
        };
        let padding = sliding.padding[axis];
        let begin = i * sliding.stride[axis];
        let end = begin + sliding.kernel[axis];
        let padded = end.min(side + 2 * padding) - begin;
        let (first, end) = (begin.saturating_sub(padding), end.saturating_sub(padding).min(side));
        // A window that lies in the padding alone has no pixel.
        let first = first.min(end);
        Span { first, end, count: if counted == Counted::Padded { padded } else { end - first } }
    }
}

/// Computes a pool.
pub(super) fn run(windows: Windows, work: Work, x: Images<*const f32>, y: Images<*mut f32>) {
    let operations = x.planes.len() as u64;
    work.each_band(&y.planes, operations, |band| work.isa.run(Block { windows, band, x, y }));
}

/// Some rows of a block of channels.
struct Block {
    windows: Windows,
    band: Band,
    x: Images<*const f32>,
    y: Images<*mut f32>,
}

impl Task for Block {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Block { windows, band, x, y } = self;
        let block = band.block;
        let x_first = x.at.wrapping_add(block * x.planes.block() + x.planes.first());
        let y_first = y.at.wrapping_add(block * y.planes.block() + y.planes.first());
        let [_, height, width] = y.planes.shape;
        let is_max = matches!(windows, Windows::Max(_));
        for row in band.rows() {
            let rows = windows.span(0, row, [x.planes.shape[1], height]);
            for column in 0..width {
                let columns = windows.span(1, column, [x.planes.shape[2], width]);
                // SAFETY: the pixels of a window lie in the image.
                unsafe {
                    let mut value = S::splat(if is_max { f32::NEG_INFINITY } else { 0.0 });
                    for i in rows.first..rows.end {
                        let line = x_first.wrapping_add(i * x.planes.row());
                        for j in columns.first..columns.end {
                            let pixel = S::load(line.wrapping_add(j * S::LANES));
                            value = match is_max {
                                true => S::select(S::greater_or_nan(pixel, value), pixel, value),
                                false => S::add(value, pixel),
                            };
                        }
                    }
                    if !is_max {
                        let share = S::splat(1.0 / (rows.count * columns.count) as f32);
                        value = S::fma(value, share, S::splat(0.0));
                    }
                    let to = y_first.wrapping_add(row * y.planes.row() + column * S::LANES);
                    S::store(to, value);
                }
            }
        }
    }
}
