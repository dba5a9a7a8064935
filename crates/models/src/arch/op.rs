use serde::{Deserialize, Deserializer, Serialize};

use crate::Layer;

/// One operation of a network. Channels and features that come in follow from what stands before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op", deny_unknown_fields)]
pub enum Op {
    /// 2-d convolution with a square kernel; weight `[out_channels, in_channels, kernel, kernel]`.
    Conv2d {
        /// Channels that come out.
        out_channels: usize,
        /// Side of the kernel, in pixels.
        kernel: usize,
        /// Step of the kernel, in pixels; 1 where a file does not say.
        #[serde(default = "one")]
        stride: usize,
        /// Rows and columns of zeros added on every side; none where a file does not say.
        #[serde(default)]
        padding: usize,
        /// Whether a bias is added; so it is where a file does not say.
        #[serde(default = "yes")]
        bias: bool,
    },
    /// Transposed 2-d convolution with a square kernel, stride 1 and a bias: images grow by
    /// `kernel - 1`; weight `[in_channels, out_channels, kernel, kernel]`.
    ConvTranspose2d {
        /// Channels that come out.
        out_channels: usize,
        /// Side of the kernel, in pixels.
        kernel: usize,
    },
    /// Batch normalization over each channel (Ioffe and Szegedy, 2015); ε 1e-5, momentum 0.1.
    #[serde(deserialize_with = "no_settings")]
    BatchNorm2d,
    /// Linear layer; PyTorch's weight is `[out_features, in_features]`.
    Linear {
        /// Features that come out.
        out_features: usize,
    },
    /// max(x, 0).
    #[serde(deserialize_with = "no_settings")]
    Relu,
    /// 1 / (1 + exp(-x)).
    #[serde(deserialize_with = "no_settings")]
    Sigmoid,
    /// The hyperbolic tangent.
    #[serde(deserialize_with = "no_settings")]
    Tanh,
    /// The largest of each `kernel` × `kernel` window; sizes round down, as in PyTorch.
    MaxPool2d {
        /// Side of the window, in pixels.
        kernel: usize,
        /// Step of the window, in pixels.
        stride: usize,
        /// Rows and columns of minus infinity added on every side; at most half the kernel; none
        /// where a file does not say.
        #[serde(default)]
        padding: usize,
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
    /// `[batch, channels, height, width]` to `[batch, channels · height · width]`.
    #[serde(deserialize_with = "no_settings")]
    Flatten,
    /// The sum of two paths from the same input (He et al., 2016); an empty path is the input
    /// itself. Parameters are called `<name>.<layer>.weight`.
    Residual {
        /// The longer path.
        main: Vec<Layer>,
        /// The shorter path; empty where a file does not say.
        #[serde(default)]
        shortcut: Vec<Layer>,
    },
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// Refuses settings of an operation that has none.
fn no_settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}

    NoSettings::deserialize(deserializer).map(drop)
}

impl Op {
    /// Whether it has no parameters, nor layers that might have some.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Conv2d { .. }
            | Self::ConvTranspose2d { .. }
            | Self::BatchNorm2d
            | Self::Linear { .. }
            | Self::Residual { .. } => false,
            Self::Relu
            | Self::Sigmoid
            | Self::Tanh
            | Self::MaxPool2d { .. }
            | Self::AdaptiveAvgPool2d { .. }
            | Self::Upsample { .. }
            | Self::Dropout { .. }
            | Self::ChannelDropout { .. }
            | Self::Flatten => true,
        }
    }

    /// The first part of the name of a layer that has no better one.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "conv",
            Self::ConvTranspose2d { .. } => "t_conv",
            Self::BatchNorm2d => "bn",
            Self::Linear { .. } => "fc",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::MaxPool2d { .. } => "pool",
            Self::AdaptiveAvgPool2d { .. } => "avgpool",
            Self::Upsample { .. } => "upsample",
            Self::Dropout { .. } => "dropout",
            Self::ChannelDropout { .. } => "channel_dropout",
            Self::Flatten => "flatten",
            Self::Residual { .. } => "residual",
        }
    }

    /// The shape after this operation, or why there is none.
    pub(crate) fn apply(&self, input: Shape) -> Result<Shape, String> {
        let output = self.output(input)?;
        match output {
            Shape::Images(sides) => elements(&sides),
            Shape::Features(n) => elements(&[n]),
        }?;
        Ok(output)
    }

    fn output(&self, input: Shape) -> Result<Shape, String> {
        use Shape::{Features, Images};
        self.check()?;
        match (self, input) {
            (Self::Relu | Self::Sigmoid | Self::Tanh | Self::Dropout { .. }, _) => Ok(input),
            (Self::BatchNorm2d | Self::ChannelDropout { .. }, Images(_)) => Ok(input),
            (&Self::Conv2d { out_channels, kernel, stride, padding, .. }, Images([c, h, w])) => {
                let along = |size| windows(size, kernel, stride, padding);
                elements(&[out_channels, c, kernel, kernel])?;
                Ok(Images([out_channels, along(h)?, along(w)?]))
            }
            (&Self::ConvTranspose2d { out_channels, kernel }, Images([c, h, w])) => {
                elements(&[c, out_channels, kernel, kernel])?;
                Ok(Images([out_channels, h + (kernel - 1), w + (kernel - 1)]))
            }
            (&Self::MaxPool2d { kernel, stride, padding }, Images([c, h, w])) => {
                let along = |size| windows(size, kernel, stride, padding);
                Ok(Images([c, along(h)?, along(w)?]))
            }
            (&Self::AdaptiveAvgPool2d { size }, Images([c, _, _])) => Ok(Images([c, size, size])),
            (&Self::Upsample { scale }, Images([c, h, w])) => {
                elements(&[h, w, scale, scale])?;
                Ok(Images([c, h * scale, w * scale]))
            }
            (Self::Flatten, Images(_)) => Ok(Features(input.size())),
            (&Self::Linear { out_features }, Features(n)) => {
                elements(&[out_features, n])?;
                Ok(Features(out_features))
            }
            (Self::Residual { main, shortcut }, _) => {
                let [main, shortcut] = [path_shape(main, input)?, path_shape(shortcut, input)?];
                match main == shortcut {
                    true => Ok(main),
                    false => Err(format!("the paths give {main} and {shortcut}")),
                }
            }
            (op, shape) => Err(format!("`{}` cannot follow {shape}", op.kind())),
        }
    }

    /// Refuses settings that are wrong whatever comes in.
    fn check(&self) -> Result<(), String> {
        match *self {
            Self::Dropout { probability: p } | Self::ChannelDropout { probability: p } => {
                ensure((0.0..1.0).contains(&p), || {
                    format!("dropout probability {p} is not in [0, 1)")
                })
            }
            Self::Conv2d { out_channels: n, .. }
            | Self::ConvTranspose2d { out_channels: n, .. } => {
                ensure(n > 0, || "a convolution needs at least one output channel".into())
            }
            Self::Linear { out_features: n } => {
                ensure(n > 0, || "a linear layer needs at least one output feature".into())
            }
            Self::MaxPool2d { kernel, padding, .. } => ensure(padding <= kernel / 2, || {
                format!("padding {padding} is more than half the window, {kernel}")
            }),
            Self::AdaptiveAvgPool2d { size: n } | Self::Upsample { scale: n } => {
                ensure(n > 0, || "its size must be at least 1".into())
            }
            _ => Ok(()),
        }?;
        match self {
            Self::ConvTranspose2d { kernel: 0, .. } => Err("its kernel must be at least 1".into()),
            _ => Ok(()),
        }
    }
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// The shape at the end of a path.
fn path_shape(layers: &[Layer], input: Shape) -> Result<Shape, String> {
    layers.iter().try_fold(input, |shape, layer| {
        layer.op.apply(shape).map_err(|reason| format!("layer `{}`: {reason}", layer.name))
    })
}

/// Refuses tensors that no memory holds, so that the sizes of others can be computed.
pub(super) fn elements(sides: &[usize]) -> Result<(), String> {
    let count = sides.iter().try_fold(1usize, |count, side| count.checked_mul(*side));
    ensure(count.is_some_and(|count| count <= isize::MAX as usize / size_of::<f32>()), || {
        let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
        format!("{} values are more than any memory holds", sides.join(" × "))
    })
}

/// How many windows of `kernel` fit into the padded `size` at every `stride`.
fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> Result<usize, String> {
    let size = size.saturating_add(padding.saturating_mul(2));
    match (kernel, stride) {
        (0, _) | (_, 0) => Err(format!("kernel {kernel} and stride {stride} must be at least 1")),
        _ if kernel > size => {
            Err(format!("kernel {kernel} is larger than the padded input, {size}"))
        }
        _ => Ok((size - kernel) / stride + 1),
    }
}

/// The shape of what flows between two layers, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `[channels, height, width]`
    Images([usize; 3]),
    /// The number of features.
    Features(usize),
}

impl Shape {
    /// `[channels, height, width]` of images that hold the same values: features are as many channels
    /// of one pixel.
    pub(crate) fn as_images(self) -> [usize; 3] {
        match self {
            Self::Images(sides) => sides,
            Self::Features(n) => [n, 1, 1],
        }
    }

    /// The number of values an image.
    pub fn size(self) -> usize {
        match self {
            Self::Images([c, h, w]) => c * h * w,
            Self::Features(n) => n,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Images([c, h, w]) => write!(f, "images of {c} × {h} × {w}"),
            Self::Features(n) => write!(f, "{n} features"),
        }
    }
}
