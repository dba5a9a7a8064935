use serde::{Deserialize, Serialize};

use super::fifth;
use crate::{Architecture, BatchNorm, Conv, ModelError, Op, Padding};

/// A stage of inverted bottlenecks: how many times wider the blocks are inside, the channels that come out
/// of it, its blocks, the stride of the first one, and the side of the kernels.
struct Stage {
    expansion: usize,
    channels: usize,
    blocks: usize,
    stride: usize,
    kernel: usize,
}

const fn stage(
    expansion: usize,
    channels: usize,
    blocks: usize,
    stride: usize,
    kernel: usize,
) -> Stage {
    Stage { expansion, channels, blocks, stride, kernel }
}

const STAGES: [Stage; 7] = [
    stage(1, 16, 1, 1, 3),
    stage(6, 24, 2, 2, 3),
    stage(6, 40, 2, 2, 5),
    stage(6, 80, 3, 2, 3),
    stage(6, 112, 3, 1, 5),
    stage(6, 192, 4, 2, 5),
    stage(6, 320, 1, 1, 3),
];

/// EfficientNet-Lite0 (Liu, 2020, after Tan and Le, 2019): inverted bottlenecks with ReLU6 and without
/// squeeze-and-excite, 4.7 million parameters. Official accuracy on ImageNet: 75.1 %.
///
/// Parameters have the names of the Python package `efficientnet-lite-pytorch`. Padding is TensorFlow's
/// `SAME`, so that it depends on the size of the images, and ε and the momentum of batch normalizations
/// are TensorFlow's, 1e-3 and 0.01 in PyTorch's way of counting. timm's `tf_efficientnet_lite0` computes the same;
/// its `efficientnet_lite0` does not and is [`timm_lite0`](Self::timm_lite0).
///
/// ```
/// use selvedge_models::EfficientNetLite;
///
/// let net = EfficientNetLite::lite0(1000).architecture()?;
/// assert_eq!(net.summary()?.parameters(), 4_652_008);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetLite {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Probability of dropout before the last layer; the package's is 0.2.
    #[serde(default = "fifth")]
    pub dropout: f64,
    /// Probability of stochastic depth beyond the last block, towards which it grows from 0 at the first
    /// one; the package's `drop_connect_rate` is 0.2.
    #[serde(default = "fifth")]
    pub stochastic_depth: f64,
    /// Whether it is the network that timm calls `efficientnet_lite0`, with timm's names: images are padded by
    /// the same on both sides, and ε and the momentum of batch normalizations are PyTorch's.
    #[serde(default)]
    pub timm: bool,
}

impl EfficientNetLite {
    /// EfficientNet-Lite0, for 224 × 224 colour images.
    pub fn lite0(classes: usize) -> Self {
        Self {
            name: "efficientnet_lite0".into(),
            input: [3, 224, 224],
            classes,
            dropout: fifth(),
            stochastic_depth: fifth(),
            timm: false,
        }
    }

    /// The network that timm calls `efficientnet_lite0`, for 224 × 224 colour images. It has the parameters of
    /// [`lite0`](Self::lite0) under timm's names; what it computes from them is something else.
    pub fn timm_lite0(classes: usize) -> Self {
        Self { name: "efficientnet_lite0_timm".into(), timm: true, ..Self::lite0(classes) }
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
    /// [`ModelError`] of [`Architecture::shapes`] for an input without pixels.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        let [_, height, width] = self.input;
        let mut parts = Parts { timm: self.timm, size: [height, width] };
        let [stem, stem_norm, head, head_norm, classifier] = match self.timm {
            false => ["_conv_stem", "_bn0", "_conv_head", "_bn1", "_fc"],
            true => ["conv_stem", "bn1", "conv_head", "bn2", "classifier"],
        };
        let mut net = Architecture::new(&self.name, self.input)
            .layer(stem, parts.conv(32, 3, 2))
            .layer(stem_norm, parts.norm())
            .op(Op::Relu6);
        let all_blocks = STAGES.iter().map(|stage| stage.blocks).sum::<usize>() as f64;
        let (mut in_channels, mut index) = (32, 0);
        for (s, Stage { expansion, channels, blocks, stride, kernel }) in
            STAGES.into_iter().enumerate()
        {
            for b in 0..blocks {
                let block = Block {
                    name: match self.timm {
                        false => format!("_blocks.{index}"),
                        true => format!("blocks.{s}.{b}"),
                    },
                    channels: [in_channels, in_channels * expansion, channels],
                    kernel,
                    stride: if b == 0 { stride } else { 1 },
                    stochastic_depth: self.stochastic_depth * index as f64 / all_blocks,
                };
                net = block.add_to(net, &mut parts);
                (in_channels, index) = (channels, index + 1);
            }
        }
        let net = net
            .layer(head, parts.conv(1280, 1, 1))
            .layer(head_norm, parts.norm())
            .op(Op::Relu6)
            .layer("_avg_pooling", Op::AdaptiveAvgPool2d { size: 1 })
            .flatten()
            .layer("_dropout", Op::Dropout { probability: self.dropout })
            .linear(classifier, self.classes);
        net.shapes()?;
        Ok(net)
    }
}

/// An inverted bottleneck (Sandler et al., 2018).
struct Block {
    name: String,
    /// That come in, that are inside, that come out.
    channels: [usize; 3],
    kernel: usize,
    stride: usize,
    stochastic_depth: f64,
}

impl Block {
    /// The network with this block; beside the input where nothing changes.
    fn add_to(self, net: Architecture, parts: &mut Parts) -> Architecture {
        let [in_channels, _, out_channels] = self.channels;
        if self.stride != 1 || in_channels != out_channels {
            return self.layers(net, &format!("{}.", self.name), parts);
        }
        let main = |main| {
            let main = self.layers(main, "", parts);
            match self.stochastic_depth {
                0.0 => main,
                probability => main.op(Op::StochasticDepth { probability }),
            }
        };
        net.residual(&self.name, main, |shortcut| shortcut)
    }

    fn layers(&self, mut net: Architecture, prefix: &str, parts: &mut Parts) -> Architecture {
        let [in_channels, inside, out_channels] = self.channels;
        let expands = inside != in_channels;
        let [expand, norm0, depthwise, norm1, project, norm2] = match (parts.timm, expands) {
            (false, _) => {
                ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
            }
            (true, true) => ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"],
            (true, false) => ["", "", "conv_dw", "bn1", "conv_pw", "bn2"],
        }
        .map(|name| format!("{prefix}{name}"));
        if expands {
            let conv = parts.conv(inside, 1, 1);
            net = net.layer(expand, conv).layer(norm0, parts.norm()).op(Op::Relu6);
        }
        net.layer(depthwise, parts.conv(inside, self.kernel, self.stride).groups(inside))
            .layer(norm1, parts.norm())
            .op(Op::Relu6)
            .layer(project, parts.conv(out_channels, 1, 1))
            .layer(norm2, parts.norm())
    }
}

/// What the layers are made of.
struct Parts {
    /// Whether names, padding and normalization are timm's.
    timm: bool,
    /// The height and width of the images that reach the next convolution.
    size: [usize; 2],
}

impl Parts {
    fn conv(&mut self, out_channels: usize, kernel: usize, stride: usize) -> Conv {
        let padding = match self.timm {
            false => Padding::same(self.size, kernel, stride),
            true => Padding::from(kernel / 2),
        };
        // The same for either padding, as kernels are odd.
        self.size = self.size.map(|side| side.div_ceil(stride));
        Conv::new(out_channels, kernel).stride(stride).padding(padding).without_bias()
    }

    fn norm(&self) -> BatchNorm {
        match self.timm {
            false => BatchNorm::new().epsilon(1e-3).momentum(0.01),
            true => BatchNorm::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Shape};

    #[test]
    fn any_size_gives_one_logit_a_class() {
        for size in [[28, 28], [32, 32], [97, 64], [224, 224], [1, 1]] {
            let net = EfficientNetLite::lite0(7).with_input([1, size[0], size[1]]);
            let net = net.architecture().unwrap();
            assert_eq!(net.output_shape().unwrap(), Shape::Features(7), "{size:?}");
        }
    }

    #[test]
    fn padding_is_that_of_the_package() {
        // print(b._depthwise_conv.static_padding) of EfficientNet.from_name('efficientnet-lite0'), blocks 1
        // and 3: ZeroPad2d((0, 1, 0, 1)), ZeroPad2d((1, 2, 1, 2)).
        let net = EfficientNetLite::lite0(7).architecture().unwrap();
        let padding = |name: &str| {
            let Layer { op: Op::Conv2d { padding, .. }, .. } =
                net.layers.iter().find(|layer| layer.name == name).unwrap()
            else {
                panic!("a convolution")
            };
            padding.sides()
        };
        assert_eq!(padding("_blocks.1._depthwise_conv"), [0, 1, 0, 1]);
        assert_eq!(padding("_blocks.3._depthwise_conv"), [1, 2, 1, 2]);
    }
}
