//! Planes row by row.

use super::Results;
use super::frame::Frame;
use crate::cpu::activation::activated;
use crate::cpu::memory::copy_row;
use crate::cpu::simd::{Simd, Task};
use crate::ops::FusedActivation;

/// Some planes, and their results.
pub(super) struct Planes<'a> {
    pub frame: &'a Frame,
    /// The number of the first plane.
    pub first: usize,
    pub channels: usize,
    pub kernel: [usize; 2],
    pub from: &'a [f32],
    pub to: &'a mut [f32],
    pub results: Results<'a>,
}

impl Task for Planes<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let frame = self.frame;
        let [source, output] = frame.plane_lens();
        let area = self.kernel[0] * self.kernel[1];
        let mut framed = frame.zeros();
        let count = self.to.len() / output;
        for plane in 0..count {
            let channel = (self.first + plane) % self.channels;
            frame.fill(&self.from[plane * source..][..source], &mut framed);
            let convolved = Convolved {
                frame,
                framed: &framed,
                kernel: &self.results.kernels[channel * area..][..area],
                bias: match self.results.bias {
                    Some(bias) => bias[channel],
                    None => 0.0,
                },
                activation: self.results.activation,
                output: &mut self.to[plane * output..][..output],
            };
            // SAFETY: this runs where the processor has `S`.
            unsafe { S::enter(convolved) };
        }
    }
}

/// A plane in its frame, and its result.
struct Convolved<'a> {
    frame: &'a Frame,
    framed: &'a [f32],
    kernel: &'a [f32],
    bias: f32,
    activation: FusedActivation,
    output: &'a mut [f32],
}

impl Task for Convolved<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let [height, _] = self.frame.output;
        assert!(self.framed.len() >= self.frame.rows * self.frame.row_len);
        let mut row = 0;
        // SAFETY: this runs where the processor has `S`, and no tile reaches beyond the last row.
        unsafe {
            while row + 8 <= height {
                self.tile::<S, 8>(row);
                row += 8;
            }
            while row < height && height >= 4 {
                // The last tile overlaps the one before it.
                row = row.min(height - 4);
                self.tile::<S, 4>(row);
                row += 4;
            }
            while row < height {
                self.tile::<S, 1>(row);
                row += 1;
            }
        }
    }
}

impl Convolved<'_> {
    /// `R` rows of outputs from `row` on.
    ///
    /// # Safety
    ///
    /// The processor has `S`, and there are as many rows.
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize>(&mut self, row: usize) {
        let Frame { output: [_, width], row_step, row_len, offsets, .. } = self.frame;
        let (width, row_len) = (*width, *row_len);
        let columns = offsets.len();
        let step = row_step * row_len;
        let mut column = 0;
        while column < width {
            // Where there is room, the last vector overlaps the one before it.
            if column + S::LANES > width && width >= S::LANES {
                column = width - S::LANES;
            }
            // SAFETY: `Frame::new` leaves a vector's length behind every offset of the last column, and the
            // rows of the last window are the frame's last ones.
            let sums = unsafe {
                let mut sums = [S::splat(self.bias); R];
                let mut from = self.framed.as_ptr().wrapping_add(row * step + column);
                for kernel in self.kernel.chunks_exact(columns) {
                    for k in 0..columns {
                        let weight = S::splat(kernel[k]);
                        let from = from.wrapping_add(offsets[k]);
                        for r in 0..R {
                            sums[r] = S::fma(S::load(from.wrapping_add(r * step)), weight, sums[r]);
                        }
                    }
                    from = from.wrapping_add(row_len);
                }
                sums
            };
            for r in 0..R {
                let to =
                    &mut self.output[(row + r) * width + column..][..S::LANES.min(width - column)];
                // SAFETY: a whole vector fits; else into the array, which holds 16 elements.
                unsafe {
                    let result = activated::<S>(self.activation, sums[r]);
                    if to.len() == S::LANES {
                        S::store(to.as_mut_ptr(), result);
                    } else {
                        let mut values = [0.0; 16];
                        S::store(values.as_mut_ptr(), result);
                        copy_row(&values[..to.len()], to);
                    }
                }
            }
            column += S::LANES;
        }
    }
}
