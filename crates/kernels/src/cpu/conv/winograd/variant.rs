//! The variants of the method, and the tasks of each.

use super::tiles::{GradientTiles, InputTiles, OutputTiles, TileRun, Tiles, View};
use super::weights;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd};

/// Results and weights of a row that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// F(2×2, 3×3): 16 products instead of 36.
    F2x3,
    /// F(4×4, 3×3): 36 products instead of 144.
    F4x3,
    /// F(2×2, 5×5): 36 products instead of 100.
    F2x5,
    /// F(4×4, 5×5): 64 products instead of 400.
    F4x5,
}

impl Variant {
    /// Results of a row of a tile.
    pub(crate) fn results(self) -> usize {
        match self {
            Self::F2x3 | Self::F2x5 => 2,
            Self::F4x3 | Self::F4x5 => 4,
        }
    }

    /// Weights of a row of a kernel.
    pub(super) fn kernel_side(self) -> usize {
        match self {
            Self::F2x3 | Self::F4x3 => 3,
            Self::F2x5 | Self::F4x5 => 5,
        }
    }

    /// Elements of a transformed tile: T².
    pub(crate) fn positions(self) -> usize {
        let side = self.results() + self.kernel_side() - 1;
        side * side
    }

    /// What an element of a transformed tile or kernel costs, where one of tiles of 6 × 6 costs so much: rows of eight
    /// take three operations for each, rows of six two.
    pub(crate) fn transform_cost(self, usual: usize) -> usize {
        match self {
            Self::F4x5 => usual * 3 / 2,
            _ => usual,
        }
    }

    /// Tiles that are transformed before their products are taken, with so many channels on both
    /// sides together.
    pub(super) fn chunk(self, channels: usize, lanes: usize) -> usize {
        // Large weights should not be read too often.
        let min = (channels / 64).clamp(8, 16);
        (CHUNK_LEN / (self.positions() * channels * lanes)).clamp(min, 64)
    }

    /// Tiles that cover a plane of that size.
    pub(crate) fn tiles(self, size: [usize; 2]) -> [usize; 2] {
        size.map(|side| side.div_ceil(self.results()))
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn input_tiles<S: Simd>(
        self,
        view: View,
        x: &[f32],
        run: TileRun,
        to: &mut Tiles,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(InputTiles::<2, 4> { view, x, run, to }),
                Self::F4x3 => S::enter(InputTiles::<4, 6> { view, x, run, to }),
                Self::F2x5 => S::enter(InputTiles::<2, 6> { view, x, run, to }),
                Self::F4x5 => S::enter(InputTiles::<4, 8> { view, x, run, to }),
            }
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn output_tiles<S: Simd>(
        self,
        view: View,
        (y, bias): (&mut [f32], Option<&[f32]>),
        run: TileRun,
        from: &Tiles,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(OutputTiles::<2, 4> { view, y, bias, run, from }),
                Self::F4x3 => S::enter(OutputTiles::<4, 6> { view, y, bias, run, from }),
                Self::F2x5 => S::enter(OutputTiles::<2, 6> { view, y, bias, run, from }),
                Self::F4x5 => S::enter(OutputTiles::<4, 8> { view, y, bias, run, from }),
            }
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn gradient_tiles<S: Simd>(
        self,
        view: View,
        dy: &[f32],
        run: TileRun,
        to: &mut Tiles,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::F2x3 => S::enter(GradientTiles::<2, 4> { view, dy, run, to }),
                Self::F4x3 => S::enter(GradientTiles::<4, 6> { view, dy, run, to }),
                Self::F2x5 => S::enter(GradientTiles::<2, 6> { view, dy, run, to }),
                Self::F4x5 => S::enter(GradientTiles::<4, 8> { view, dy, run, to }),
            }
        }
    }

    /// Transformed kernels.
    pub(super) fn kernels(self, isa: Isa, weight: &[f32], turned: bool) -> Recycled {
        match self {
            Self::F2x3 => weights::transform::<3, 4>(isa, weight, turned),
            Self::F4x3 => weights::transform::<3, 6>(isa, weight, turned),
            Self::F2x5 => weights::transform::<5, 6>(isa, weight, turned),
            Self::F4x5 => weights::transform::<5, 8>(isa, weight, turned),
        }
    }
}

/// Elements that the transforms of a chunk of tiles and their products should not exceed (1 MiB).
const CHUNK_LEN: usize = 256 * 1024;
