//! The gradients of weight and input, group after group of a piece of the batch.

use super::kernels::TransformedKernels;
use super::tiles::{Tiles, View, tile_runs};
use super::variant::Variant;
use super::weights::KernelGradients;
use crate::cpu::layout::Geometry;
use crate::cpu::matmul::{Matrix, Product, Start};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Simd;

/// The gradient of the weight, summed over all groups that it is given.
pub(crate) struct WeightGradient {
    variant: Variant,
    channels: [usize; 2],
    /// Transforms of the gradient and of the input, of the tiles that no product has seen yet.
    dy: Tiles,
    x: Tiles,
    filled: usize,
    capacity: usize,
    /// `[position][out channel][in channel]`
    sums: Recycled,
    /// Whether `sums` holds a product yet.
    begun: bool,
}

impl WeightGradient {
    pub(crate) fn new(variant: Variant, g: &Geometry, lanes: usize) -> Self {
        let channels = [g.out_channels, g.in_channels];
        let capacity = variant.chunk(channels[0] + channels[1], lanes);
        let positions = variant.positions();
        WeightGradient {
            variant,
            channels,
            dy: Tiles::new(positions, channels[0], capacity, lanes),
            x: Tiles::new(positions, channels[1], capacity, lanes),
            filled: 0,
            capacity,
            sums: Recycled::any(positions * channels[0] * channels[1]),
            begun: false,
        }
    }

    /// Adds a group, given its gradient of the convolution's results and its input.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(crate) unsafe fn add<S: Simd>(&mut self, dy: (View, &[f32]), x: (View, &[f32])) {
        let [height, width] = self.variant.tiles(dy.0.size);
        let mut next = 0;
        while next < height * width {
            let (left, room) = (height * width - next, self.capacity - self.filled);
            let count = if left < room { left } else { room };
            for run in tile_runs(width, next, count, self.filled) {
                // SAFETY: the caller's promise.
                unsafe {
                    self.variant.gradient_tiles::<S>(dy.0, dy.1, run, &mut self.dy);
                    self.variant.input_tiles::<S>(x.0, x.1, run, &mut self.x);
                }
            }
            next += count;
            self.filled += count;
            if self.filled == self.capacity {
                // SAFETY: as above.
                unsafe { self.flush::<S>() };
            }
        }
    }

    /// Adds the products of the tiles that are there.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn flush<S: Simd>(&mut self) {
        let [outputs, inputs] = self.channels;
        let columns = self.filled * S::LANES;
        self.filled = 0;
        if columns == 0 {
            return;
        }
        let start = if self.begun { Start::Add } else { Start::Zero };
        self.begun = true;
        for (position, sums) in self.sums.chunks_exact_mut(outputs * inputs).enumerate() {
            let (dy, row) = self.dy.position(position);
            let dy = Matrix::spaced(dy, [outputs, columns], row);
            let (x, row) = self.x.position(position);
            let x = Matrix::spaced(x, [inputs, columns], row);
            let product = Product { start, ..Product::new(dy, x.transposed()) };
            // SAFETY: the caller's promise.
            unsafe { product.write_here::<S>(sums, inputs) };
        }
    }

    /// The gradient in the layout of the weight.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    pub(crate) unsafe fn finish<S: Simd>(mut self) -> Vec<f32> {
        // SAFETY: the caller's promise.
        unsafe { self.flush::<S>() };
        if !self.begun {
            self.sums.fill(0.0);
        }
        let side = self.variant.kernel_side();
        let mut gradient = vec![0.0; self.channels[0] * self.channels[1] * side * side];
        let (from, to) = (&self.sums[..], &mut gradient[..]);
        // SAFETY: the caller's promise.
        unsafe {
            match self.variant {
                Variant::F2x3 => S::enter(KernelGradients::<3, 4> { from, to }),
                Variant::F4x3 => S::enter(KernelGradients::<3, 6> { from, to }),
                Variant::F2x5 => S::enter(KernelGradients::<5, 6> { from, to }),
                Variant::F4x5 => S::enter(KernelGradients::<5, 8> { from, to }),
            }
        }
        gradient
    }
}

/// Tiles of a group whose products are not taken yet.
struct Pending {
    group: usize,
    /// First tile, their number, and where they lie in the [`Tiles`].
    first: usize,
    count: usize,
    at: usize,
}

/// The gradient of the input of group after group.
pub(crate) struct InputGradient<'a> {
    kernels: &'a TransformedKernels,
    /// Size of a plane of the input.
    size: [usize; 2],
    from: Tiles,
    to: Tiles,
    filled: usize,
    capacity: usize,
    pending: Vec<Pending>,
}

impl<'a> InputGradient<'a> {
    pub(crate) fn new(kernels: &'a TransformedKernels, size: [usize; 2], lanes: usize) -> Self {
        let capacity = kernels.chunk(lanes);
        let [read, made] = kernels.ends();
        let positions = kernels.variant.positions();
        InputGradient {
            kernels,
            size,
            from: Tiles::new(positions, read, capacity, lanes),
            to: Tiles::new(positions, made, capacity, lanes),
            filled: 0,
            capacity,
            pending: Vec::new(),
        }
    }

    fn tiles(&self) -> [usize; 2] {
        self.kernels.variant.tiles(self.size)
    }

    /// Transforms as many of a group's tiles from `next` on as there is room for; the next one. When
    /// there is no room left, or nothing more to come, [`results`](Self::results) has to follow.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(crate) unsafe fn add<S: Simd>(
        &mut self,
        group: usize,
        next: usize,
        dy: (View, &[f32]),
    ) -> usize {
        let [height, width] = self.tiles();
        let (left, room) = (height * width - next, self.capacity - self.filled);
        let count = if left < room { left } else { room };
        for run in tile_runs(width, next, count, self.filled) {
            // SAFETY: the caller's promise.
            unsafe { self.kernels.variant.input_tiles::<S>(dy.0, dy.1, run, &mut self.from) };
        }
        self.pending.push(Pending { group, first: next, count, at: self.filled });
        self.filled += count;
        next + count
    }

    /// Whether a group of that many tiles has been transformed as a whole.
    pub(crate) fn is_whole(&self, next: usize) -> bool {
        let [height, width] = self.tiles();
        next == height * width
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.capacity
    }

    /// Takes the products of the tiles that are there.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(crate) unsafe fn multiply<S: Simd>(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { self.kernels.products::<S>(&self.from, &mut self.to, self.filled * S::LANES) };
        self.filled = 0;
    }

    /// After [`multiply`](Self::multiply): writes the next tiles to their group's plane
    /// `[channel, row, column, LANES]`. Which group it was, and whether it is complete now; `None`
    /// when there are no more.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(crate) unsafe fn results<S: Simd>(
        &mut self,
        pending: usize,
        to: &mut [f32],
    ) -> Option<(usize, bool)> {
        if pending == self.pending.len() {
            self.pending.clear();
            return None;
        }
        let [height, width] = self.tiles();
        let Pending { group, first, count, at } = self.pending[pending];
        let row = self.size[1] * S::LANES;
        let channels = self.kernels.ends()[1];
        let view = View { channels, size: self.size, row, channel: self.size[0] * row };
        for run in tile_runs(width, first, count, at) {
            // SAFETY: the caller's promise.
            unsafe { self.kernels.variant.output_tiles::<S>(view, (to, None), run, &self.to) };
        }
        Some((group, first + count == height * width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Isa, Task};
    use crate::ops::ConvBlockOptions;

    /// The gradient of no group at all.
    struct Nothing;

    impl Task for Nothing {
        type Output = Vec<f32>;

        #[inline(always)]
        unsafe fn run<S: Simd>(self) -> Vec<f32> {
            let options = ConvBlockOptions { padding: [1, 1], ..Default::default() };
            let g = Geometry::new([1, 3, 8, 8], [4, 3, 3, 3], &options);
            // SAFETY: the processor has `S`.
            unsafe { WeightGradient::new(Variant::F4x3, &g, S::LANES).finish::<S>() }
        }
    }

    #[test]
    fn the_gradient_of_no_images_is_zero() {
        for isa in Isa::available() {
            assert_eq!(isa.run(Nothing), vec![0.0; 4 * 3 * 9]);
        }
    }
}
