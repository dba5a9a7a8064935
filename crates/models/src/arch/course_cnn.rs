use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::{Architecture, MaxPool};

/// Convolutional networks of course work on MNIST and Fashion-MNIST, each for `[channels, height,
/// width]` images and any number of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CourseCnn {
    /// `[channels, height, width]` of an image.
    #[serde(default = "grey_28")]
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
}

impl CourseCnn {
    /// For 28 × 28 grey images.
    pub fn new(classes: usize) -> Self {
        Self { input: grey_28(), classes }
    }

    /// The same networks for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// 16 channels (5 × 5) and 32 (3 × 3), ReLU and max-pool 2 after each; 128 hidden features.
    pub fn mnist_cnn(&self) -> Architecture {
        let blocks = [(16, 5, 0), (32, 3, 0)];
        self.plain("mnist_cnn", &blocks, 128)
    }

    /// 32 and 64 channels (5 × 5, padding 2), ReLU and max-pool 2 after each; 256 hidden features.
    pub fn mnist_cnn2(&self) -> Architecture {
        let blocks = [(32, 5, 2), (64, 5, 2)];
        self.plain("mnist_cnn2", &blocks, 256)
    }

    fn plain(&self, name: &str, blocks: &[(usize, usize, usize)], hidden: usize) -> Architecture {
        let mut net = Architecture::new(name, self.input);
        for (i, &(channels, kernel, padding)) in blocks.iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, kernel, padding).relu().max_pool(2);
        }
        net.flatten().linear("fc1", hidden).relu().linear("fc2", self.classes)
    }

    /// Four blocks of convolution (5 × 5, padding 2), batch normalization and ReLU with 16, 32, 64
    /// and 128 channels; max-pool 2 after the third, max-pool 3 with stride 1 after the fourth.
    pub fn mnist_cnn3(&self, dropout: f64) -> Architecture {
        let mut net = Architecture::new("mnist_cnn3", self.input);
        for (i, channels) in [16, 32, 64, 128].into_iter().enumerate() {
            let layer = format!("layer{}", i + 1);
            net = net
                .conv(&format!("{layer}.0"), channels, 5, 2)
                .batch_norm(&format!("{layer}.1"))
                .relu();
            net = match i {
                2 => net.max_pool(2),
                3 => net.max_pool(MaxPool::new(3).stride(1)),
                _ => net,
            };
        }
        net = net.flatten();
        if dropout != 0.0 {
            net = net.dropout(dropout);
        }
        net.linear("fc1", self.classes)
    }

    /// Convolutions (3 × 3) with batch normalization, ReLU and dropout: 16, 32 and 32 channels with
    /// padding 1, max-pool 2, 64 channels without; 128 hidden features.
    pub fn bn_cnn(&self, dropout: f64) -> Architecture {
        let mut net = Architecture::new("bn_cnn", self.input);
        for (i, (channels, padding)) in [(16, 1), (32, 1), (32, 1), (64, 0)].into_iter().enumerate()
        {
            if i == 3 {
                net = net.max_pool(2);
            }
            let n = i + 1;
            net = net.conv(&format!("conv{n}"), channels, 3, padding);
            net = net.batch_norm(&format!("bn{n}")).relu();
            if i < 3 && dropout != 0.0 {
                net = net.dropout(dropout);
            }
        }
        net.flatten().linear("fc1", 128).relu().linear("fc2", self.classes)
    }

    /// Four convolutions (5 × 5, padding 1) with ReLU and 10, 20, 40 and 64 channels, one max-pool
    /// 2, and 256 hidden features.
    pub fn fashion_cnn(&self) -> Architecture {
        let mut net = Architecture::new("fashion_cnn", self.input);
        for (i, channels) in [10, 20, 40, 64].into_iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, 5, 1).relu();
        }
        net.max_pool(2).flatten().linear("fc1", 256).relu().linear("fc2", self.classes)
    }
}
