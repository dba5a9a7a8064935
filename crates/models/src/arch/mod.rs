//! Architectures: networks as data.

mod airbench;
mod architecture;
mod autoencoder;
mod builder;
mod catalog;
mod cnn;
mod course_cnn;
mod efficientnet_lite;
mod json;
mod lenet;
mod mlp;
mod mobilenet;
mod names;
mod op;
mod op_shape;
mod padding;
mod preact_resnet;
mod resize;
mod resnet;
mod settings;
mod shape;
mod sides;
mod summary;
mod transfer_cnn;
mod vgg;

pub use airbench::Airbench;
pub use architecture::{Architecture, Layer};
pub use autoencoder::{ConvAutoencoder, LinearAutoencoder};
pub use catalog::{catalog, named};
pub use cnn::Cnn;
pub use course_cnn::CourseCnn;
pub use efficientnet_lite::EfficientNetLite;
pub use lenet::LeNet5;
pub use mlp::{HiddenActivation, Mlp};
pub use mobilenet::MobileNetV2;
pub(crate) use names::{clash, is_inside};
pub use op::{GeluApproximation, Op};
pub use padding::Padding;
pub use preact_resnet::{PreActNames, PreActResNet};
pub use resnet::{Block, ResNet, Stem};
pub use settings::{AvgPool, BatchNorm, Conv, ConvTranspose, MaxPool};
pub use shape::Shape;
pub use sides::Sides;
pub use summary::{Summary, SummaryRow};
pub use transfer_cnn::TransferCnn;
pub use vgg::Vgg;

/// `[channels, height, width]` of an image of MNIST or Fashion-MNIST.
fn grey_28() -> [usize; 3] {
    [1, 28, 28]
}

/// The probability of dropout, and of stochastic depth, that networks of inverted bottlenecks come with.
fn fifth() -> f64 {
    0.2
}

/// A convolution without a bias that keeps the size but for its stride.
fn conv(out_channels: usize, kernel: usize, stride: usize) -> Conv {
    Conv::new(out_channels, kernel).stride(stride).padding(kernel / 2).without_bias()
}
