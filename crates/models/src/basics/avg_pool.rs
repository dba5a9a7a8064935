use burn::tensor::Tensor;

use super::Window;
use super::sides::Pool;
use crate::Sides;

/// The mean of each window; the padding is zeros, which count as pixels if `count_include_pad` says so.
///
/// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`, as many as
/// [`Window::positions`] says; with `ceil_mode`, sizes round up: a last window may reach over the border,
/// if it begins within the image or the padding on its left, and its mean is that of what it covers.
///
/// # Panics
///
/// Panics if the padding is more than half the kernel, or as [`Window::positions`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::{Window, avg_pool2d};
///
/// let image = Tensor::<4>::from_data([[[[1.0, 5.0, 4.0]]]], &Device::flex());
/// let window = Window::new(1).with_stride(2);
/// let pooled = avg_pool2d(image, window, false, true);
/// assert_eq!(pooled.into_data().try_to_vec::<f32>()?, [1.0, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn avg_pool2d(
    x: Tensor<4>,
    window: Window,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let Window { kernel, stride, padding } = window;
    assert!(padding <= kernel / 2, "padding {padding} is more than half the window, {kernel}");
    let places = |size: usize| {
        let whole = window.positions(size);
        let reaches_over = !(size + 2 * padding - kernel).is_multiple_of(stride);
        whole + usize::from(ceil_mode && reaches_over && whole * stride < size + padding)
    };
    let places = [height, width].map(places);
    let [kernel, stride, padding] = [kernel, stride, padding].map(Sides::from);
    Pool { kernel, stride, padding, places }.mean(x, count_include_pad)
}
