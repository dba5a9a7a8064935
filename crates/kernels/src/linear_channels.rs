//! Products of a linear layer whose input has channels of zeros, as channel dropout leaves them.
//!
//! Channel by channel, the images that are not zero there are gathered: the products are then dense
//! ones of fewer rows.

use rayon::prelude::*;

use crate::buffer::Aligned;
use crate::matrix::Matrix;
use crate::product::{LONG, Product};
use crate::recycled::Recycled;
use crate::simd::{Isa, Simd, Task};

/// Features of a channel below which its product is too short for what it takes to gather it.
const MIN_FEATURES: usize = 32;

/// The share of channels that has to be zero, as one of so many.
const MIN_ZEROS: usize = 10;

/// Outputs that are computed together: their sums stay in the second-level cache.
const COLUMNS: usize = 128;

/// The channels of some images that are not zero.
#[derive(Clone, Debug)]
pub(crate) struct Channels {
    /// Features of a channel, which are adjacent.
    size: usize,
    /// For every channel the images that are not zero there, in their order.
    images: Vec<Vec<usize>>,
}

impl Channels {
    /// The channels of `x`, `[batch, features]`, if leaving out those of zeros is worth it.
    /// The features are a multiple of `size`.
    pub(crate) fn find(x: &[f32], features: usize, size: usize) -> Option<Self> {
        // Longer sums are taken with totals in double precision.
        if size < MIN_FEATURES || features == 0 || features > LONG {
            return None;
        }
        let mut images = vec![Vec::new(); features / size];
        let mut zeros = 0;
        for (image, x) in x.chunks_exact(features).enumerate() {
            for (x, images) in x.chunks_exact(size).zip(&mut images) {
                match is_zero(x) {
                    true => zeros += 1,
                    false => images.push(image),
                }
            }
        }
        let count = x.len() / size;
        (zeros > 0 && zeros >= count / MIN_ZEROS).then_some(Channels { size, images })
    }
}

/// Whether all numbers are 0. Several are looked at together, as the processor can.
fn is_zero(x: &[f32]) -> bool {
    x.chunks(16).all(|some| some.iter().fold(true, |zero, &x| zero & (x == 0.0)))
}

/// The layer's operands, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub channels: &'a Channels,
    /// Images, features and outputs.
    pub sizes: [usize; 3],
    /// `[batch, in_features]`
    pub x: &'a [f32],
    /// `[in_features, out_features]`
    pub weight: &'a [f32],
}

impl<'a> Operands<'a> {
    /// The features and the weight's rows of a channel.
    #[inline(always)]
    fn weight_of(&self, channel: usize) -> &'a [f32] {
        let len = self.channels.size * self.sizes[2];
        &self.weight[channel * len..][..len]
    }

    /// `x · weight + bias`, `[batch, out_features]`, or the larger of that and 0.
    pub(crate) fn forward(&self, isa: Isa, bias: Option<&[f32]>, relu: bool) -> Recycled {
        let [batch, _, outputs] = self.sizes;
        let firsts: Vec<usize> = (0..outputs).step_by(COLUMNS).collect();
        let columns = |first: usize| first..outputs.min(first + COLUMNS);
        let pieces: Vec<Recycled> = firsts
            .par_iter()
            .map(|&first| {
                let columns = columns(first);
                let mut y = Recycled::any(batch * columns.len());
                for row in y.chunks_exact_mut(columns.len()) {
                    match bias {
                        Some(bias) => row.copy_from_slice(&bias[columns.clone()]),
                        None => row.fill(0.0),
                    }
                }
                isa.run(ForwardPiece { operands: self, first, y: &mut y });
                y
            })
            .collect();
        let mut y = Recycled::any(batch * outputs);
        for (piece, &first) in pieces.iter().zip(&firsts) {
            let columns = columns(first);
            let rows = piece.chunks_exact(columns.len());
            for (to, from) in y.chunks_exact_mut(outputs).zip(rows) {
                to[columns.clone()].copy_from_slice(from);
            }
        }
        if relu {
            // The comparison is false for NaN, which stays.
            y.iter_mut().for_each(|y| *y = if *y <= 0.0 { 0.0 } else { *y });
        }
        y
    }

    /// The gradients of `x` and `weight` from that of the output before ReLU. That of a channel of
    /// zeros is 0. What is not wanted is empty.
    pub(crate) fn backward(&self, isa: Isa, grad: &[f32], wanted: [bool; 2]) -> [Recycled; 2] {
        let [batch, features, outputs] = self.sizes;
        let size = self.channels.size;
        let len = |wanted: bool, len: usize| if wanted { len } else { 0 };
        let mut dw = Recycled::any(len(wanted[1], features * outputs));
        let mut of_channels: Vec<&mut [f32]> = match wanted[1] {
            true => dw.chunks_exact_mut(size * outputs).collect(),
            false => self.channels.images.iter().map(|_| Default::default()).collect(),
        };
        let gathered: Vec<Recycled> = of_channels
            .par_iter_mut()
            .enumerate()
            .map(|(channel, dw)| {
                let images = &self.channels.images[channel];
                let mut dx = Recycled::any(len(wanted[0], images.len() * size));
                isa.run(BackwardChannel { operands: self, channel, grad, dx: &mut dx, dw });
                dx
            })
            .collect();
        let mut dx = Recycled::any(len(wanted[0], batch * features));
        let mut next = vec![0; gathered.len()];
        for (image, row) in dx.chunks_exact_mut(features).enumerate() {
            for (channel, to) in row.chunks_exact_mut(size).enumerate() {
                let next = &mut next[channel];
                if self.channels.images[channel].get(*next) == Some(&image) {
                    to.copy_from_slice(&gathered[channel][*next * size..][..size]);
                    *next += 1;
                } else {
                    to.fill(0.0);
                }
            }
        }
        [dx, dw]
    }
}

/// Copies `width` numbers from `first` on of the rows of these images, which are `row` numbers apart.
#[inline(always)]
fn gather(from: &[f32], row: usize, [first, width]: [usize; 2], images: &[usize], to: &mut [f32]) {
    for i in 0..images.len() {
        let from = &from[images[i] * row + first..][..width];
        to[i * width..][..width].copy_from_slice(from);
    }
}

/// Some columns of the output, `[batch, columns]`, to which the product is added.
struct ForwardPiece<'a> {
    operands: &'a Operands<'a>,
    first: usize,
    y: &'a mut [f32],
}

impl Task for ForwardPiece<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Operands { channels, sizes: [batch, features, outputs], x, .. } = *self.operands;
        if batch == 0 {
            return;
        }
        let (size, columns) = (channels.size, self.y.len() / batch);
        let mut rows = Aligned::any(batch * size);
        let mut sums = Aligned::any(batch * columns);
        for channel in 0..channels.images.len() {
            let images = &channels.images[channel][..];
            let count = images.len();
            gather(x, features, [channel * size, size], images, &mut rows);
            let weight = &self.operands.weight_of(channel)[self.first..];
            let weight = Matrix::spaced(weight, [size, columns], outputs);
            let product = Product::new(Matrix::new(&rows[..count * size], [count, size]), weight);
            // SAFETY: this runs where the processor has `S`.
            unsafe { product.write_here::<S>(&mut sums, columns) };
            for i in 0..count {
                let to = &mut self.y[images[i] * columns..][..columns];
                let from = &sums[i * columns..][..columns];
                for column in 0..columns {
                    to[column] += from[column];
                }
            }
        }
    }
}

/// The gradients of one channel: of its features, `[images that are not zero, size]`, and of its rows
/// of the weight. What is not wanted is empty.
struct BackwardChannel<'a> {
    operands: &'a Operands<'a>,
    channel: usize,
    /// Of the whole output.
    grad: &'a [f32],
    dx: &'a mut [f32],
    dw: &'a mut [f32],
}

impl Task for BackwardChannel<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Operands { channels, sizes: [_, features, outputs], x, .. } = *self.operands;
        let images = &channels.images[self.channel][..];
        let (size, count) = (channels.size, images.len());
        let mut grad = Aligned::any(count * outputs);
        gather(self.grad, outputs, [0, outputs], images, &mut grad);
        let grad = Matrix::new(&grad, [count, outputs]);
        // SAFETY: this runs where the processor has `S`.
        unsafe {
            if !self.dx.is_empty() {
                let weight = Matrix::new(self.operands.weight_of(self.channel), [size, outputs]);
                Product::new(grad, weight.transposed()).write_here::<S>(self.dx, size);
            }
            if !self.dw.is_empty() {
                let mut rows = Aligned::any(count * size);
                gather(x, features, [self.channel * size, size], images, &mut rows);
                let rows = Matrix::new(&rows, [count, size]);
                Product::new(rows.transposed(), grad).write_here::<S>(self.dw, outputs);
            }
        }
    }
}

#[cfg(test)]
mod tests;
