//! The layers of a convolutional network, made of basic tensor operations: to read, not to train with.
//!
//! Each function is its formula and nothing else, a few lines of slicing, reshaping, sums and matrix
//! products. Burn differentiates each of these steps, and so the whole: there is no backward pass to
//! write. The outputs and the gradients are those of the framework's layers up to rounding, and that
//! is tested over many shapes. What differs is time and memory, since every step writes its result
//! before the next one reads it: `cargo run --example basic_layers` measures both sides.
//!
//! | operation | how it is made | the framework's own |
//! |---|---|---|
//! | [`unfold`] | k² shifted slices of the padded images, stacked | [`burn::tensor::module::unfold4d`] |
//! | [`conv2d`] | [`unfold`], then one matrix product an image | [`burn::nn::conv::Conv2d`] |
//! | [`grouped_conv2d`] | [`unfold`], then one matrix product an image and group | [`burn::nn::conv::Conv2d`] |
//! | [`conv_transpose2d`] | [`conv2d`] with the kernel turned around | [`burn::nn::conv::ConvTranspose2d`] |
//! | [`max_pool2d`] | [`unfold`], then the largest of each window | [`burn::nn::pool::MaxPool2d`] |
//! | [`avg_pool2d`] | k² shifted slices, then the mean of each window | [`burn::nn::pool::AvgPool2d`] |
//! | [`adaptive_avg_pool2d`] | a matrix of means on the left, one on the right | [`burn::nn::pool::AdaptiveAvgPool2d`] |
//! | [`upsample`] | every row and every column repeated | [`burn::nn::interpolate::Interpolate2d`] |
//! | [`linear`] | a matrix product and a sum | [`burn::nn::Linear`] |
//! | [`batch_norm2d`], [`batch_norm2d_train`] | means over batch, height and width | [`burn::nn::BatchNorm`] |
//! | [`group_norm`], [`layer_norm`] | means over channels, or over groups of them | [`burn::nn::GroupNorm`], [`burn::nn::LayerNorm`] |
//! | [`relu`], [`relu6`], [`leaky_relu`] | masks | [`burn::tensor::activation`] |
//! | [`sigmoid`], [`silu`], [`gelu`], [`gelu_tanh`], [`hard_sigmoid`], [`hard_swish`] | their formulas | [`burn::tensor::activation`] |
//! | [`log_softmax`], [`cross_entropy`] | exp, sum, log; a gather | [`burn::nn::loss::CrossEntropyLoss`] |
//! | [`forward`](fn@forward) | all of the above, layer after layer | [`Network::forward`](crate::Network::forward) |
//!
//! # Why a convolution is a matrix product
//!
//! A convolution lays its kernel on every window of the image, multiplies what lies on top of each
//! other, and sums. Products and a sum are a dot product. So write the kernel as one row, every window
//! as one column, and the matrix product of the two has all the dot products at once:
//!
//! ```text
//!  image      kernel         the four windows
//!  1 2 3       1 2         1 2   2 3   4 5   5 6
//!  4 5 6       3 4         4 5   5 6   7 8   8 9
//!  7 8 9                    │     │     │     │
//!                           ▼     ▼     ▼     ▼
//!                        ┌  1     2     4     5  ┐
//!  [ 1  2  3  4 ]   ×    │  2     3     5     6  │   =   [ 37  47  67  77 ]   →   37 47
//!   the kernel           │  4     5     7     8  │        one number a window     67 77
//!   as a row             └  5     6     8     9  ┘
//!                          the unfolded image
//! ```
//!
//! 37 is 1·1 + 2·2 + 3·4 + 4·5. With more input channels, their windows stand below each other and
//! their kernels side by side, so that the sum runs over the channels too; more output channels are
//! more rows on the left. A kernel of k × k writes every pixel k² times, which is what this costs;
//! what it buys is that the work is left to a matrix product, the best-tuned routine there is.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use selvedge_models::basics::{Window, conv2d, unfold};
//!
//! let device = Device::flex();
//! let image = Tensor::<2>::from_data([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]], &device);
//! let image = image.reshape([1, 1, 3, 3]);
//! let columns = unfold(image.clone(), Window::new(2), 0.0);
//! let expected: [f32; 16] = [1., 2., 4., 5., 2., 3., 5., 6., 4., 5., 7., 8., 5., 6., 8., 9.];
//! assert_eq!(columns.into_data().try_to_vec::<f32>()?, expected);
//!
//! let kernel = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0]], &device).reshape([1, 1, 2, 2]);
//! let result = conv2d(image, kernel, None, 1, 0);
//! assert_eq!(result.into_data().try_to_vec::<f32>()?, [37.0, 47.0, 67.0, 77.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activations;
mod avg_pool;
mod batch_norm;
mod conv;
mod difference;
mod forward;
mod groups;
mod linear;
mod loss;
mod norms;
mod pool;
mod sides;
#[cfg(test)]
mod testing;
mod unfold;

pub use activations::{
    gelu, gelu_tanh, hard_sigmoid, hard_swish, leaky_relu, relu6, sigmoid, silu,
};
pub use avg_pool::avg_pool2d;
pub use batch_norm::{EPSILON, MOMENTUM, Running, batch_norm2d, batch_norm2d_train};
pub use conv::{conv_transpose2d, conv2d};
pub use difference::relative_difference;
pub use forward::forward;
pub use groups::{grouped_conv2d, pad2d, spread};
pub use linear::{linear, relu};
pub use loss::{cross_entropy, log_softmax};
pub use norms::{group_norm, layer_norm};
pub use pool::{adaptive_avg_pool2d, max_pool2d, upsample};
pub use unfold::{Window, unfold};
