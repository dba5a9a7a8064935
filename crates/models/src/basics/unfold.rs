use burn::tensor::{Tensor, s};

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its side, in pixels.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Rows and columns added on every side of the image.
    pub padding: usize,
}

impl Window {
    /// A window of `kernel` × `kernel` pixels that moves by one; no padding.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, padding: 0 }
    }

    /// The same window with another step.
    #[must_use]
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// The same window on an image with a frame.
    #[must_use]
    pub fn with_padding(self, padding: usize) -> Self {
        Self { padding, ..self }
    }

    /// How many windows fit along a side of `size` pixels: ⌊(size + 2·padding - kernel) / stride⌋ + 1.
    ///
    /// # Panics
    ///
    /// Panics if the kernel or the stride is 0, or if not even one window fits.
    ///
    /// ```
    /// use selvedge_models::basics::Window;
    ///
    /// assert_eq!(Window::new(3).positions(28), 26);
    /// assert_eq!(Window::new(3).with_padding(1).positions(28), 28);
    /// assert_eq!(Window::new(2).with_stride(2).positions(7), 3);
    /// ```
    pub fn positions(self, size: usize) -> usize {
        let Self { kernel, stride, padding } = self;
        assert!(kernel > 0 && stride > 0, "kernel {kernel} and stride {stride} must be at least 1");
        let padded = size + 2 * padding;
        assert!(kernel <= padded, "kernel {kernel} is larger than the padded image, {padded}");
        (padded - kernel) / stride + 1
    }
}

/// Every window of every image as a column; PyTorch's `unfold`, known as im2col.
///
/// `[batch, channels, height, width]` to `[batch, channels · kernel², windows]`. Row
/// (c · kernel + i) · kernel + j has the pixel in row i and column j of channel c of each window; the
/// windows are counted from left to right, then from top to bottom. The padding holds `fill`.
///
/// # How
///
/// The pixel at (i, j) of all windows together is the image itself, moved by (i, j) and, with a
/// stride, thinned out: one slice. There are kernel² of them.
///
/// # Panics
///
/// As [`Window::positions`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::{Window, unfold};
///
/// // One image of 1 × 3 pixels. In a frame of zeros, a window of 3 × 3 has three places.
/// let row = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0]]]], &Device::flex());
/// let columns = unfold(row, Window::new(3).with_padding(1), 0.0);
/// assert_eq!(columns.dims(), [1, 9, 3]);
/// // The middle row of the window sees 0 1 2, then 1 2 3, then 2 3 0.
/// let middle = columns.slice([0..1, 3..6]).into_data().try_to_vec::<f32>()?;
/// assert_eq!(middle, [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unfold(x: Tensor<4>, window: Window, fill: f32) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    let [rows, columns] = [height, width].map(|size| window.positions(size));
    let Window { kernel, stride, padding } = window;
    let x = pad(x, [padding; 4], fill);
    let mut shifted = Vec::with_capacity(kernel * kernel);
    for i in 0..kernel {
        for j in 0..kernel {
            // From the first window's pixel to the last one's.
            let down = i..i + (rows - 1) * stride + 1;
            let right = j..j + (columns - 1) * stride + 1;
            shifted.push(x.clone().slice(s![.., .., down; stride, right; stride]));
        }
    }
    let windows: Tensor<5> = Tensor::stack(shifted, 2); // [batch, channels, kernel², rows, columns]
    windows.reshape([batch, channels * kernel * kernel, rows * columns])
}

/// Puts images of `[batch, channels, height, width]` into a frame of `fill`, `[top, bottom, left, right]` rows
/// and columns.
pub(super) fn pad(x: Tensor<4>, sides: [usize; 4], fill: f32) -> Tensor<4> {
    if sides == [0; 4] {
        return x;
    }
    let ([batch, channels, height, width], [top, bottom, left, right]) = (x.dims(), sides);
    let shape = [batch, channels, top + height + bottom, left + width + right];
    let inside = s![.., .., top..top + height, left..left + width];
    Tensor::full(shape, fill, &x.device()).slice_assign(inside, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, shapes, values};
    use burn::tensor::{module::unfold4d, ops::UnfoldOptions};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

        #[test]
        fn columns_and_gradients_are_those_of_the_framework(
            (shape, window) in shapes(|_| 2),
            seed: u64,
        ) {
            let Window { kernel, stride, padding } = window;
            let inputs = [values(shape.iter().product(), seed)];
            assert_same(
                &inputs,
                |t| unfold(t[0].clone().reshape(shape), window, 0.0).flatten(0, 2),
                |t| {
                    let options =
                        UnfoldOptions::new([stride; 2], [padding; 2], [1; 2]);
                    unfold4d(t[0].clone().reshape(shape), [kernel; 2], options).flatten(0, 2)
                },
            );
        }
    }

    #[test]
    #[should_panic(expected = "kernel 5 is larger than the padded image, 4")]
    fn a_kernel_larger_than_the_padded_image_is_refused() {
        Window::new(5).with_padding(1).positions(2);
    }

    #[test]
    #[should_panic(expected = "kernel 2 and stride 0 must be at least 1")]
    fn a_stride_of_zero_is_refused() {
        Window::new(2).with_stride(0).positions(2);
    }
}
