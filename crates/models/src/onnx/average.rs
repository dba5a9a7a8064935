//! PyTorch's adaptive average pool for sizes that its result does not divide.
//!
//! ONNX has no such operation, and `AveragePool` knows windows of one size only, while those of the
//! adaptive pool differ by a pixel, overlap, and repeat pixels where the image is smaller than the
//! result. The mean over a rectangle is however the mean over its rows of the means along its
//! columns, so that two products with constant matrices, `rows · image · columns`, give it for every
//! size: each line of `rows` holds 1 / n for the n rows of a window.

use std::ops::Range;

/// The pixels of window `i` of `windows` over `size` pixels, ⌊i · size / windows⌋ up to
/// ⌈(i + 1) · size / windows⌉, as PyTorch cuts them, and the share of each.
fn shares(i: usize, size: usize, windows: usize) -> (Range<usize>, f32) {
    let window = i * size / windows..((i + 1) * size).div_ceil(windows);
    let share = 1.0 / window.len() as f32;
    (window, share)
}

/// `[windows, height]`: what to multiply an image with from the left.
pub(super) fn rows(height: usize, windows: usize) -> Vec<f32> {
    by_rows(height, windows, |i| shares(i, height, windows))
}

/// `[width, windows]`: what to multiply an image with from the right.
pub(super) fn columns(width: usize, windows: usize) -> Vec<f32> {
    by_columns(width, windows, |i| shares(i, width, windows))
}

/// An average pool whose windows may reach over the border, as matrices: what a window divides by is the
/// product of a number of rows and one of columns.
#[derive(Clone, Copy)]
pub(super) struct Pool {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub count_include_pad: bool,
}

impl Pool {
    /// `[windows, height]`: what to multiply an image with from the left.
    pub fn rows(self, height: usize, windows: usize) -> Vec<f32> {
        by_rows(height, windows, |i| self.shares(i, height))
    }

    /// `[width, windows]`: what to multiply an image with from the right.
    pub fn columns(self, width: usize, windows: usize) -> Vec<f32> {
        by_columns(width, windows, |i| self.shares(i, width))
    }

    /// The pixels of window `i` over `size` pixels, and the share of each. PyTorch does not count what is
    /// beyond the padding.
    fn shares(self, i: usize, size: usize) -> (Range<usize>, f32) {
        let Self { kernel, stride, padding, count_include_pad } = self;
        let begin = i * stride;
        let padded = begin..(begin + kernel).min(size + 2 * padding);
        let inside = begin.max(padding) - padding..(begin + kernel - padding).min(size);
        let count = if count_include_pad { padded.len() } else { inside.len() };
        (inside, 1.0 / count as f32)
    }
}

fn by_rows(
    height: usize,
    windows: usize,
    shares: impl Fn(usize) -> (Range<usize>, f32),
) -> Vec<f32> {
    let mut of = vec![0.0; windows * height];
    for i in 0..windows {
        let (window, share) = shares(i);
        of[i * height..][window].fill(share);
    }
    of
}

fn by_columns(
    width: usize,
    windows: usize,
    shares: impl Fn(usize) -> (Range<usize>, f32),
) -> Vec<f32> {
    let mut of = vec![0.0; width * windows];
    for i in 0..windows {
        let (window, share) = shares(i);
        window.for_each(|x| of[x * windows + i] = share);
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_as_pytorch_cuts_them() {
        // torch.nn.functional.adaptive_avg_pool1d(torch.eye(5), 3).T, and of eye(2)
        let (third, half) = (1.0 / 3.0, 0.5);
        #[rustfmt::skip]
        let of = vec![
            half, half, 0.0, 0.0, 0.0,
            0.0, third, third, third, 0.0,
            0.0, 0.0, 0.0, half, half,
        ];
        assert_eq!(rows(5, 3), of);
        let of = vec![1.0, 0.5, 0.0, 0.0, 0.5, 1.0];
        assert_eq!(columns(2, 3), of);
    }
}
