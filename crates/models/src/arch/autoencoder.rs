use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::Architecture;

/// A convolutional autoencoder for 28 × 28 grey images, and the classifier that shares its encoder.
///
/// The encoder is two convolutions of 5 × 5 with ReLU and max-pool 2; the decoder doubles the image
/// and applies a transposed convolution and ReLU, twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvAutoencoder {
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Channels after each convolution of the encoder.
    pub channels: Vec<usize>,
    /// Side of every kernel.
    pub kernel: usize,
}

impl Default for ConvAutoencoder {
    /// 1→10→20 channels, kernels of 5 × 5.
    fn default() -> Self {
        Self { input: grey_28(), channels: vec![10, 20], kernel: 5 }
    }
}

impl ConvAutoencoder {
    /// The same networks for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The autoencoder as data; parameters are `conv1` …, `t_conv1` ….
    pub fn architecture(&self) -> Architecture {
        let mut net = Architecture::new("conv_autoencoder", self.input);
        for (i, &channels) in self.channels.iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, self.kernel, 0).relu().max_pool(2);
        }
        let back = self.channels.iter().rev().skip(1).copied().chain([self.input[0]]);
        for (i, out_channels) in back.enumerate() {
            let name = format!("t_conv{}", i + 1);
            net = net.upsample(2).conv_transpose(&name, out_channels, self.kernel).relu();
        }
        net
    }

    /// A classifier whose convolutions have the names and shapes of the encoder's, so that they can
    /// be transferred; each is followed by max-pool 2 and ReLU, then come `fc1` with `hidden`
    /// features and `fc2`.
    pub fn classifier(&self, hidden: usize, classes: usize) -> Architecture {
        let mut net = Architecture::new("encoder_cnn", self.input);
        for (i, &channels) in self.channels.iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, self.kernel, 0).max_pool(2).relu();
        }
        net.flatten().linear("fc1", hidden).relu().linear("fc2", classes)
    }
}

/// An autoencoder of linear layers with ReLU after each, and the classifier that shares its encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearAutoencoder {
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Features after each layer of the encoder; the decoder mirrors them.
    pub widths: Vec<usize>,
}

impl Default for LinearAutoencoder {
    /// 784-392-196-98-32 and back.
    fn default() -> Self {
        Self { input: grey_28(), widths: vec![392, 196, 98, 32] }
    }
}

impl LinearAutoencoder {
    /// The same networks for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The autoencoder as data; parameters are `encoder1` … and `decoder1` ….
    pub fn architecture(&self) -> Architecture {
        let pixels = self.input.iter().product();
        let back = self.widths.iter().rev().skip(1).copied().chain([pixels]);
        let mut net = self.encoder("linear_autoencoder");
        for (i, features) in back.enumerate() {
            net = net.linear(&format!("decoder{}", i + 1), features).relu();
        }
        net
    }

    /// A classifier on the encoder: its layers, `fc1` with `hidden` features, ReLU and `fc2`.
    pub fn classifier(&self, hidden: usize, classes: usize) -> Architecture {
        let net = self.encoder("linear_encoder_classifier");
        net.linear("fc1", hidden).relu().linear("fc2", classes)
    }

    fn encoder(&self, name: &str) -> Architecture {
        let mut net = Architecture::new(name, self.input).flatten();
        for (i, &features) in self.widths.iter().enumerate() {
            net = net.linear(&format!("encoder{}", i + 1), features).relu();
        }
        net
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn an_image_comes_out_of_the_convolutional_autoencoder() {
        let net = ConvAutoencoder::default().architecture();
        assert_eq!(net.output_shape().unwrap(), Shape::Images([1, 28, 28]));
    }

    #[test]
    fn as_many_values_come_out_of_the_linear_autoencoder_as_went_in() {
        let net = LinearAutoencoder::default().architecture();
        assert_eq!(net.output_shape().unwrap(), Shape::Features(784));
    }
}
