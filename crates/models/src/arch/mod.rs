//! Architectures: networks as data.

mod architecture;
mod autoencoder;
mod catalog;
mod cnn;
mod convnets;
mod mlp;
mod op;
mod resnet;
mod summary;
mod transfer_cnn;
mod vgg;

pub use architecture::{Architecture, Layer};
pub use autoencoder::{ConvAutoencoder, LinearAutoencoder};
pub use catalog::{catalog, named};
pub use cnn::Cnn;
pub use convnets::ConvNet;
pub use mlp::{HiddenActivation, Mlp};
pub use op::{Op, Shape};
pub use resnet::{ResNet, Stem};
pub use summary::{Summary, SummaryRow};
pub use transfer_cnn::TransferCnn;
pub use vgg::Vgg;
