//! Convolutions of many channels by Winograd's method: fewer products, for additions and memory.
//!
//! Kernels of 3×3 and 5×5 pixels with stride 1. Planes are cut into tiles, tiles and kernels are
//! transformed, and for each of the T² positions of a tile one product of matrices goes over the
//! channels. See [`transform`] for the formulas.

mod backward;
mod forward;
mod method;
mod tiles;
mod transform;
mod weights;

use std::marker::PhantomData;

pub(crate) use backward::{InputGradient, WeightGradient};
pub(crate) use forward::forward;
pub(crate) use method::Methods;
pub(crate) use tiles::View;
use tiles::{GradientTiles, InputTiles, OutputTiles, Run, Tiles, runs};

use crate::matrix::Matrix;
use crate::options::Geometry;
use crate::product::Product;
use crate::recycled::Recycled;
use crate::simd::{Isa, Simd};

/// Results and weights of a row that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// F(2×2, 3×3): 16 products instead of 36.
    F2x3,
    /// F(4×4, 3×3): 36 products instead of 144.
    F4x3,
    /// F(2×2, 5×5): 36 products instead of 100.
    F2x5,
}

impl Variant {
    /// Results of a row of a tile.
    pub(crate) fn results(self) -> usize {
        match self {
            Self::F2x3 | Self::F2x5 => 2,
            Self::F4x3 => 4,
        }
    }

    /// Weights of a row of a kernel.
    fn taps(self) -> usize {
        match self {
            Self::F2x3 | Self::F4x3 => 3,
            Self::F2x5 => 5,
        }
    }

    /// Numbers of a transformed tile: T².
    pub(crate) fn positions(self) -> usize {
        let side = self.results() + self.taps() - 1;
        side * side
    }

    /// Tiles that are transformed before their products are taken, with so many channels on both
    /// sides together.
    fn chunk(self, channels: usize, lanes: usize) -> usize {
        // Large weights should not be read too often.
        let min = (channels / 64).clamp(8, 16);
        (CHUNK_LEN / (self.positions() * channels * lanes)).clamp(min, 64)
    }

    /// Tiles that cover a plane of that size.
    fn tiles(self, size: [usize; 2]) -> [usize; 2] {
        size.map(|side| side.div_ceil(self.results()))
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn input_tiles<S: Simd>(self, view: View, x: &[f32], run: Run, to: &mut Tiles) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(InputTiles::<2, 4> { view, x, run, to }),
                Self::F4x3 => S::enter(InputTiles::<4, 6> { view, x, run, to }),
                Self::F2x5 => S::enter(InputTiles::<2, 6> { view, x, run, to }),
            }
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn output_tiles<S: Simd>(
        self,
        view: View,
        (y, bias): (&mut [f32], Option<&[f32]>),
        run: Run,
        from: &Tiles,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(OutputTiles::<2, 4> { view, y, bias, run, from }),
                Self::F4x3 => S::enter(OutputTiles::<4, 6> { view, y, bias, run, from }),
                Self::F2x5 => S::enter(OutputTiles::<2, 6> { view, y, bias, run, from }),
            }
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn gradient_tiles<S: Simd>(self, view: View, dy: &[f32], run: Run, to: &mut Tiles) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(GradientTiles::<2, 4> { view, dy, run, to }),
                Self::F4x3 => S::enter(GradientTiles::<4, 6> { view, dy, run, to }),
                Self::F2x5 => S::enter(GradientTiles::<2, 6> { view, dy, run, to }),
            }
        }
    }

    /// Transformed kernels.
    fn kernels(self, isa: Isa, weight: &[f32], turned: bool) -> Recycled {
        match self {
            Self::F2x3 => weights::transform::<3, 4>(isa, weight, turned),
            Self::F4x3 => weights::transform::<3, 6>(isa, weight, turned),
            Self::F2x5 => weights::transform::<5, 6>(isa, weight, turned),
        }
    }
}

/// Numbers that the transforms of a chunk of tiles and their products should not exceed (1 MiB).
const CHUNK_LEN: usize = 256 * 1024;

/// A convolution's transformed kernels, prepared for one direction.
pub(crate) struct Plan {
    variant: Variant,
    /// `[position][out channel][in channel]`, in the sense of the forward pass.
    kernels: Recycled,
    channels: [usize; 2],
    /// From outputs to inputs: the gradient of the input.
    backwards: bool,
}

impl Plan {
    pub(crate) fn new(
        isa: Isa,
        variant: Variant,
        g: &Geometry,
        weight: &[f32],
        backwards: bool,
    ) -> Self {
        let channels = [g.out_channels, g.in_channels];
        Plan { variant, kernels: variant.kernels(isa, weight, backwards), channels, backwards }
    }

    /// Channels that the convolution reads, and those that it makes.
    fn ends(&self) -> [usize; 2] {
        let [outputs, inputs] = self.channels;
        if self.backwards { [outputs, inputs] } else { [inputs, outputs] }
    }

    /// Tiles that are computed together.
    fn chunk(&self, lanes: usize) -> usize {
        self.variant.chunk(self.channels[0] + self.channels[1], lanes)
    }

    /// The sums of products over the channels, of the first `columns` columns.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn products<S: Simd>(&self, from: &Tiles, to: &mut Tiles, columns: usize) {
        let [outputs, inputs] = self.channels;
        let [read, _] = self.ends();
        let kernels = self.kernels.chunks_exact((outputs * inputs).max(1));
        for (position, kernels) in kernels.enumerate() {
            let kernels = Matrix::new(kernels, [outputs, inputs]);
            let kernels = if self.backwards { kernels.transposed() } else { kernels };
            let (from, row) = from.position(position);
            let from = Matrix::spaced(from, [read, columns], row);
            let (to, row) = to.position_mut(position);
            // SAFETY: the caller's promise.
            unsafe { Product::new(kernels, from).write_here::<S>(to, row) };
        }
    }
}

/// Numbers that several threads write to, each in places of its own.
pub(crate) struct Shared<'a, T = f32> {
    at: *mut T,
    len: usize,
    numbers: PhantomData<&'a mut [T]>,
}

// SAFETY: the only access is `slice`, whose caller promises that no two slices overlap.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(numbers: &'a mut [T]) -> Self {
        Shared { at: numbers.as_mut_ptr(), len: numbers.len(), numbers: PhantomData }
    }

    /// The address of `len` numbers from `at` on, which exist.
    pub(crate) fn pointer(&self, at: usize, len: usize) -> *mut T {
        assert!(at + len <= self.len);
        self.at.wrapping_add(at)
    }

    /// `len` numbers from `at` on.
    ///
    /// # Safety
    ///
    /// No other slice that is in use has any of these numbers.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, at: usize, len: usize) -> &mut [T] {
        // SAFETY: the numbers lie in the slice that this was made of, and the caller uses them alone.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(at, len), len) }
    }
}
