//! The transforms of all kernels of a convolution, and the gradient of the kernels from theirs.

use rayon::prelude::*;

use super::transform::{kernels, product, weight_matrix};
use crate::cpu::memory::{Recycled, SharedSlice};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// Kernels that one task transforms: a multiple of every `LANES`.
const KERNELS: usize = 256;

/// Transforms kernels `[kernel][R·R]` to `[position][kernel]`. `turned` are kernels turned by 180°.
pub(crate) fn transform<const R: usize, const T: usize>(
    isa: Isa,
    weight: &[f32],
    turned: bool,
) -> Recycled {
    let kernels = weight.len() / (R * R);
    let mut to = Recycled::any(T * T * kernels);
    let shared = SharedSlice::new(&mut to);
    threads::for_each(weight.par_chunks(KERNELS * R * R).enumerate(), |(chunk, weight)| {
        let first = chunk * KERNELS;
        isa.run(TransformKernels::<R, T> { weight, turned, first, kernels, to: &shared });
    });
    to
}

/// Some kernels, the first of which is number `first` of `kernels`.
struct TransformKernels<'a, const R: usize, const T: usize> {
    weight: &'a [f32],
    turned: bool,
    first: usize,
    kernels: usize,
    to: &'a SharedSlice<'a>,
}

impl<const R: usize, const T: usize> Task for TransformKernels<'_, R, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (lanes, len) = (S::LANES, R * R);
        let count = self.weight.len() / len;
        for at in (0..count).step_by(lanes) {
            let here = if count - at < lanes { count - at } else { lanes };
            // The same weight of `LANES` kernels in one vector.
            let mut weights = [[[0.0_f32; 16]; R]; R];
            for lane in 0..here {
                for i in 0..len {
                    let from = if self.turned { len - 1 - i } else { i };
                    weights[i / R][i % R][lane] = self.weight[(at + lane) * len + from];
                }
            }
            // SAFETY: no vector is longer than 16 elements; the kernels of different tasks differ.
            unsafe {
                let transformed = kernels::<S, R, T>(&weights);
                for i in 0..T * T {
                    let values = stored::<S>(transformed[i / T][i % T]);
                    let at = i * self.kernels + self.first + at;
                    self.to.slice(at, here).copy_from_slice(&values[..here]);
                }
            }
        }
    }
}

/// The gradient of kernels, `[kernel][R·R]`, from that of their transforms, `[position][kernel]`.
pub(crate) struct KernelGradients<'a, const R: usize, const T: usize> {
    pub from: &'a [f32],
    pub to: &'a mut [f32],
}

impl<const R: usize, const T: usize> Task for KernelGradients<'_, R, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (lanes, len) = (S::LANES, R * R);
        let transposed = const { transpose(&weight_matrix::<R, T>()) };
        let kernels = self.to.len() / len;
        assert!(self.from.len() >= T * T * kernels);
        for at in (0..kernels).step_by(lanes) {
            let here = if kernels - at < lanes { kernels - at } else { lanes };
            // SAFETY: whole vectors lie in `from`; the last, shorter one is read from a copy.
            unsafe {
                let zero = S::splat(0.0);
                let mut half = [[zero; R]; T];
                for i in 0..T {
                    let mut row = [zero; T];
                    for j in 0..T {
                        let from = &self.from[(i * T + j) * kernels + at..][..here];
                        row[j] = load_some::<S>(from);
                    }
                    half[i] = product::<S, R, T>(&transposed, row);
                }
                for j in 0..R {
                    let mut column = [zero; T];
                    for i in 0..T {
                        column[i] = half[i][j];
                    }
                    let column = product::<S, R, T>(&transposed, column);
                    for i in 0..R {
                        let values = stored::<S>(column[i]);
                        for lane in 0..here {
                            self.to[(at + lane) * len + i * R + j] = values[lane];
                        }
                    }
                }
            }
        }
    }
}

/// At most `LANES` elements, and zeros.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn load_some<S: Simd>(from: &[f32]) -> S::V {
    // SAFETY: the processor is the caller's promise; no vector is longer than 16 elements.
    unsafe {
        if from.len() >= S::LANES {
            return S::load(from.as_ptr());
        }
        let mut values = [0.0_f32; 16];
        values[..from.len()].copy_from_slice(from);
        S::load(values.as_ptr())
    }
}

/// The elements of a vector, in front of others.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn stored<S: Simd>(v: S::V) -> [f32; 16] {
    let mut values = [0.0_f32; 16];
    // SAFETY: as above.
    unsafe { S::store(values.as_mut_ptr(), v) };
    values
}

const fn transpose<const R: usize, const T: usize>(matrix: &[[f32; R]; T]) -> [[f32; T]; R] {
    let mut result = [[0.0; T]; R];
    let mut i = 0;
    while i < T {
        let mut j = 0;
        while j < R {
            result[j][i] = matrix[i][j];
            j += 1;
        }
        i += 1;
    }
    result
}
