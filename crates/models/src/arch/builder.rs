//! Layers added one by one.

use super::names;
use crate::{Architecture, Layer, MaxPool, Op, Shape};

impl Architecture {
    /// An architecture without layers, for images of `[channels, height, width]`.
    pub fn new(name: impl Into<String>, input: [usize; 3]) -> Self {
        Self { name: name.into(), input, layers: Vec::new() }
    }

    /// Adds an operation under a name: an [`Op`], or one that is described by a
    /// [`Conv`](crate::Conv), [`ConvTranspose`](crate::ConvTranspose), [`BatchNorm`](crate::BatchNorm),
    /// [`MaxPool`] or [`AvgPool`](crate::AvgPool).
    ///
    /// A layer whose name may have been automatic, such as `relu1`, gives way where it is called the same;
    /// not to another that may have been, since one of two given names would then not be the one given.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, op: impl Into<Op>) -> Self {
        let layer = Layer { name: name.into(), op: op.into() };
        names::give_way(&mut self.layers, &layer, &[]);
        self.layers.push(layer);
        self
    }

    /// Adds an operation under an automatic name, its kind and count: `relu1`, `relu2`. A number that
    /// is taken is left out.
    #[must_use]
    pub fn op(mut self, op: impl Into<Op>) -> Self {
        let op = op.into();
        let same = self.layers.iter().filter(|l| l.op.kind() == op.kind()).count();
        let is_taken = |name: &str| self.layers.iter().any(|l| names::clash(name, &l.name));
        let name = names::automatic(&op, same + 1, is_taken);
        self.layers.push(Layer { name, op });
        self
    }

    /// Adds a convolution with stride 1 and a bias; [`layer`](Self::layer) takes others as a
    /// [`Conv`](crate::Conv).
    #[must_use]
    pub fn conv(self, name: &str, out_channels: usize, kernel: usize, padding: usize) -> Self {
        self.layer(name, crate::Conv::new(out_channels, kernel).padding(padding))
    }

    /// Adds a transposed convolution with stride 1 and a bias: images grow by `kernel - 1`.
    #[must_use]
    pub fn conv_transpose(self, name: &str, out_channels: usize, kernel: usize) -> Self {
        self.layer(name, crate::ConvTranspose::new(out_channels, kernel))
    }

    /// Adds a batch normalization of images; [`layer`](Self::layer) takes other settings as a
    /// [`BatchNorm`](crate::BatchNorm).
    #[must_use]
    pub fn batch_norm(self, name: &str) -> Self {
        self.layer(name, crate::BatchNorm::new())
    }

    /// Adds a linear layer with a bias.
    #[must_use]
    pub fn linear(self, name: &str, out_features: usize) -> Self {
        self.layer(name, Op::Linear { out_features, bias: true })
    }

    /// Adds max(x, 0).
    #[must_use]
    pub fn relu(self) -> Self {
        self.op(Op::Relu)
    }

    /// Adds 1 / (1 + exp(-x)).
    #[must_use]
    pub fn sigmoid(self) -> Self {
        self.op(Op::Sigmoid)
    }

    /// Adds the hyperbolic tangent.
    #[must_use]
    pub fn tanh(self) -> Self {
        self.op(Op::Tanh)
    }

    /// Adds a max-pool: `max_pool(2)` of windows of 2 × 2 that touch, or any [`MaxPool`].
    #[must_use]
    pub fn max_pool(self, pool: impl Into<MaxPool>) -> Self {
        self.op(pool.into())
    }

    /// Adds the means of `size` × `size` windows that cover the image.
    #[must_use]
    pub fn adaptive_avg_pool(self, size: usize) -> Self {
        self.op(Op::AdaptiveAvgPool2d { size })
    }

    /// Adds the repetition of every pixel `scale` times in both directions.
    #[must_use]
    pub fn upsample(self, scale: usize) -> Self {
        self.op(Op::Upsample { scale })
    }

    /// Adds a dropout of single values.
    #[must_use]
    pub fn dropout(self, probability: f64) -> Self {
        self.op(Op::Dropout { probability })
    }

    /// Adds a dropout of whole channels.
    #[must_use]
    pub fn channel_dropout(self, probability: f64) -> Self {
        self.op(Op::ChannelDropout { probability })
    }

    /// Adds the step from images to features.
    #[must_use]
    pub fn flatten(self) -> Self {
        self.op(Op::Flatten)
    }

    /// Adds a residual block: the sum of two paths from the same input. Each is built from an
    /// architecture without layers, for what reaches the block; one that is returned as it came is the
    /// input itself.
    ///
    /// ```
    /// use selvedge_models::{Architecture, Conv, Shape};
    ///
    /// let net = Architecture::new("net", [64, 56, 56])
    ///     .residual(
    ///         "layer2.0",
    ///         |main| {
    ///             main.layer("conv1", Conv::new(128, 3).stride(2).padding(1).without_bias())
    ///                 .batch_norm("bn1")
    ///                 .relu()
    ///                 .layer("conv2", Conv::new(128, 3).padding(1).without_bias())
    ///                 .batch_norm("bn2")
    ///         },
    ///         |shortcut| {
    ///             shortcut
    ///                 .layer("downsample.0", Conv::new(128, 1).stride(2).without_bias())
    ///                 .batch_norm("downsample.1")
    ///         },
    ///     )
    ///     .relu()
    ///     .residual("layer2.1", |main| main.conv("conv1", 128, 3, 1), |shortcut| shortcut)
    ///     .relu();
    /// assert_eq!(net.output_shape()?, Shape::Images([128, 28, 28]));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn residual(
        self,
        name: &str,
        main: impl FnOnce(Self) -> Self,
        shortcut: impl FnOnce(Self) -> Self,
    ) -> Self {
        self.residual_after(name, |before| before, main, shortcut)
    }

    /// Adds a residual block that activates first (He et al., 2016, "Identity mappings"): what `before` adds
    /// stands before both paths. Its layers need other names than those of the paths: automatic ones are
    /// counted from 1 in each.
    #[must_use]
    pub fn residual_after(
        self,
        name: &str,
        before: impl FnOnce(Self) -> Self,
        main: impl FnOnce(Self) -> Self,
        shortcut: impl FnOnce(Self) -> Self,
    ) -> Self {
        let before = before(self.path(name));
        let inner = || before.path(name);
        let (mut main, mut shortcut) = (main(inner()).layers, shortcut(inner()).layers);
        names::settle(&mut main, &mut shortcut);
        self.layer(name, Op::Residual { before: before.layers, main, shortcut })
    }

    /// Adds a squeeze-and-excite block (Hu et al., 2018) with torchvision's names, `fc1` and `fc2`: the
    /// mean of each channel, two convolutions of 1 × 1 with `squeezed` channels and `activation` between
    /// them, and the input times `scale` of the result.
    ///
    /// ```
    /// use selvedge_models::{Architecture, Op};
    ///
    /// // As in MobileNetV3.
    /// let net = Architecture::new("net", [16, 8, 8]);
    /// let net = net.squeeze_excite("se", 8, Op::Relu, Op::HardSigmoid);
    /// assert_eq!(net.summary()?.parameters(), 16 * 8 + 8 + 8 * 16 + 16);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn squeeze_excite(self, name: &str, squeezed: usize, activation: Op, scale: Op) -> Self {
        let path = self.path(name);
        let channels = path.input[0];
        let path = path
            .layer("avgpool", Op::AdaptiveAvgPool2d { size: 1 })
            .layer("fc1", crate::Conv::new(squeezed, 1))
            .layer("activation", activation)
            .layer("fc2", crate::Conv::new(channels, 1))
            .layer("scale_activation", scale);
        self.layer(name, Op::Gate { path: path.layers })
    }

    /// An architecture without layers, for what reaches the next one: a path of a block. What is wrong
    /// before the block is found when the whole is checked.
    fn path(&self, name: &str) -> Self {
        let reaches = self.output_shape().unwrap_or(Shape::Images(self.input));
        Self::new(name, reaches.as_images())
    }
}
