//! Max-pool of planes in Burn's layout, `[batch, channel, row, column]`, and its gradient.
//!
//! A vector holds neighbouring outputs of a row. So that the pixels which they look at are neighbours
//! too, a plane is first copied with its columns sorted by their remainder modulo the stride, the
//! *phases*, between borders of minus infinity.
//!
//! As in a block, the forward pass leaves the argmax, a byte for every output: which pixel of the window
//! was taken.

use rayon::prelude::*;

use crate::cpu::memory::Aligned;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;
use crate::ops::PoolOptions;

/// Elements of the input that a thread takes at a time, if a plane has no more.
const PIECE: usize = 32 * 1024;

/// The sizes of a pool over planes. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanePool {
    /// Batch × channels.
    pub count: usize,
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub pool: PoolOptions,
}

/// The result, and the argmax if it was asked for.
pub(crate) struct Pooled {
    pub values: Recycled,
    pub argmax: Recycled<u8>,
}

impl PlanePool {
    /// Whether the kernels cover the case: an index of the argmax is a byte, and
    /// every window has to hold a pixel.
    pub(crate) fn is_fusable(&self) -> bool {
        let PoolOptions { kernel, padding, .. } = self.pool;
        kernel[0].saturating_mul(kernel[1]) <= 1 + usize::from(u8::MAX)
            && (0..2).all(|axis| padding[axis] < kernel[axis] && self.input[axis] > 0)
    }

    /// Pixels of a window along one axis that lie in the plane: `[first, end)`.
    fn clip(&self, axis: usize, output: usize) -> (usize, usize) {
        let PoolOptions { kernel, stride, padding } = self.pool;
        let start = output * stride[axis];
        let end = (self.input[axis] + padding[axis] - start).min(kernel[axis]);
        (padding[axis].saturating_sub(start), end)
    }

    /// PlanePool that a thread takes at a time.
    fn piece(&self) -> usize {
        (PIECE / (self.input[0] * self.input[1])).max(1)
    }

    /// The largest value of every window: NaN if it holds one.
    pub(crate) fn forward(&self, isa: Isa, x: &[f32], with_argmax: bool) -> Pooled {
        let plane = self.output[0] * self.output[1];
        let piece = self.piece();
        let mut values = Recycled::any(self.count * plane);
        let mut argmax = Recycled::any(if with_argmax { values.len() } else { 0 });
        let of_pieces: Vec<Option<&mut [u8]>> = match with_argmax {
            true => argmax.chunks_mut(piece * plane).map(Some).collect(),
            false => (0..self.count.div_ceil(piece)).map(|_| None).collect(),
        };
        let phases = &Phases::new(self, isa.lanes());
        let pieces = values.par_chunks_mut(piece * plane).zip(of_pieces);
        let x = x.par_chunks(piece * self.input[0] * self.input[1]);
        threads::for_each(pieces.zip(x), |((output, argmax), x)| {
            isa.run(Pool { planes: self, phases, x, output, argmax });
        });
        Pooled { values, argmax }
    }

    /// The gradient of the input. A pixel that several windows have taken gets the sum of theirs, in
    /// the order of the windows.
    pub(crate) fn backward(&self, grad: &[f32], argmax: &[u8]) -> Recycled {
        let plane = self.output[0] * self.output[1];
        let piece = self.piece();
        let input = self.input[0] * self.input[1];
        let PoolOptions { kernel, .. } = self.pool;
        let pixels = 0..kernel[0] * kernel[1];
        let offsets: Vec<usize> =
            pixels.map(|k| k / kernel[1] * self.input[1] + k % kernel[1]).collect();
        let mut dx = Recycled::zeros(self.count * input);
        let gradients = grad.par_chunks(piece * plane).zip(argmax.par_chunks(piece * plane));
        let pieces = dx.par_chunks_mut(piece * input).zip(gradients);
        threads::for_each(pieces, |(dx, (grad, argmax))| {
            let planes = dx.chunks_exact_mut(input).zip(grad.chunks_exact(plane));
            for ((dx, grad), argmax) in planes.zip(argmax.chunks_exact(plane)) {
                self.unpool(&offsets, dx, grad, argmax);
            }
        });
        dx
    }

    /// Adds the gradient of every output of a plane to the pixel it was taken from.
    fn unpool(&self, offsets: &[usize], dx: &mut [f32], grad: &[f32], argmax: &[u8]) {
        let PoolOptions { stride, padding, .. } = self.pool;
        let width = self.output[1];
        let rows = grad.chunks_exact(width).zip(argmax.chunks_exact(width));
        for (row, (grad, argmax)) in rows.enumerate() {
            // Where a window begins may lie before the plane; the pixel that was taken does not.
            let first = row * stride[0] * self.input[1];
            let before = padding[0] * self.input[1] + padding[1];
            let mut start = first.wrapping_sub(before);
            for (grad, index) in grad.iter().zip(argmax) {
                dx[start.wrapping_add(offsets[usize::from(*index)])] += grad;
                start = start.wrapping_add(stride[1]);
            }
        }
    }
}

/// Where a row's pixels lie once its columns are sorted.
struct Phases {
    stride: usize,
    /// Elements in a sorted row: as many for every phase.
    len: usize,
    /// The columns of every phase. What no window looks at is left out.
    parts: Vec<PhaseColumns>,
    /// Where the window's columns begin for the first output.
    offsets: Vec<usize>,
    /// First column of every output's window that lies in the plane.
    left: Vec<f32>,
}

/// Every `stride`th column of a row from `first` on, and where they go.
struct PhaseColumns {
    first: usize,
    place: usize,
    len: usize,
}

impl Phases {
    fn new(planes: &PlanePool, lanes: usize) -> Self {
        let [kernel, stride, padding] =
            [planes.pool.kernel, planes.pool.stride, planes.pool.padding].map(|pair| pair[1]);
        // A row may be narrower than a vector; what then follows it is read, but not used.
        let width = planes.output[1].max(lanes);
        let phase_len = width + (kernel - 1) / stride;
        let phases = stride.min(kernel);
        let part = |phase: usize| {
            // The first place behind the border.
            let place = padding.saturating_sub(phase).div_ceil(stride);
            let first = phase + place * stride - padding;
            let len = planes.input[1].saturating_sub(first).div_ceil(stride);
            let len = len.min(phase_len.saturating_sub(place));
            PhaseColumns { first, place: phase * phase_len + place, len }
        };
        Phases {
            stride,
            len: phases * phase_len,
            parts: (0..phases).map(part).filter(|part| part.len > 0).collect(),
            offsets: (0..kernel).map(|k| k % stride * phase_len + k / stride).collect(),
            left: (0..width).map(|column| padding.saturating_sub(column * stride) as f32).collect(),
        }
    }

    /// Writes a row's columns to their places.
    #[inline(always)]
    fn sort(&self, row: &[f32], to: &mut [f32]) {
        for part in &self.parts {
            let to = &mut to[part.place..][..part.len];
            match self.stride {
                1 => to.copy_from_slice(&row[part.first..][..part.len]),
                2 => gather(&row[part.first..], 2, to),
                3 => gather(&row[part.first..], 3, to),
                stride => gather(&row[part.first..], stride, to),
            }
        }
    }
}

/// Every `step`th element; with a constant step and no checks, the compiler makes it shuffles.
#[inline(always)]
fn gather(from: &[f32], step: usize, to: &mut [f32]) {
    assert!(to.is_empty() || from.len() > (to.len() - 1) * step);
    for i in 0..to.len() {
        // SAFETY: the assertion covers the last element of each.
        unsafe { *to.get_unchecked_mut(i) = *from.get_unchecked(i * step) };
    }
}

/// Some planes, and what becomes of them.
struct Pool<'a> {
    planes: &'a PlanePool,
    phases: &'a Phases,
    x: &'a [f32],
    output: &'a mut [f32],
    argmax: Option<&'a mut [u8]>,
}

impl Task for Pool<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let [height, width] = self.planes.input;
        let [out_height, out_width] = self.planes.output;
        let count = self.x.len() / (height * width);
        assert!(self.output.len() == count * out_height * out_width);
        assert!(self.argmax.as_ref().is_none_or(|argmax| argmax.len() == self.output.len()));
        let row_len = self.phases.len;
        let mut sorted = Aligned::any(height * row_len);
        // The borders stay as they are from one plane to the next.
        sorted.fill(f32::NEG_INFINITY);
        for plane in 0..count {
            for y in 0..height {
                let row = &self.x[(plane * height + y) * width..][..width];
                self.phases.sort(row, &mut sorted[y * row_len..][..row_len]);
            }
            for y in 0..out_height {
                let at = (plane * out_height + y) * out_width;
                let row = PlaneRow {
                    phases: self.phases,
                    rows: self.planes.clip(0, y),
                    from: &sorted[first_row(self.planes, y) * row_len..],
                    output: &mut self.output[at..][..out_width],
                    argmax: match &mut self.argmax {
                        Some(argmax) => Some(&mut argmax[at..][..out_width]),
                        None => None,
                    },
                };
                // SAFETY: this runs where the processor has `S`.
                unsafe {
                    match self.planes.pool.kernel {
                        [2, 2] => S::enter(Unrolled::<2>(row)),
                        [3, 3] => S::enter(Unrolled::<3>(row)),
                        _ => S::enter(Unrolled::<0>(row)),
                    }
                }
            }
        }
    }
}

/// The first row of the plane that row `output` of the result looks at.
#[inline(always)]
fn first_row(planes: &PlanePool, output: usize) -> usize {
    (output * planes.pool.stride[0]).saturating_sub(planes.pool.padding[0])
}

/// A row of outputs.
struct PlaneRow<'a> {
    phases: &'a Phases,
    /// Rows of the window that lie in the plane: `[first, end)`.
    rows: (usize, usize),
    /// The sorted plane, from the first of these rows on.
    from: &'a [f32],
    output: &'a mut [f32],
    argmax: Option<&'a mut [u8]>,
}

/// The row, with windows of `K` columns, or of any number if that is 0.
struct Unrolled<'a, const K: usize>(PlaneRow<'a>);

impl<const K: usize> Task for Unrolled<'_, K> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let mut row = self.0;
        let phases = row.phases;
        let width = row.output.len();
        let kernel = if K == 0 { phases.offsets.len() } else { K };
        let offsets = &phases.offsets[..kernel];
        let row_len = phases.len;
        let (top, bottom) = row.rows;
        assert!(row.from.len() >= (bottom - top) * row_len);
        assert!(phases.left.len() >= width.max(S::LANES));
        let mut column = 0;
        while column < width {
            // The last vector overlaps the one before it; only a row that is no longer than a vector
            // cannot hold it.
            column = column.min(width.saturating_sub(S::LANES));
            // SAFETY: `Phases::new` leaves a vector's length behind every offset of the last column.
            let (best, index) = unsafe {
                let one = S::splat(1.0);
                let mut best = S::splat(f32::NEG_INFINITY);
                // Where all is minus infinity, the first pixel that is not border is taken.
                let mut k = S::splat((top * kernel) as f32);
                let mut index = S::add(k, S::load(phases.left.as_ptr().wrapping_add(column)));
                for y in 0..bottom - top {
                    let from = row.from.as_ptr().wrapping_add(y * row_len + column);
                    for &offset in offsets {
                        let value = S::load(from.wrapping_add(offset));
                        let better = S::greater_or_nan(value, best);
                        best = S::select(better, value, best);
                        index = S::select(better, k, index);
                        k = S::add(k, one);
                    }
                }
                (best, index)
            };
            // SAFETY: the arrays have room for a vector, and so have rows that are not shorter.
            unsafe { row.store::<S>(column, best, index) };
            column += S::LANES;
        }
    }
}

impl PlaneRow<'_> {
    /// Stores a vector of outputs, or as much of it as the row holds.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn store<S: Simd>(&mut self, column: usize, best: S::V, index: S::V) {
        let width = self.output.len();
        // SAFETY: a whole vector fits behind `column`; else into the arrays, which hold 16 elements.
        unsafe {
            if column + S::LANES <= width {
                S::store(self.output[column..].as_mut_ptr(), best);
                if let Some(argmax) = &mut self.argmax {
                    S::store_bytes(argmax[column..].as_mut_ptr(), index);
                }
            } else {
                let mut values = [0.0; 16];
                let mut bytes = [0; 16];
                S::store(values.as_mut_ptr(), best);
                S::store_bytes(bytes.as_mut_ptr(), index);
                self.output[column..].copy_from_slice(&values[..width - column]);
                if let Some(argmax) = &mut self.argmax {
                    argmax[column..].copy_from_slice(&bytes[..width - column]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
