//! Passes over a batch `[image, channel, pixel]` that normalize every channel, and their gradient.

use rayon::prelude::*;

use super::moments::{Batch, CHANNELS};
use crate::cpu::activation::{activated, passed};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;
use crate::ops::FusedActivation;

/// Normalization of every channel as one multiplication and one addition.
pub(crate) struct Affine {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
    pub mean: Vec<f32>,
    /// 1 / √(variance + ε)
    pub inverse_deviation: Vec<f64>,
}

impl Affine {
    pub(crate) fn new(
        gamma: &[f32],
        beta: &[f32],
        mean: &[f32],
        variance: &[f32],
        epsilon: f64,
    ) -> Self {
        let inverse = |v: &f32| 1.0 / (f64::from(*v) + epsilon).sqrt();
        let inverse_deviation: Vec<f64> = variance.iter().map(inverse).collect();
        let scale = gamma.iter().zip(&inverse_deviation).map(|(g, i)| (f64::from(*g) * i) as f32);
        let scale: Vec<f32> = scale.collect();
        Affine { scale, shift: beta.to_vec(), mean: mean.to_vec(), inverse_deviation }
    }
}

/// What all passes share.
#[derive(Clone, Copy)]
pub(crate) struct Normalize<'a> {
    pub isa: Isa,
    pub batch: Batch,
    pub affine: &'a Affine,
    /// What follows.
    pub activation: FusedActivation,
}

impl Normalize<'_> {
    /// The normalized values.
    pub(crate) fn output(&self, x: &[f32]) -> Recycled {
        let Normalize { isa, batch, affine, activation } = *self;
        let mut y = Recycled::any(x.len());
        let image = batch.image();
        let images = y.par_chunks_exact_mut(image).zip(x.par_chunks_exact(image));
        threads::for_each(images, |(y, x)| {
            isa.run(AffineImage { plane: batch.plane, x, y, affine, activation });
        });
        y
    }

    /// The sums of every channel over the gradient of the output.
    pub(crate) fn gradient_sums(&self, x: &[f32], grad: &[f32]) -> Vec<Sums> {
        let Normalize { isa, batch, affine, activation } = *self;
        let channels = batch.channels;
        let found = batch.each_image::<f32, 2>(|image, to| {
            let [x, grad] =
                [x, grad].map(|values| &values[image * batch.image()..][..batch.image()]);
            isa.run(ImageSums { batch, x, grad, to, affine, activation });
        });
        let mut sums = vec![Sums::default(); channels];
        threads::for_each(sums.par_chunks_mut(CHANNELS).enumerate(), |(chunk, sums)| {
            isa.run(Join { channels, found: &found, first: chunk * CHANNELS, sums });
        });
        sums
    }

    /// The gradient of the input.
    pub(crate) fn input_gradient(&self, x: &[f32], grad: &[f32], sums: &[Sums]) -> Recycled {
        let Normalize { isa, batch, affine, activation } = *self;
        let n = batch.per_channel() as f64;
        // dx = scale · (g − Σg / n − (x − mean) / (variance + ε) · Σ g (x − mean) / n)
        let of_channel = |(sums, inverse): (&Sums, &f64)| {
            [-(sums.gradients / n) as f32, -(sums.products / n * inverse * inverse) as f32]
        };
        let constants: Vec<[f32; 2]> =
            sums.iter().zip(&affine.inverse_deviation).map(of_channel).collect();
        let (constants, plane) = (&constants[..], batch.plane);
        let mut dx = Recycled::any(x.len());
        let image = batch.image();
        threads::for_each(dx.par_chunks_exact_mut(image).enumerate(), |(index, dx)| {
            let (x, grad) = (&x[index * image..][..image], &grad[index * image..][..image]);
            isa.run(GradientImage { plane, x, grad, dx, affine, constants, activation });
        });
        dx
    }
}

struct AffineImage<'a> {
    plane: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    affine: &'a Affine,
    activation: FusedActivation,
}

/// (x − mean) · scale + shift of one vector: the same operations in both directions, so that an activation is
/// open in the one exactly where it is open in the other.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn normalized<S: Simd>(x: S::V, minus_mean: S::V, scale: S::V, shift: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { S::fma(S::add(x, minus_mean), scale, shift) }
}

impl Task for AffineImage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for channel in 0..self.affine.scale.len() {
            let x = &self.x[channel * self.plane..][..self.plane];
            let y = &mut self.y[channel * self.plane..][..self.plane];
            let (x, y) = (x.as_ptr(), y.as_mut_ptr());
            // SAFETY: `each_vector` stays within the plane, and its buffers are `LANES` long.
            unsafe {
                let minus_mean = S::splat(-self.affine.mean[channel]);
                let scale = S::splat(self.affine.scale[channel]);
                let shift = S::splat(self.affine.shift[channel]);
                let mut at = 0;
                while at < self.plane {
                    let tail = Tail::<S>::at(at, self.plane);
                    let v = normalized::<S>(tail.load(x), minus_mean, scale, shift);
                    tail.store(y, activated::<S>(self.activation, v));
                    at += S::LANES;
                }
            }
        }
    }
}

/// A vector of a plane, of which the last may be shorter.
struct Tail<S: Simd> {
    at: usize,
    len: usize,
    simd: std::marker::PhantomData<S>,
}

impl<S: Simd> Tail<S> {
    /// The vector at `at` of a plane of `plane` elements.
    #[inline(always)]
    fn at(at: usize, plane: usize) -> Self {
        let left = plane - at;
        let len = if left < S::LANES { left } else { S::LANES };
        Tail { at, len, simd: std::marker::PhantomData }
    }

    /// Its elements, and zeros behind them.
    ///
    /// # Safety
    ///
    /// The processor has `S`; the plane at `from` is as long as was said.
    #[inline(always)]
    unsafe fn load(&self, from: *const f32) -> S::V {
        let from = from.wrapping_add(self.at);
        // SAFETY: the elements lie in the plane; `LANES` is at most 16.
        unsafe {
            if self.len == S::LANES {
                return S::load(from);
            }
            let mut buffer = [0.0_f32; 16];
            for i in 0..self.len {
                buffer[i] = *from.wrapping_add(i);
            }
            S::load(buffer.as_ptr())
        }
    }

    /// Writes its elements.
    ///
    /// # Safety
    ///
    /// As for [`load`](Self::load), for writing.
    #[inline(always)]
    unsafe fn store(&self, to: *mut f32, v: S::V) {
        let to = to.wrapping_add(self.at);
        // SAFETY: as in `load`.
        unsafe {
            if self.len == S::LANES {
                return S::store(to, v);
            }
            let mut buffer = [0.0_f32; 16];
            S::store(buffer.as_mut_ptr(), v);
            for i in 0..self.len {
                *to.wrapping_add(i) = buffer[i];
            }
        }
    }
}

/// Sums over a channel, of the gradients that the activation lets through.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    /// Their sum.
    pub gradients: f64,
    /// The sum of their products with x − mean.
    pub products: f64,
}

/// The sums of the pieces of an image: for each piece of a plane those of the gradients of all channels, then those of
/// the products.
struct ImageSums<'a> {
    batch: Batch,
    x: &'a [f32],
    grad: &'a [f32],
    to: &'a mut [f32],
    affine: &'a Affine,
    activation: FusedActivation,
}

impl Task for ImageSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (affine, Batch { channels, plane, .. }) = (self.affine, self.batch);
        let mut first = 0;
        for to in self.to.chunks_exact_mut(2 * channels) {
            let len = self.batch.piece(first);
            let (gradients, products) = to.split_at_mut(channels);
            for channel in 0..channels {
                let at = channel * plane + first;
                let (x, grad) = (&self.x[at..][..len], &self.grad[at..][..len]);
                let piece = PieceSums { x, grad, affine, channel, activation: self.activation };
                // SAFETY: the caller's promise.
                (gradients[channel], products[channel]) = unsafe { piece.sums::<S>() };
            }
            first += len;
        }
    }
}

/// Adds the sums of all pieces of a few channels.
struct Join<'a> {
    channels: usize,
    /// As [`ImageSums`] leaves them.
    found: &'a [f32],
    /// The first of the channels.
    first: usize,
    sums: &'a mut [Sums],
}

impl Task for Join<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let count = self.sums.len();
        let (mut gradients, mut products) = ([0.0_f64; CHANNELS], [0.0_f64; CHANNELS]);
        let (gradients, products) = (&mut gradients[..count], &mut products[..count]);
        for piece in self.found.chunks_exact(2 * self.channels) {
            let of_gradients = &piece[self.first..][..count];
            let of_products = &piece[self.channels + self.first..][..count];
            for channel in 0..count {
                gradients[channel] += f64::from(of_gradients[channel]);
                products[channel] += f64::from(of_products[channel]);
            }
        }
        for channel in 0..count {
            self.sums[channel] =
                Sums { gradients: gradients[channel], products: products[channel] };
        }
    }
}

/// A piece of a plane with its gradient.
struct PieceSums<'a> {
    x: &'a [f32],
    grad: &'a [f32],
    affine: &'a Affine,
    channel: usize,
    activation: FusedActivation,
}

impl PieceSums<'_> {
    /// The sum of the gradients that the activation lets through, and that of their products with x − mean.
    ///
    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn sums<S: Simd>(self) -> (f32, f32) {
        let (affine, channel, len) = (self.affine, self.channel, self.x.len());
        assert_eq!(len, self.grad.len(), "values and gradients of a piece");
        let (x, grad) = (self.x.as_ptr(), self.grad.as_ptr());
        // SAFETY: the vectors lie in both slices; what is behind their end counts as zero gradients.
        unsafe {
            let zero = S::splat(0.0);
            let minus_mean = S::splat(-affine.mean[channel]);
            let scale = S::splat(affine.scale[channel]);
            let shift = S::splat(affine.shift[channel]);
            let (mut gradients, mut products) = (zero, zero);
            let mut at = 0;
            while at < len {
                let tail = Tail::<S>::at(at, len);
                let (x, mut grad) = (tail.load(x), tail.load(grad));
                if self.activation != FusedActivation::None {
                    let y = normalized::<S>(x, minus_mean, scale, shift);
                    grad = passed::<S>(self.activation, y, grad);
                }
                gradients = S::add(gradients, grad);
                products = S::fma(grad, S::add(x, minus_mean), products);
                at += S::LANES;
            }
            (S::sum(gradients), S::sum(products))
        }
    }
}

struct GradientImage<'a> {
    plane: usize,
    x: &'a [f32],
    grad: &'a [f32],
    dx: &'a mut [f32],
    affine: &'a Affine,
    constants: &'a [[f32; 2]],
    activation: FusedActivation,
}

impl Task for GradientImage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let affine = self.affine;
        for channel in 0..affine.scale.len() {
            let x = self.x[channel * self.plane..][..self.plane].as_ptr();
            let grad = self.grad[channel * self.plane..][..self.plane].as_ptr();
            let dx = self.dx[channel * self.plane..][..self.plane].as_mut_ptr();
            // SAFETY: the vectors lie in the planes of this channel.
            unsafe {
                let zero = S::splat(0.0);
                let minus_mean = S::splat(-affine.mean[channel]);
                let scale = S::splat(affine.scale[channel]);
                let shift = S::splat(affine.shift[channel]);
                let [constant, slope] = self.constants[channel];
                let (constant, slope) = (S::splat(constant), S::splat(slope));
                let mut at = 0;
                while at < self.plane {
                    let tail = Tail::<S>::at(at, self.plane);
                    let (x, mut grad) = (tail.load(x), tail.load(grad));
                    if self.activation != FusedActivation::None {
                        let y = normalized::<S>(x, minus_mean, scale, shift);
                        grad = passed::<S>(self.activation, y, grad);
                    }
                    let projected = S::fma(S::add(x, minus_mean), slope, constant);
                    tail.store(dx, S::fma(S::add(grad, projected), scale, zero));
                    at += S::LANES;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
