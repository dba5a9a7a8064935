//! PyTorch's adaptive average pool for sizes that its result does not divide.
//!
//! ONNX has no such operation, and `AveragePool` knows windows of one size only, while those of the
//! adaptive pool differ by a pixel, overlap, and repeat pixels where the image is smaller than the
//! result. The mean over a rectangle is however the mean over its rows of the means along its
//! columns, so that two products with constant matrices, `rows · image · columns`, give it for every
//! size: each line of `rows` holds 1 / n for the n rows of a window.

use std::ops::Range;

/// The pixels of window `i` of `windows` over `size` pixels: ⌊i · size / windows⌋ up to
/// ⌈(i + 1) · size / windows⌉, as PyTorch cuts them.
fn window(i: usize, size: usize, windows: usize) -> Range<usize> {
    i * size / windows..((i + 1) * size).div_ceil(windows)
}

/// `[windows, height]`: what to multiply an image with from the left.
pub(super) fn rows(height: usize, windows: usize) -> Vec<f32> {
    let mut of = vec![0.0; windows * height];
    for i in 0..windows {
        let window = window(i, height, windows);
        let share = 1.0 / window.len() as f32;
        of[i * height..][window].fill(share);
    }
    of
}

/// `[width, windows]`: what to multiply an image with from the right.
pub(super) fn columns(width: usize, windows: usize) -> Vec<f32> {
    let mut of = vec![0.0; width * windows];
    for i in 0..windows {
        let window = window(i, width, windows);
        let share = 1.0 / window.len() as f32;
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
