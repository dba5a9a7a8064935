use serde::{Deserialize, Deserializer, Serialize};

use super::padding::Padding;
use super::sides::Sides;
use crate::Layer;

/// One operation of a network. Channels and features that come in follow from what stands before.
///
/// In a file, a setting that is left out has PyTorch's default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op", deny_unknown_fields)]
pub enum Op {
    /// 2-d convolution; weight `[out_channels, in_channels / groups, kernel height, kernel width]`.
    /// [`Conv`](crate::Conv) builds one.
    Conv2d {
        /// Channels that come out.
        out_channels: usize,
        /// Sides of the kernel, in pixels.
        kernel: Sides,
        /// Steps of the kernel, in pixels.
        #[serde(default = "one_each")]
        stride: Sides,
        /// Rows and columns of zeros around the image.
        #[serde(default)]
        padding: Padding,
        /// Whether a bias is added.
        #[serde(default = "yes")]
        bias: bool,
        /// Distance between the pixels that neighbouring entries of the kernel meet, in pixels.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        dilation: usize,
        /// Into how many groups the channels are divided, each with kernels of its own; as many as
        /// channels are a depthwise convolution.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
    },
    /// Transposed 2-d convolution: a side of n pixels becomes one of (n - 1) · stride - 2 · padding +
    /// dilation · (kernel - 1) + output_padding + 1; weight `[in_channels, out_channels / groups, kernel height,
    /// kernel width]`. [`ConvTranspose`](crate::ConvTranspose) builds one.
    ConvTranspose2d {
        /// Channels that come out.
        out_channels: usize,
        /// Sides of the kernel, in pixels.
        kernel: Sides,
        /// Distances between the places that neighbouring pixels are spread to, in pixels.
        #[serde(default = "one_each", skip_serializing_if = "is_one_each")]
        stride: Sides,
        /// Rows and columns that are cut off the result on both sides.
        #[serde(default = "none", skip_serializing_if = "is_none")]
        padding: Sides,
        /// Rows and columns that the result has more at its lower and right side; less than the stride or the
        /// dilation.
        #[serde(default = "none", skip_serializing_if = "is_none")]
        output_padding: Sides,
        /// Distance between the pixels that neighbouring entries of the kernel reach, in pixels.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        dilation: usize,
        /// Into how many groups the channels are divided, each with kernels of its own.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
        /// Whether a bias is added.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        bias: bool,
    },
    /// Batch normalization over each channel of images (Ioffe and Szegedy, 2015).
    /// [`BatchNorm`](crate::BatchNorm) builds one.
    BatchNorm2d {
        /// What is added to the variance.
        #[serde(default = "epsilon", skip_serializing_if = "is_epsilon")]
        epsilon: f64,
        /// How far the running statistics move towards those of a batch.
        #[serde(default = "momentum", skip_serializing_if = "is_momentum")]
        momentum: f64,
    },
    /// The same over each feature, as behind a linear layer.
    BatchNorm1d {
        /// What is added to the variance.
        #[serde(default = "epsilon", skip_serializing_if = "is_epsilon")]
        epsilon: f64,
        /// How far the running statistics move towards those of a batch.
        #[serde(default = "momentum", skip_serializing_if = "is_momentum")]
        momentum: f64,
    },
    /// Normalization over groups of channels of each image (Wu and He, 2018), with a weight and a bias
    /// a channel.
    GroupNorm {
        /// Into how many groups the channels are divided.
        groups: usize,
        /// What is added to the variance.
        #[serde(default = "epsilon", skip_serializing_if = "is_epsilon")]
        epsilon: f64,
    },
    /// Normalization over the channels of each pixel, as ConvNeXt has it, or over the features of each
    /// image (Ba et al., 2016), with a weight and a bias a channel or feature.
    LayerNorm {
        /// What is added to the variance.
        #[serde(default = "epsilon", skip_serializing_if = "is_epsilon")]
        epsilon: f64,
    },
    /// Linear layer; PyTorch's weight is `[out_features, in_features]`.
    Linear {
        /// Features that come out.
        out_features: usize,
        /// Whether a bias is added.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        bias: bool,
    },
    /// max(x, 0).
    #[serde(deserialize_with = "no_settings")]
    Relu,
    /// min(max(x, 0), 6).
    #[serde(deserialize_with = "no_settings")]
    Relu6,
    /// x above 0, `negative_slope` · x below.
    LeakyRelu {
        /// The slope below 0.
        #[serde(default = "hundredth")]
        negative_slope: f64,
    },
    /// x · Φ(x), with the normal distribution function Φ (Hendrycks and Gimpel, 2016).
    Gelu {
        /// How Φ is computed.
        #[serde(default)]
        approximate: GeluApproximation,
    },
    /// x / (1 + exp(-x)), known as swish, too.
    #[serde(deserialize_with = "no_settings")]
    Silu,
    /// x · min(max(x + 3, 0), 6) / 6 (Howard et al., 2019).
    #[serde(deserialize_with = "no_settings")]
    HardSwish,
    /// min(max(x + 3, 0), 6) / 6.
    #[serde(deserialize_with = "no_settings")]
    HardSigmoid,
    /// 1 / (1 + exp(-x)).
    #[serde(deserialize_with = "no_settings")]
    Sigmoid,
    /// The hyperbolic tangent.
    #[serde(deserialize_with = "no_settings")]
    Tanh,
    /// `factor` · x, such as logits that are made smaller for a softer start (Jordan, 2024).
    Scale {
        /// What every value is multiplied by.
        factor: f64,
    },
    /// x as it is: it keeps a name, or a place in a count, of what is left out.
    #[serde(deserialize_with = "no_settings")]
    Identity,
    /// The largest of each window. [`MaxPool`](crate::MaxPool) builds one.
    MaxPool2d {
        /// Sides of the window, in pixels.
        kernel: Sides,
        /// Steps of the window, in pixels.
        stride: Sides,
        /// Rows and columns of minus infinity added on both sides; at most half the kernel.
        #[serde(default = "none")]
        padding: Sides,
        /// Whether sizes round up: a last window may reach over the border, but not begin beyond the
        /// image and its padding on the left.
        #[serde(default, skip_serializing_if = "is_no")]
        ceil_mode: bool,
    },
    /// The mean of each window. [`AvgPool`](crate::AvgPool) builds one.
    AvgPool2d {
        /// Sides of the window, in pixels.
        kernel: Sides,
        /// Steps of the window, in pixels.
        stride: Sides,
        /// Rows and columns of zeros added on both sides; at most half the kernel.
        #[serde(default = "none")]
        padding: Sides,
        /// Whether sizes round up: a last window may reach over the border, but not begin beyond the
        /// image and its padding on the left.
        #[serde(default)]
        ceil_mode: bool,
        /// Whether zeros of the padding count as pixels.
        #[serde(default = "yes")]
        count_include_pad: bool,
    },
    /// The mean of each of `size` × `size` windows that cover the image.
    AdaptiveAvgPool2d {
        /// Side of the result, in pixels.
        size: usize,
    },
    /// Repeats every pixel `scale` times in both directions (nearest neighbour).
    Upsample {
        /// How often.
        scale: usize,
    },
    /// Sets single values to 0 while training (Srivastava et al., 2014).
    Dropout {
        /// The probability of a zero.
        probability: f64,
    },
    /// Sets whole channels to 0 while training (Tompson et al., 2015).
    ChannelDropout {
        /// The probability that a channel is 0.
        probability: f64,
    },
    /// Sets all values of an image to 0 while training, those of others are divided by 1 -
    /// `probability` (Huang et al., 2016); torchvision's mode `row`. At the end of a path of a
    /// [`Residual`](Self::Residual) it leaves the path out for this image.
    StochasticDepth {
        /// The probability that an image's values are 0.
        probability: f64,
    },
    /// `[batch, channels, height, width]` to `[batch, channels · height · width]`.
    #[serde(deserialize_with = "no_settings")]
    Flatten,
    /// The sum of two paths from the same input (He et al., 2016); an empty path is the input
    /// itself. Parameters are called `<name>.<layer>.weight`.
    Residual {
        /// What stands before both paths, as in blocks that activate first; empty in most.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<Layer>,
        /// The longer path.
        main: Vec<Layer>,
        /// The shorter path; empty where a file does not say.
        #[serde(default)]
        shortcut: Vec<Layer>,
    },
    /// The channels, or features, of several paths from the same input one after the other (Szegedy et
    /// al., 2015). Parameters are called `<name>.<layer>.weight`.
    Concat {
        /// The paths.
        branches: Vec<Vec<Layer>>,
    },
    /// The input times what a path makes of it: of the same shape, or one number a channel, as in
    /// squeeze-and-excite (Hu et al., 2018). Parameters are called `<name>.<layer>.weight`.
    Gate {
        /// The path.
        path: Vec<Layer>,
    },
}

/// How [`Op::Gelu`] is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeluApproximation {
    /// By the error function: x / 2 · (1 + erf(x / √2)).
    #[default]
    None,
    /// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
    Tanh,
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

fn one_each() -> Sides {
    1.into()
}

fn is_one_each(sides: &Sides) -> bool {
    *sides == one_each()
}

fn none() -> Sides {
    0.into()
}

fn is_none(sides: &Sides) -> bool {
    *sides == none()
}

fn yes() -> bool {
    true
}

fn is_yes(is: &bool) -> bool {
    *is
}

fn is_no(is: &bool) -> bool {
    !*is
}

/// PyTorch's ε of all normalizations.
pub(super) fn epsilon() -> f64 {
    1e-5
}

fn is_epsilon(value: &f64) -> bool {
    *value == epsilon()
}

/// PyTorch's momentum of a batch normalization.
pub(super) fn momentum() -> f64 {
    0.1
}

fn is_momentum(value: &f64) -> bool {
    *value == momentum()
}

fn hundredth() -> f64 {
    0.01
}

/// Refuses settings of an operation that has none.
fn no_settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}

    NoSettings::deserialize(deserializer).map(drop)
}

impl Op {
    /// The layers within it: those that its input reaches first, and the paths from there.
    pub(crate) fn paths(&self) -> (&[Layer], Vec<&[Layer]>) {
        match self {
            Self::Residual { before, main, shortcut } => (before, vec![main, shortcut]),
            Self::Concat { branches } => (&[], branches.iter().map(Vec::as_slice).collect()),
            Self::Gate { path } => (&[], vec![path]),
            _ => (&[], Vec::new()),
        }
    }

    /// The same with other layers on its paths, of which there are as many.
    pub(crate) fn with_paths(&self, before: Vec<Layer>, paths: Vec<Vec<Layer>>) -> Self {
        let mut paths = paths.into_iter();
        let mut next = || paths.next().expect("a layer list for each path");
        match self {
            Self::Residual { .. } => Self::Residual { before, main: next(), shortcut: next() },
            Self::Concat { .. } => Self::Concat { branches: paths.collect() },
            Self::Gate { .. } => Self::Gate { path: next() },
            op => op.clone(),
        }
    }

    /// Whether it has no parameters, nor layers that might have some.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Conv2d { .. }
            | Self::ConvTranspose2d { .. }
            | Self::BatchNorm2d { .. }
            | Self::BatchNorm1d { .. }
            | Self::GroupNorm { .. }
            | Self::LayerNorm { .. }
            | Self::Linear { .. }
            | Self::Residual { .. }
            | Self::Concat { .. }
            | Self::Gate { .. } => false,
            Self::Relu
            | Self::Relu6
            | Self::LeakyRelu { .. }
            | Self::Gelu { .. }
            | Self::Silu
            | Self::HardSwish
            | Self::HardSigmoid
            | Self::Sigmoid
            | Self::Tanh
            | Self::Scale { .. }
            | Self::Identity
            | Self::MaxPool2d { .. }
            | Self::AvgPool2d { .. }
            | Self::AdaptiveAvgPool2d { .. }
            | Self::Upsample { .. }
            | Self::Dropout { .. }
            | Self::ChannelDropout { .. }
            | Self::StochasticDepth { .. }
            | Self::Flatten => true,
        }
    }

    /// Whether it changes nothing once training is over.
    pub(crate) fn is_identity_in_inference(&self) -> bool {
        matches!(
            self,
            Self::Identity
                | Self::Dropout { .. }
                | Self::ChannelDropout { .. }
                | Self::StochasticDepth { .. }
        )
    }

    /// The first part of the name of a layer that has no better one.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "conv",
            Self::ConvTranspose2d { .. } => "t_conv",
            Self::BatchNorm2d { .. } | Self::BatchNorm1d { .. } => "bn",
            Self::GroupNorm { .. } => "gn",
            Self::LayerNorm { .. } => "ln",
            Self::Linear { .. } => "fc",
            Self::Relu => "relu",
            // A count follows.
            Self::Relu6 => "relu6_",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Gelu { .. } => "gelu",
            Self::Silu => "silu",
            Self::HardSwish => "hard_swish",
            Self::HardSigmoid => "hard_sigmoid",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Scale { .. } => "scale",
            Self::Identity => "identity",
            Self::MaxPool2d { .. } => "pool",
            Self::AvgPool2d { .. } => "avg_pool",
            Self::AdaptiveAvgPool2d { .. } => "avgpool",
            Self::Upsample { .. } => "upsample",
            Self::Dropout { .. } => "dropout",
            Self::ChannelDropout { .. } => "channel_dropout",
            Self::StochasticDepth { .. } => "stochastic_depth",
            Self::Flatten => "flatten",
            Self::Residual { .. } => "residual",
            Self::Concat { .. } => "concat",
            Self::Gate { .. } => "gate",
        }
    }
}
