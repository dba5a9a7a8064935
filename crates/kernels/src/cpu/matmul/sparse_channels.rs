//! Products of a linear layer whose input has channels of zeros, as channel dropout leaves them.
//!
//! Channel by channel, the images that are not zero there are gathered: the products are then dense
//! ones of fewer rows.

use rayon::prelude::*;

use super::long::LONG;
use super::matrix::{Matrix, relu};
use super::product::Product;
use crate::cpu::memory::{Aligned, Recycled};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::split::SPLIT_WORK;
use crate::cpu::threads;

/// Features of a channel below which its product is too short for what it takes to gather it.
const MIN_FEATURES: usize = 32;

/// The share of channels that has to be zero, as one of so many.
const MIN_ZEROS: usize = 10;

/// Outputs of a layer below which its products take hardly longer than to gather what goes into them.
const MIN_OUTPUTS: usize = 64;

/// Outputs that are computed together: their sums stay in the second-level cache.
const COLUMNS: usize = 128;

/// What their number is a multiple of: the columns of the widest block of an ordinary product.
const PIECE_COLUMNS: usize = 16;

/// Those channels of some images that are not zero.
#[derive(Clone, Debug)]
pub(crate) struct SparseChannels {
    /// Features of a channel, which are adjacent.
    size: usize,
    channels: Vec<Channel>,
    /// The features of all of them, channel by channel; and room for the others, because memory that is
    /// of the same size in every step is recycled.
    features: Recycled,
}

#[derive(Clone, Debug)]
struct Channel {
    /// The images that are not zero here, in their order.
    images: Vec<usize>,
    /// Such images of the channels before.
    first: usize,
}

impl SparseChannels {
    /// The channels of `x`, `[batch, features]`, each of `size` features, if leaving out those of zeros
    /// is worth it.
    ///
    /// # Panics
    ///
    /// Panics if the features are not a multiple of `size`.
    pub(crate) fn find(x: &[f32], [_, features, outputs]: [usize; 3], size: usize) -> Option<Self> {
        assert!(size > 0 && features.is_multiple_of(size), "{features} features of {size} each");
        // Longer sums are taken with totals in double precision.
        let long = features > LONG;
        if size < MIN_FEATURES || outputs < MIN_OUTPUTS || features == 0 || long {
            return None;
        }
        let mut channels = vec![Channel { images: Vec::new(), first: 0 }; features / size];
        for (image, x) in x.chunks_exact(features).enumerate() {
            for (x, channel) in x.chunks_exact(size).zip(&mut channels) {
                if !is_zero(x) {
                    channel.images.push(image);
                }
            }
        }
        let mut found = 0;
        for channel in &mut channels {
            channel.first = found;
            found += channel.images.len();
        }
        let all = x.len() / size;
        if found == all || all - found < all / MIN_ZEROS {
            return None;
        }
        let mut gathered = Recycled::any(x.len());
        let mut to = gathered.chunks_exact_mut(size);
        for (i, channel) in channels.iter().enumerate() {
            for (image, to) in channel.images.iter().zip(&mut to) {
                to.copy_from_slice(&x[image * features + i * size..][..size]);
            }
        }
        Some(SparseChannels { size, channels, features: gathered })
    }

    /// The features of a channel, `[images that are not zero there, size]`.
    #[inline(always)]
    fn features_of(&self, channel: usize) -> Matrix<'_> {
        let Channel { images, first } = &self.channels[channel];
        let features = &self.features[first * self.size..][..images.len() * self.size];
        Matrix::new(features, [images.len(), self.size])
    }
}

/// Whether all elements are 0. Several are looked at together, as the processor can.
fn is_zero(x: &[f32]) -> bool {
    x.chunks(16).all(|some| some.iter().fold(true, |zero, &x| zero & (x == 0.0)))
}

/// The layer's operands, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub channels: &'a SparseChannels,
    /// Images, features and outputs.
    pub sizes: [usize; 3],
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
    pub(crate) fn forward(&self, isa: Isa, bias: Option<&[f32]>, with_relu: bool) -> Recycled {
        let [batch, _, outputs] = self.sizes;
        // As many as there are threads, or as keep the sums in a cache; an output is the same in any.
        let count = outputs.div_ceil(COLUMNS).max(threads::count());
        let width = outputs.div_ceil(count).next_multiple_of(PIECE_COLUMNS);
        let firsts: Vec<usize> = (0..outputs).step_by(width).collect();
        let columns = |first: usize| first..outputs.min(first + width);
        let work = self.channels.features.len() * width;
        let least = (threads::worth(SPLIT_WORK) / work.max(1)).max(1);
        let pieces = threads::map(firsts.par_iter().with_min_len(least), |&first| {
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
        });
        let mut y = Recycled::any(batch * outputs);
        for (piece, &first) in pieces.iter().zip(&firsts) {
            let columns = columns(first);
            let rows = piece.chunks_exact(columns.len());
            for (to, from) in y.chunks_exact_mut(outputs).zip(rows) {
                to[columns.clone()].copy_from_slice(from);
            }
        }
        if with_relu {
            relu(&mut y);
        }
        y
    }

    /// The gradients of `x` and `weight` from that of the output before ReLU. That of a channel of
    /// zeros is 0. What is not wanted is empty.
    pub(crate) fn backward(&self, isa: Isa, grad: &[f32], wanted: [bool; 2]) -> [Recycled; 2] {
        if wanted == [false, false] {
            return [Recycled::any(0), Recycled::any(0)];
        }
        let [batch, features, outputs] = self.sizes;
        let size = self.channels.size;
        let len = |wanted: bool, len: usize| if wanted { len } else { 0 };
        let mut dw = Recycled::any(len(wanted[1], features * outputs));
        let mut gathered = Recycled::any(len(wanted[0], batch * features));
        let mut rest = (&mut gathered[..], &mut dw[..]);
        let part = |channel: &Channel| {
            let lens = [channel.images.len() * size, size * outputs];
            let dx = rest.0.split_off_mut(..len(wanted[0], lens[0]));
            let dw = rest.1.split_off_mut(..len(wanted[1], lens[1]));
            dx.zip(dw).expect("there is room for all channels")
        };
        let parts: Vec<_> = self.channels.channels.iter().map(part).collect();
        threads::for_each(parts.into_par_iter().enumerate(), |(channel, (dx, dw))| {
            isa.run(BackwardChannel { operands: self, channel, grad, dx, dw });
        });
        let mut dx = Recycled::zeros(gathered.len());
        if wanted[0] {
            let mut gathered = gathered.chunks_exact(size);
            for (i, channel) in self.channels.channels.iter().enumerate() {
                for (image, from) in channel.images.iter().zip(&mut gathered) {
                    dx[image * features + i * size..][..size].copy_from_slice(from);
                }
            }
        }
        [dx, dw]
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
        let Operands { channels, sizes: [batch, _, outputs], .. } = *self.operands;
        if batch == 0 {
            return;
        }
        let columns = self.y.len() / batch;
        let mut sums = Aligned::any(batch * columns);
        for channel in 0..channels.channels.len() {
            let images = &channels.channels[channel].images[..];
            let weight = &self.operands.weight_of(channel)[self.first..];
            let weight = Matrix::spaced(weight, [channels.size, columns], outputs);
            let product = Product::new(channels.features_of(channel), weight);
            // SAFETY: this runs where the processor has `S`.
            unsafe { product.write_here::<S>(&mut sums, columns) };
            for i in 0..images.len() {
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
        let Operands { channels, sizes: [_, _, outputs], .. } = *self.operands;
        let images = &channels.channels[self.channel].images[..];
        let (size, count) = (channels.size, images.len());
        let mut grad = Aligned::any(count * outputs);
        for i in 0..count {
            let from = &self.grad[images[i] * outputs..][..outputs];
            grad[i * outputs..][..outputs].copy_from_slice(from);
        }
        let grad = Matrix::new(&grad, [count, outputs]);
        // SAFETY: this runs where the processor has `S`.
        unsafe {
            if !self.dx.is_empty() {
                let weight = Matrix::new(self.operands.weight_of(self.channel), [size, outputs]);
                Product::new(grad, weight.transposed()).write_here::<S>(self.dx, size);
            }
            if !self.dw.is_empty() {
                let features = channels.features_of(self.channel);
                Product::new(features.transposed(), grad).write_here::<S>(self.dw, outputs);
            }
        }
    }
}

#[cfg(test)]
mod tests;
