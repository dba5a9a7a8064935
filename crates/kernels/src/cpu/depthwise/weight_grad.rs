//! The gradient of the kernels.

use rayon::prelude::*;

use super::frame::{Frame, Sizes};
use crate::cpu::memory::Aligned;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// The gradient of the kernels, `[channels, 1, kernel height, kernel width]`: for each entry the sum over
/// all outputs of their gradients times the pixels that the entry meets, image after image.
pub(crate) fn weight_grad(isa: Isa, sizes: &Sizes, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let area = sizes.kernel[0] * sizes.kernel[1];
    let mut result = vec![0.0; sizes.channels * area];
    let frame = &Frame::of_input(sizes, isa.lanes());
    threads::for_each(result.par_chunks_mut(area).enumerate(), |(channel, to)| {
        isa.run(Channel { sizes, frame, channel, x, grad, to });
    });
    result
}

/// All planes of a channel.
struct Channel<'a> {
    sizes: &'a Sizes,
    frame: &'a Frame,
    channel: usize,
    x: &'a [f32],
    grad: &'a [f32],
    to: &'a mut [f32],
}

impl Task for Channel<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (frame, Sizes { batch, channels, .. }) = (self.frame, *self.sizes);
        let [source, output] = frame.plane_lens();
        let [rows, width] = frame.output;
        let grad_len = width.next_multiple_of(S::LANES);
        let mut framed = frame.zeros();
        // Rows of whole vectors: what follows a row's end is 0, and counts nothing.
        let mut grads = Aligned::zeros(rows * grad_len);
        for image in 0..batch {
            let plane = image * channels + self.channel;
            frame.fill(&self.x[plane * source..][..source], &mut framed);
            let grad = &self.grad[plane * output..][..output];
            for row in 0..rows {
                grads[row * grad_len..][..width].copy_from_slice(&grad[row * width..][..width]);
            }
            for (row, to) in self.to.chunks_exact_mut(frame.offsets.len()).enumerate() {
                let products =
                    Products { frame, framed: &framed, grads: &grads, grad_len, row, to };
                // SAFETY: this runs where the processor has `S`.
                unsafe {
                    match frame.offsets.len() {
                        3 => S::enter(Together::<3>(products)),
                        5 => S::enter(Together::<5>(products)),
                        7 => S::enter(Together::<7>(products)),
                        _ => S::enter(Together::<1>(products)),
                    }
                }
            }
        }
    }
}

/// The products of a plane with one row of the kernel.
struct Products<'a> {
    frame: &'a Frame,
    framed: &'a [f32],
    grads: &'a [f32],
    grad_len: usize,
    row: usize,
    to: &'a mut [f32],
}

/// The same, `K` entries of the row at a time.
struct Together<'a, const K: usize>(Products<'a>);

impl<const K: usize> Task for Together<'_, K> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Products { frame, framed, grads, grad_len, row, to } = self.0;
        let rows = frame.output[0];
        assert!(framed.len() >= frame.rows * frame.row_len && grads.len() >= rows * grad_len);
        assert!(to.len() == frame.offsets.len() && to.len().is_multiple_of(K));
        let mut first = 0;
        while first < to.len() {
            // SAFETY: this runs where the processor has `S`.
            let mut sums = [unsafe { S::splat(0.0) }; K];
            for y in 0..rows {
                let from = (y * frame.row_step + row) * frame.row_len;
                let mut column = 0;
                while column < grad_len {
                    // SAFETY: rows of gradients are whole vectors, and `Frame::new` leaves a vector's length
                    // behind every offset of the last one.
                    unsafe {
                        let grad = S::load(grads.as_ptr().wrapping_add(y * grad_len + column));
                        for k in 0..K {
                            let at = from + column + frame.offsets[first + k];
                            let pixels = S::load(framed.as_ptr().wrapping_add(at));
                            sums[k] = S::fma(grad, pixels, sums[k]);
                        }
                    }
                    column += S::LANES;
                }
            }
            for k in 0..K {
                // SAFETY: this runs where the processor has `S`.
                to[first + k] += unsafe { S::sum(sums[k]) };
            }
            first += K;
        }
    }
}
