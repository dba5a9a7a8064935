//! Mean and variance of every channel of a batch `[image, channel, pixel]`.
//!
//! Sums are taken over pieces of a plane in `f32`, a vector at a time, and over the pieces in `f64`, in
//! the order of the images: the same bits for any number of threads. Where a piece is nearly constant, what
//! its distances from its rounded mean sum to corrects the mean.

use rayon::prelude::*;

use crate::cpu::memory::{Plain, Recycled};
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// Elements whose sum is taken in `f32`: few enough that its error is about that of one rounding, and
/// that they are still in the first-level cache when they are read again.
pub(crate) const PIECE: usize = 1024;

/// Channels whose pieces a thread puts together at a time.
pub(super) const CHANNELS: usize = 64;

/// The shape of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub images: usize,
    pub channels: usize,
    /// Pixels in a plane.
    pub plane: usize,
}

impl Batch {
    /// Elements of a channel.
    pub(crate) fn per_channel(&self) -> usize {
        self.images * self.plane
    }

    /// Elements of an image.
    pub(crate) fn image(&self) -> usize {
        self.channels * self.plane
    }

    /// The length of the piece that begins at `first` of a plane.
    pub(crate) fn piece(&self, first: usize) -> usize {
        let left = self.plane - first;
        if PIECE < left { PIECE } else { left }
    }

    /// What is found of the pieces of every image: by each thread of the images that it computes in other layers, too,
    /// and so has in its cache. `of_image` writes `VALUES` rows for each piece of a plane, with an entry for every
    /// channel.
    pub(crate) fn each_image<T: Plain + Send + Sync, const VALUES: usize>(
        &self,
        of_image: impl Fn(usize, &mut [T]) + Sync + Send,
    ) -> Recycled<T> {
        let row = self.plane.div_ceil(PIECE) * VALUES * self.channels;
        let mut found = Recycled::any(self.images * row);
        let images = found.par_chunks_exact_mut(row.max(1)).enumerate();
        threads::for_each(images, |(image, found)| of_image(image, found));
        found
    }
}

/// Mean and biased variance of every channel: first all means, then all variances.
pub(crate) fn statistics(isa: Isa, batch: Batch, x: &[f32]) -> Vec<f32> {
    let channels = batch.channels;
    let found = batch.each_image::<f64, 2>(|image, to| {
        let x = &x[image * batch.image()..][..batch.image()];
        isa.run(ImageMoments { batch, x, to });
    });
    let mut joined = vec![[0.0; 2]; channels];
    threads::for_each(joined.par_chunks_mut(CHANNELS).enumerate(), |(chunk, joined)| {
        isa.run(Join { batch, found: &found, first: chunk * CHANNELS, joined });
    });
    let [means, variances] = [0, 1].map(|k| joined.iter().map(move |moments| moments[k] as f32));
    means.chain(variances).collect()
}

/// The moments of the pieces of an image: for each piece of a plane the means of all channels, then their squares.
struct ImageMoments<'a> {
    batch: Batch,
    x: &'a [f32],
    to: &'a mut [f64],
}

impl Task for ImageMoments<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Batch { channels, plane, .. } = self.batch;
        let mut first = 0;
        for to in self.to.chunks_exact_mut(2 * channels) {
            let len = self.batch.piece(first);
            let (means, squares) = to.split_at_mut(channels);
            for channel in 0..channels {
                let x = &self.x[channel * plane + first..][..len];
                // SAFETY: the caller's promise.
                let piece = unsafe { Moments { x }.run::<S>() };
                means[channel] = piece.mean;
                squares[channel] = piece.squares;
            }
            first += len;
        }
    }
}

/// Joins the moments of all pieces of a few channels by the formula of Chan, Golub and LeVeque (1983), which subtracts
/// no large numbers from each other; in plain loops that the compiler turns into vector instructions.
struct Join<'a> {
    batch: Batch,
    /// As [`ImageMoments`] leaves them.
    found: &'a [f64],
    /// The first of the channels.
    first: usize,
    /// Mean and variance of each.
    joined: &'a mut [[f64; 2]],
}

impl Task for Join<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (channels, count) = (self.batch.channels, self.joined.len());
        let (mut means, mut squares) = ([0.0_f64; CHANNELS], [0.0_f64; CHANNELS]);
        let (means, squares) = (&mut means[..count], &mut squares[..count]);
        let mut before = 0.0;
        let mut first = 0;
        for piece in self.found.chunks_exact(2 * channels) {
            let len = self.batch.piece(first);
            let (n, total) = (len as f64, before + len as f64);
            let share = n / total;
            let of_means = &piece[self.first..][..count];
            let of_squares = &piece[channels + self.first..][..count];
            for channel in 0..count {
                let shift = of_means[channel] - means[channel];
                means[channel] += shift * share;
                squares[channel] += of_squares[channel] + shift * shift * (before * share);
            }
            before = total;
            // The first piece of an image follows the last one of that before it.
            first = if first + len == self.batch.plane { 0 } else { first + len };
        }
        for channel in 0..count {
            self.joined[channel] = [means[channel], squares[channel] / before];
        }
    }
}

/// Mean, and sum of the squared distances from it.
struct PieceMoments {
    mean: f64,
    squares: f64,
}

struct Moments<'a> {
    x: &'a [f32],
}

impl Task for Moments<'_> {
    type Output = PieceMoments;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> PieceMoments {
        let (x, len) = (self.x.as_ptr(), self.x.len());
        let whole = len / S::LANES * S::LANES;
        // SAFETY: vectors end at most at `whole`, and single elements at `len`.
        unsafe {
            let (mut even, mut odd) = (S::splat(0.0), S::splat(0.0));
            let mut at = 0;
            while at + 2 * S::LANES <= whole {
                even = S::add(even, S::load(x.wrapping_add(at)));
                odd = S::add(odd, S::load(x.wrapping_add(at + S::LANES)));
                at += 2 * S::LANES;
            }
            if at < whole {
                even = S::add(even, S::load(x.wrapping_add(at)));
            }
            let mut sum = S::sum(S::add(even, odd));
            for i in whole..len {
                sum += *x.wrapping_add(i);
            }
            let mean = sum / len as f32;
            let minus = S::splat(-mean);
            let (mut even, mut odd) = (S::splat(0.0), S::splat(0.0));
            let mut at = 0;
            while at + 2 * S::LANES <= whole {
                let distance = S::add(S::load(x.wrapping_add(at)), minus);
                even = S::fma(distance, distance, even);
                let distance = S::add(S::load(x.wrapping_add(at + S::LANES)), minus);
                odd = S::fma(distance, distance, odd);
                at += 2 * S::LANES;
            }
            if at < whole {
                let distance = S::add(S::load(x.wrapping_add(at)), minus);
                even = S::fma(distance, distance, even);
            }
            let mut squares = S::sum(S::add(even, odd));
            for i in whole..len {
                let distance = *x.wrapping_add(i) - mean;
                squares += distance * distance;
            }
            // The error of the mean is some 1e-7 of it: too much where the deviation is a tenth or less.
            if squares >= 0.01 * sum * mean || squares.is_nan() {
                return PieceMoments {
                    mean: f64::from(sum) / len as f64,
                    squares: f64::from(squares),
                };
            }
            let mut rests = S::splat(0.0);
            for at in (0..whole).step_by(S::LANES) {
                rests = S::add(rests, S::add(S::load(x.wrapping_add(at)), minus));
            }
            let mut rest = S::sum(rests);
            for i in whole..len {
                rest += *x.wrapping_add(i) - mean;
            }
            let shift = f64::from(rest) / len as f64;
            // Squares about the true mean are the smallest.
            let squares = (f64::from(squares) - f64::from(rest) * shift).max(0.0);
            PieceMoments { mean: f64::from(mean) + shift, squares }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mean_does_not_swallow_the_variance() {
        let batch = Batch { images: 3, channels: 1, plane: 5000 };
        let x: Vec<f32> = (0..15000).map(|i| 1000.0 + (i % 2) as f32).collect();
        for isa in Isa::available() {
            // Half the values are 1000, half 1001.
            let found = statistics(isa, batch, &x);
            assert_eq!(found[0], 1000.5, "{isa:?}");
            assert!((found[1] - 0.25).abs() < 1e-6, "{isa:?}: {}", found[1]);
        }
    }

    /// Mean and variance in `f64`, from two passes.
    fn exact(x: &[f32]) -> (f64, f64) {
        let count = x.len() as f64;
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let squares = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
        (mean, squares / count)
    }

    #[test]
    fn a_nearly_constant_channel_keeps_its_mean_to_the_last_bit() {
        // Divided by √(variance + 1e-5), a mean that is off by a bit of 100.1 moves results by 2e-3.
        for (value, plane) in [(0.7_f32, 1), (0.7, 49), (0.7, 784), (100.1, 1), (100.1, 784)] {
            let batch = Batch { images: 33, channels: 1, plane };
            let constant = vec![value; 33 * plane];
            let mut nearly = constant.clone();
            nearly[7] = value.next_up();
            for isa in Isa::available() {
                let found = statistics(isa, batch, &constant);
                assert!(found[0] == value && found[1] < 1e-14, "{isa:?}, {value}: {found:?}");
                let found = statistics(isa, batch, &nearly);
                let (mean, variance) = exact(&nearly);
                assert_eq!(found[0], mean as f32, "{isa:?}, {value}");
                let error = (f64::from(found[1]) - variance).abs();
                assert!(error <= 1e-6 * variance, "{isa:?}, {value}: {} {variance}", found[1]);
            }
        }
    }

    #[test]
    fn a_channel_with_a_nan_or_an_infinity_has_no_moments() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = vec![0.7; 200];
            x[123] = value;
            for isa in Isa::available() {
                let found = statistics(isa, Batch { images: 2, channels: 1, plane: 100 }, &x);
                assert!(!found[0].is_finite() && found[1].is_nan(), "{isa:?}, {value}: {found:?}");
            }
        }
    }
}
