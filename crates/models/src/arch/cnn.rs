use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::Architecture;

/// A convolutional network of 2, 3 or 5 blocks: convolution 3 × 3, ReLU, max-pool 2 and channel
/// dropout, then two linear layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cnn {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image.
    #[serde(default = "grey_28")]
    pub input: [usize; 3],
    /// Channels after each convolution.
    pub channels: Vec<usize>,
    /// Padding of every convolution.
    pub padding: usize,
    /// Features of the hidden linear layer.
    pub hidden: usize,
    /// Number of classes.
    pub classes: usize,
    /// Probability of channel dropout; 0 leaves it out.
    #[serde(default)]
    pub dropout: f64,
    /// Whether dropout also follows the last block.
    #[serde(default)]
    pub dropout_after_last: bool,
}

impl Cnn {
    fn new(name: &str, channels: &[usize], classes: usize) -> Self {
        Self {
            name: name.into(),
            input: grey_28(),
            channels: channels.to_vec(),
            padding: 1,
            hidden: 50,
            classes,
            dropout: 0.0,
            dropout_after_last: false,
        }
    }

    /// Two narrow blocks, 10 and 20 channels: the first network of an introductory course.
    pub fn cnn2_small(classes: usize) -> Self {
        Self::new("cnn2_small", &[10, 20], classes)
    }

    /// Two blocks, 20 and 40 channels.
    pub fn cnn2(classes: usize) -> Self {
        Self::new("cnn2", &[20, 40], classes)
    }

    /// Three blocks, 10, 50 and 20 channels.
    pub fn cnn3(classes: usize) -> Self {
        Self::new("cnn3", &[10, 50, 20], classes)
    }

    /// Five blocks of 10, 50, 40, 30 and 20 channels with padding 3, which keeps the maps from
    /// vanishing; dropout also follows the last block.
    pub fn cnn5(classes: usize) -> Self {
        Self {
            padding: 3,
            dropout_after_last: true,
            ..Self::new("cnn5", &[10, 50, 40, 30, 20], classes)
        }
    }

    /// The same network with channel dropout.
    #[must_use]
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data; parameters are `conv1` …, `fc1` and `fc2`.
    pub fn architecture(&self) -> Architecture {
        let mut net = Architecture::new(&self.name, self.input);
        for (i, &channels) in self.channels.iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, 3, self.padding).relu().max_pool(2);
            let last = i + 1 == self.channels.len();
            if self.dropout != 0.0 && (!last || self.dropout_after_last) {
                net = net.channel_dropout(self.dropout);
            }
        }
        net.flatten().linear("fc1", self.hidden).relu().linear("fc2", self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn flat_sizes_are_the_published_ones() {
        for (cnn, flat) in [
            (Cnn::cnn2_small(5), 980),
            (Cnn::cnn2(5), 1960),
            (Cnn::cnn3(5), 180),
            (Cnn::cnn5(5), 320),
        ] {
            let shapes = cnn.architecture().shapes().unwrap();
            assert!(shapes.contains(&Shape::Features(flat)), "{}: {shapes:?}", cnn.name);
        }
    }

    #[test]
    fn dropout_follows_every_pool_but_the_last_unless_asked() {
        let count = |cnn: Cnn| {
            let net = cnn.with_dropout(0.25).architecture();
            net.layers.iter().filter(|l| l.name.starts_with("channel_dropout")).count()
        };
        assert_eq!([count(Cnn::cnn2(5)), count(Cnn::cnn3(5)), count(Cnn::cnn5(5))], [1, 2, 5]);
    }
}
