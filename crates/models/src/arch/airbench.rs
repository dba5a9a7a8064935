use serde::{Deserialize, Serialize};

use super::conv;
use crate::{Architecture, BatchNorm, Conv, MaxPool, Op};

/// The network with which Jordan ("94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498) reaches 94
/// % of CIFAR-10's test images after ten epochs: a convolution of 2 × 2 pixels that
/// [whitens](crate::Network::whiten) them, three blocks of two convolutions, and logits that are made smaller. Layers
/// have the names of its published program, but for the whitening and the blocks, which are numbers there.
///
/// It is meant to be trained with [`Initialization::PyTorchDirac`](crate::Initialization::PyTorchDirac), and with
/// [`FROZEN`](Self::FROZEN): the whitening and the scales of normalizations do not learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Airbench {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Channels of the three blocks.
    pub channels: [usize; 3],
    /// What logits are multiplied by.
    pub logit_scale: f64,
    /// Number of classes.
    pub classes: usize,
}

impl Default for Airbench {
    /// `airbench94`: 64, 256 and 256 channels for ten classes of 32 × 32 colour images.
    fn default() -> Self {
        Self {
            name: "airbench94".into(),
            input: [3, 32, 32],
            channels: [64, 256, 256],
            logit_scale: 1.0 / 9.0,
            classes: 10,
        }
    }
}

impl Airbench {
    /// `airbench93`: 64, 128 and 128 channels, which reach 93 % with half of the multiplications.
    pub fn airbench93() -> Self {
        Self { name: "airbench93".into(), channels: [64, 128, 128], ..Self::default() }
    }

    /// The parameters that do not learn, as a [pattern](crate::NamePattern).
    pub const FROZEN: &str = "whiten.weight, *.norm1.weight, *.norm2.weight";

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The same network for another number of classes.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        Self { classes, ..self }
    }

    /// The same network with other numbers of channels.
    #[must_use]
    pub fn with_channels(self, channels: [usize; 3]) -> Self {
        Self { channels, ..self }
    }

    /// The network as data.
    pub fn architecture(&self) -> Architecture {
        let patch = self.input[0] * 4;
        let mut net = Architecture::new(&self.name, self.input)
            .layer("whiten", Conv::new(2 * patch, 2))
            .op(Op::Gelu { approximate: Default::default() });
        for (block, channels) in (1..).zip(self.channels) {
            let name = |layer: &str| format!("block{block}.{layer}");
            let norm = || BatchNorm::new().epsilon(1e-12).momentum(0.4);
            net = net
                .layer(name("conv1"), conv(channels, 3, 1))
                .max_pool(2)
                .layer(name("norm1"), norm())
                .op(Op::Gelu { approximate: Default::default() })
                .layer(name("conv2"), conv(channels, 3, 1))
                .layer(name("norm2"), norm())
                .op(Op::Gelu { approximate: Default::default() });
        }
        let head = Op::Linear { out_features: self.classes, bias: false };
        // What the three pools before have left of an image, which the whitening makes a pixel smaller.
        let [_, height, width] = self.input.map(|side| side.saturating_sub(1) / 8);
        let last = MaxPool::new([height, width]).stride([height, width]);
        net.max_pool(last).flatten().layer("head", head).op(Op::Scale { factor: self.logit_scale })
    }
}
