//! The transformed kernels of a convolution, and their products with tiles.

use super::tiles::Tiles;
use super::variant::Variant;
use crate::cpu::layout::Geometry;
use crate::cpu::matmul::{Matrix, Product};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd};

/// A convolution's transformed kernels, prepared for one direction.
pub(crate) struct TransformedKernels {
    pub(super) variant: Variant,
    /// `[position][out channel][in channel]`, in the sense of the forward pass.
    kernels: Recycled,
    channels: [usize; 2],
    /// From outputs to inputs: the gradient of the input.
    backwards: bool,
}

impl TransformedKernels {
    pub(crate) fn new(
        isa: Isa,
        variant: Variant,
        g: &Geometry,
        weight: &[f32],
        backwards: bool,
    ) -> Self {
        let channels = [g.out_channels, g.in_channels];
        TransformedKernels {
            variant,
            kernels: variant.kernels(isa, weight, backwards),
            channels,
            backwards,
        }
    }

    /// Channels that the convolution reads, and those that it makes.
    pub(super) fn ends(&self) -> [usize; 2] {
        let [outputs, inputs] = self.channels;
        if self.backwards { [outputs, inputs] } else { [inputs, outputs] }
    }

    /// Tiles that are computed together.
    pub(super) fn chunk(&self, lanes: usize) -> usize {
        self.variant.chunk(self.channels[0] + self.channels[1], lanes)
    }

    /// The sums of products over the channels, of the first `columns` columns.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn products<S: Simd>(&self, from: &Tiles, to: &mut Tiles, columns: usize) {
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
