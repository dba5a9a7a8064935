//! Architectures: networks as data.

mod architecture;
mod autoencoder;
mod builder;
mod catalog;
mod cnn;
mod course_cnn;
mod json;
mod mlp;
mod names;
mod op;
mod resize;
mod resnet;
mod settings;
mod summary;
mod transfer_cnn;
mod vgg;

pub use architecture::{Architecture, Layer};
pub use autoencoder::{ConvAutoencoder, LinearAutoencoder};
pub use catalog::{catalog, named};
pub use cnn::Cnn;
pub use course_cnn::CourseCnn;
pub use mlp::{HiddenActivation, Mlp};
pub(crate) use names::{clash, is_inside};
pub use op::{Op, Shape};
pub use resnet::{ResNet, Stem};
pub use settings::{Conv, MaxPool};
pub use summary::{Summary, SummaryRow};
pub use transfer_cnn::TransferCnn;
pub use vgg::Vgg;

/// `[channels, height, width]` of an image of MNIST or Fashion-MNIST.
fn grey_28() -> [usize; 3] {
    [1, 28, 28]
}
