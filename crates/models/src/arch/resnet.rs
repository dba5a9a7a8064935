use serde::{Deserialize, Serialize};

use super::conv;
use crate::error::require_28_pixels;
use crate::{Architecture, MaxPool, ModelError, Op};

/// How a [`ResNet`] begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// For small images: a convolution of 3 × 3 with stride 1; at the end the largest value of each
    /// channel.
    Cifar,
    /// The same with the mean of each channel at the end: torchvision's network with `conv1` replaced and
    /// `maxpool = Identity()`, the usual one for CIFAR. Its weights have the names and shapes of
    /// [`Cifar`](Self::Cifar)'s, and give other outputs there.
    CifarAverage,
    /// torchvision's: a convolution of 7 × 7 with stride 2 and max-pool 3 with stride 2; at the end
    /// the mean of each channel.
    ImageNet,
}

/// What the paths of a [`ResNet`] are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Two convolutions of 3 × 3.
    #[default]
    Basic,
    /// A convolution of 1 × 1, one of 3 × 3, which has the stride, and one of 1 × 1 to four times as many
    /// channels: torchvision's form, known as version 1.5.
    Bottleneck,
}

/// A residual network (He et al., 2016) with torchvision's parameter names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNet {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image, from 28 × 28 up.
    pub input: [usize; 3],
    /// Blocks in each of the four stages of 64, 128, 256 and 512 channels; four times as many come out of
    /// bottlenecks.
    pub blocks: [usize; 4],
    /// What the blocks are made of; basic ones where a file does not say.
    #[serde(default)]
    pub block: Block,
    /// How it begins and ends.
    pub stem: Stem,
    /// Number of classes.
    pub classes: usize,
}

impl ResNet {
    /// ResNet-18 for 32 × 32 colour images with the largest value of each channel at the end.
    pub fn resnet18_cifar(classes: usize) -> Self {
        let name = "resnet18_cifar".into();
        let block = Block::Basic;
        Self { name, input: [3, 32, 32], blocks: [2; 4], block, stem: Stem::Cifar, classes }
    }

    /// ResNet-18 for 32 × 32 colour images as most train it: with the mean of each channel at the end.
    pub fn resnet18_cifar_avg(classes: usize) -> Self {
        let name = "resnet18_cifar_avg".into();
        Self { name, stem: Stem::CifarAverage, ..Self::resnet18_cifar(classes) }
    }

    /// torchvision's ResNet-18, for 224 × 224 colour images.
    pub fn resnet18(classes: usize) -> Self {
        let name = "resnet18".into();
        let (input, block) = ([3, 224, 224], Block::Basic);
        Self { name, input, blocks: [2; 4], block, stem: Stem::ImageNet, classes }
    }

    /// torchvision's ResNet-34, for 224 × 224 colour images.
    pub fn resnet34(classes: usize) -> Self {
        let name = "resnet34".into();
        Self { name, blocks: [3, 4, 6, 3], ..Self::resnet18(classes) }
    }

    /// torchvision's ResNet-50, for 224 × 224 colour images.
    pub fn resnet50(classes: usize) -> Self {
        let name = "resnet50".into();
        Self { name, block: Block::Bottleneck, ..Self::resnet34(classes) }
    }

    /// The same network with another beginning and end; [`Stem::CifarAverage`] for small images.
    ///
    /// ```
    /// use selvedge_models::{ResNet, Shape, Stem};
    ///
    /// // ResNet-50 for MNIST.
    /// let net = ResNet::resnet50(10).with_stem(Stem::CifarAverage).with_input([1, 28, 28]);
    /// assert_eq!(net.architecture()?.output_shape()?, Shape::Features(10));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn with_stem(self, stem: Stem) -> Self {
        Self { stem, ..self }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for images smaller than 28 × 28.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        require_28_pixels(self.input)?;
        let mut net = Architecture::new(&self.name, self.input);
        net = match self.stem {
            Stem::Cifar | Stem::CifarAverage => {
                net.layer("conv1", conv(64, 3, 1)).batch_norm("bn1").relu()
            }
            Stem::ImageNet => net
                .layer("conv1", conv(64, 7, 2))
                .batch_norm("bn1")
                .relu()
                .max_pool(MaxPool::new(3).stride(2).padding(1)),
        };
        let mut in_channels = 64;
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let channels = 64 << stage;
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", stage + 1);
                net = self.block.add_to(net, &name, [in_channels, channels], stride).relu();
                in_channels = channels * self.block.expansion();
            }
        }
        net = match self.stem {
            Stem::Cifar => {
                // Three stages halve the image, rounding up.
                let [_, height, width] = self.input;
                let side = height.min(width).div_ceil(8);
                net.max_pool(side)
            }
            Stem::CifarAverage | Stem::ImageNet => net.adaptive_avg_pool(1),
        };
        Ok(net.flatten().linear("fc", self.classes))
    }
}

impl Block {
    /// How many times its channels come out of it.
    fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    /// The network with this block: beside its convolutions the input, or a convolution of 1 × 1 where sizes
    /// change.
    fn add_to(
        self,
        net: Architecture,
        name: &str,
        [in_channels, channels]: [usize; 2],
        stride: usize,
    ) -> Architecture {
        let out_channels = channels * self.expansion();
        let main = |main: Architecture| match self {
            Self::Basic => main
                .layer("conv1", conv(channels, 3, stride))
                .batch_norm("bn1")
                .layer("relu", Op::Relu)
                .layer("conv2", conv(channels, 3, 1))
                .batch_norm("bn2"),
            Self::Bottleneck => main
                .layer("conv1", conv(channels, 1, 1))
                .batch_norm("bn1")
                .layer("relu1", Op::Relu)
                .layer("conv2", conv(channels, 3, stride))
                .batch_norm("bn2")
                .layer("relu2", Op::Relu)
                .layer("conv3", conv(out_channels, 1, 1))
                .batch_norm("bn3"),
        };
        let shortcut = |path: Architecture| match stride == 1 && in_channels == out_channels {
            true => path,
            false => {
                path.layer("downsample.0", conv(out_channels, 1, stride)).batch_norm("downsample.1")
            }
        };
        net.residual(name, main, shortcut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn any_size_from_28_up_gives_one_logit_a_class_with_any_stem() {
        for size in [28, 29, 32, 33, 40, 64, 224] {
            for net in [ResNet::resnet18(7), ResNet::resnet34(7), ResNet::resnet50(7)] {
                for stem in [Stem::Cifar, Stem::CifarAverage, Stem::ImageNet] {
                    let net = net.clone().with_stem(stem).with_input([1, size, size]);
                    let net = net.architecture().unwrap();
                    let output = net.output_shape().unwrap();
                    assert_eq!(output, Shape::Features(7), "{} {stem:?} {size}", net.name);
                }
            }
        }
    }

    #[test]
    fn a_file_from_before_there_were_bottlenecks_is_read() {
        let text = r#"{"name": "resnet18", "input": [3, 224, 224], "blocks": [2, 2, 2, 2],
            "stem": "image_net", "classes": 10}"#;
        let net: ResNet = serde_json::from_str(text).unwrap();
        assert_eq!(net, ResNet::resnet18(10));
    }

    #[test]
    fn smaller_images_are_refused() {
        let error = ResNet::resnet18(10).with_input([3, 28, 27]).architecture().unwrap_err();
        assert_eq!(error.to_string(), "image size is 28 × 27, but must be at least 28 × 28");
    }
}
