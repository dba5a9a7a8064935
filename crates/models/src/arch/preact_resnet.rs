use serde::{Deserialize, Serialize};

use super::conv;
use crate::{Architecture, Op};

/// How the layers of a [`PreActResNet`] are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreActNames {
    /// `layer1.0.conv1`, `layer2.0.shortcut.0`, `bn`, `linear`: as in the blocks of
    /// github.com/kuangliu/pytorch-cifar.
    PytorchCifar,
    /// `block1.layer.0.conv1`, `block2.layer.0.convShortcut`, `bn1`, `fc`: as in
    /// github.com/xternalz/WideResNet-pytorch.
    WideResNet,
}

/// A residual network for CIFAR whose blocks activate first (He et al., 2016, "Identity mappings in deep
/// residual networks"): batch normalization and ReLU stand before each convolution, and once more before
/// the mean of each channel at the end. Where sizes change, the shortcut is a convolution of 1 × 1 of what
/// is activated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreActResNet {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Blocks in each of the three stages.
    pub blocks: usize,
    /// How many times wider than 16, 32 and 64 channels the stages are.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
    /// Probability of dropout between the two convolutions of a block.
    #[serde(default)]
    pub dropout: f64,
    /// How the layers are called.
    pub names: PreActNames,
}

impl PreActResNet {
    /// The pre-activated ResNet-20 for 32 × 32 colour images: three stages of three blocks, 0.27 million
    /// parameters.
    pub fn resnet20(classes: usize) -> Self {
        Self {
            name: "preact_resnet20".into(),
            input: [3, 32, 32],
            blocks: 3,
            width: 1,
            classes,
            dropout: 0.0,
            names: PreActNames::PytorchCifar,
        }
    }

    /// Wide-ResNet-16-4 (Zagoruyko and Komodakis, 2016) for 32 × 32 colour images: three stages of two
    /// blocks, four times as wide, 2.7 million parameters; the names are those of
    /// github.com/xternalz/WideResNet-pytorch.
    pub fn wide_resnet16_4(classes: usize) -> Self {
        Self {
            name: "wide_resnet16_4".into(),
            blocks: 2,
            width: 4,
            names: PreActNames::WideResNet,
            ..Self::resnet20(classes)
        }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The same network with dropout between the two convolutions of a block.
    #[must_use]
    pub fn with_dropout(self, probability: f64) -> Self {
        Self { dropout: probability, ..self }
    }

    /// The network as data.
    pub fn architecture(&self) -> Architecture {
        let mut net = Architecture::new(&self.name, self.input).layer("conv1", conv(16, 3, 1));
        let mut in_channels = 16;
        for stage in 0..3 {
            let channels = (16 << stage) * self.width;
            for block in 0..self.blocks {
                let name = match self.names {
                    PreActNames::PytorchCifar => format!("layer{}.{block}", stage + 1),
                    PreActNames::WideResNet => format!("block{}.layer.{block}", stage + 1),
                };
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                net = self.block(net, &name, [in_channels, channels], stride);
                in_channels = channels;
            }
        }
        let [norm, head] = match self.names {
            PreActNames::PytorchCifar => ["bn", "linear"],
            PreActNames::WideResNet => ["bn1", "fc"],
        };
        net.batch_norm(norm).relu().adaptive_avg_pool(1).flatten().linear(head, self.classes)
    }

    fn block(
        &self,
        net: Architecture,
        name: &str,
        [in_channels, channels]: [usize; 2],
        stride: usize,
    ) -> Architecture {
        let activate = |path: Architecture| path.batch_norm("bn1").layer("relu1", Op::Relu);
        let main = |path: Architecture| {
            let path = path
                .layer("conv1", conv(channels, 3, stride))
                .batch_norm("bn2")
                .layer("relu2", Op::Relu);
            let path = if self.dropout > 0.0 { path.dropout(self.dropout) } else { path };
            path.layer("conv2", conv(channels, 3, 1))
        };
        let shortcut = match self.names {
            PreActNames::PytorchCifar => "shortcut.0",
            PreActNames::WideResNet => "convShortcut",
        };
        match stride == 1 && in_channels == channels {
            true => net.residual(name, |path| main(activate(path)), |path| path),
            false => net.residual_after(name, activate, main, |path| {
                path.layer(shortcut, conv(channels, 1, stride))
            }),
        }
    }
}
