use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{Init, ModelError, Network, Op, Shape};

/// An operation with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The name; parameters are called `<name>.weight` and `<name>.bias`.
    pub name: String,
    /// The operation.
    #[serde(flatten)]
    pub op: Op,
}

/// The bytes that the output of one layer should not exceed in inference. VGG-16 on 224 × 224 pixels
/// has 12.8 MB an image after its first convolution.
const ACTIVATION_BYTES: usize = 256 << 20;

/// A network as data: what goes in, and the operations in their order.
///
/// ```
/// use selvedge_models::{Architecture, Shape};
///
/// let tiny = Architecture::new("tiny", [1, 28, 28])
///     .conv("conv1", 8, 3, 1).relu().max_pool(2)
///     .flatten()
///     .linear("fc1", 10);
/// assert_eq!(tiny.output_shape()?, Shape::Features(10));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an input image.
    pub input: [usize; 3],
    /// The layers in their order.
    pub layers: Vec<Layer>,
}

impl Architecture {
    /// An architecture without layers.
    pub fn new(name: impl Into<String>, input: [usize; 3]) -> Self {
        Self { name: name.into(), input, layers: Vec::new() }
    }

    /// Adds an operation under a name.
    #[must_use]
    pub fn layer(mut self, name: impl Into<String>, op: Op) -> Self {
        let name = name.into();
        self.layers.push(Layer { name, op });
        self
    }

    /// Adds an operation without parameters, named after its kind and count: `relu1`, `relu2`.
    #[must_use]
    pub fn op(self, op: Op) -> Self {
        let same = self.layers.iter().filter(|l| l.op.kind() == op.kind());
        let name = format!("{}{}", op.kind(), same.count() + 1);
        self.layer(name, op)
    }

    /// Adds a convolution with stride 1 and a bias.
    #[must_use]
    pub fn conv(self, name: &str, out_channels: usize, kernel: usize, padding: usize) -> Self {
        let op = Op::Conv2d { out_channels, kernel, stride: 1, padding, bias: true };
        self.layer(name, op)
    }

    /// Adds a linear layer.
    #[must_use]
    pub fn linear(self, name: &str, out_features: usize) -> Self {
        self.layer(name, Op::Linear { out_features })
    }

    /// Adds max(x, 0).
    #[must_use]
    pub fn relu(self) -> Self {
        self.op(Op::Relu)
    }

    /// Adds a max-pool whose stride is its kernel.
    #[must_use]
    pub fn max_pool(self, kernel: usize) -> Self {
        self.op(Op::MaxPool2d { kernel, stride: kernel, padding: 0 })
    }

    /// Adds a batch normalisation.
    #[must_use]
    pub fn batch_norm(self, name: &str) -> Self {
        self.layer(name, Op::BatchNorm2d)
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

    /// The shape after each layer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] names the first layer that does not fit what reaches it,
    /// [`ModelError::DuplicateLayer`] a name that occurs twice; [`ModelError::Setting`] if the input
    /// has no channels, no height or no width.
    pub fn shapes(&self) -> Result<Vec<Shape>, ModelError> {
        if self.input.contains(&0) {
            return Err(ModelError::Setting {
                name: "input",
                value: Shape::Images(self.input).to_string(),
                expected: "at least 1 × 1 × 1".into(),
            });
        }
        let mut shape = Shape::Images(self.input);
        let mut shapes = Vec::with_capacity(self.layers.len());
        for (i, Layer { name, op }) in self.layers.iter().enumerate() {
            if self.layers[..i].iter().any(|l| l.name == *name) {
                return Err(ModelError::DuplicateLayer {
                    architecture: self.name.clone(),
                    layer: name.clone(),
                });
            }
            shape = op.apply(shape).map_err(|reason| ModelError::Layer {
                architecture: self.name.clone(),
                layer: name.clone(),
                reason,
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }

    /// The shape that comes out.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    pub fn output_shape(&self) -> Result<Shape, ModelError> {
        let shapes = self.shapes()?;
        Ok(shapes.last().copied().unwrap_or(Shape::Images(self.input)))
    }

    /// How many images to compute at a time when nothing is learned: as many as keep the largest
    /// output of a layer within 256 MiB, in whole groups of 16, which is how many the widest vectors
    /// hold; but at most 256, beyond which a CPU gains nothing, and at least one.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    pub fn inference_batch(&self) -> Result<usize, ModelError> {
        let largest = self.shapes()?.into_iter().map(Shape::size).max().unwrap_or(1).max(1);
        let images = ACTIVATION_BYTES / (size_of::<f32>() * largest);
        Ok(match images {
            0 => 1,
            1..16 => images,
            _ => (images - images % 16).min(256),
        })
    }

    /// The name of the last linear layer: the head that a transfer replaces.
    pub fn head(&self) -> Option<&str> {
        let is_linear = |l: &&Layer| matches!(l.op, Op::Linear { .. });
        self.layers.iter().rfind(is_linear).map(|l| l.name.as_str())
    }

    /// Builds the network on `device`, its weights drawn from `seed`.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    pub fn init(&self, init: Init, seed: u64, device: &Device) -> Result<Network, ModelError> {
        Network::new(self.clone(), init, seed, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_pytorchs_arithmetic() {
        let a = Architecture::new("a", [3, 29, 28])
            .conv("conv1", 4, 5, 2)
            .max_pool(2)
            .layer(
                "conv2",
                Op::Conv2d { out_channels: 6, kernel: 3, stride: 2, padding: 0, bias: false },
            )
            .flatten()
            .linear("fc1", 7);
        // 29 + 4 - 5 + 1 = 29; 29 / 2 = 14; (14 - 3) / 2 + 1 = 6
        let expected = [
            Shape::Images([4, 29, 28]),
            Shape::Images([4, 14, 14]),
            Shape::Images([6, 6, 6]),
            Shape::Features(216),
            Shape::Features(7),
        ];
        assert_eq!(a.shapes().unwrap(), expected);
        assert_eq!(a.head(), Some("fc1"));
    }

    #[test]
    fn an_input_without_channels_height_or_width_is_refused() {
        for input in [[0, 7, 7], [3, 0, 7], [3, 7, 0]] {
            let architecture = Architecture::new("a", input).conv("conv1", 4, 1, 0);
            let message = architecture.shapes().unwrap_err().to_string();
            assert!(message.starts_with("input is images of "), "{message}");
            assert!(message.ends_with("must be at least 1 × 1 × 1"), "{message}");
        }
    }

    #[test]
    fn fewer_images_are_computed_at_a_time_the_larger_they_are() {
        let batch = |net: Architecture| net.inference_batch().unwrap();
        assert_eq!(batch(crate::TransferCnn::new(5).architecture()), 256);
        // 64 · 224 · 224 numbers of 4 bytes are 12.8 MB: 20 of them fit, 16 are a whole group.
        assert_eq!(batch(crate::Vgg::vgg16(10).architecture().unwrap()), 16);
        assert_eq!(batch(Architecture::new("huge", [1, 9000, 9000]).relu()), 1);
    }

    #[test]
    fn a_kernel_larger_than_its_input_names_the_layer() {
        let error = Architecture::new("a", [1, 4, 4]).conv("conv1", 1, 5, 0).shapes().unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer `conv1` of `a`: kernel 5 is larger than the padded input, 4"
        );
    }

    #[test]
    fn a_linear_layer_before_the_flattening_is_refused() {
        let error = Architecture::new("a", [1, 4, 4]).linear("fc1", 5).shapes().unwrap_err();
        assert_eq!(error.to_string(), "layer `fc1` of `a`: `fc` cannot follow images of 1 × 4 × 4");
    }

    #[test]
    fn a_name_used_twice_is_refused() {
        let error =
            Architecture::new("a", [1, 4, 4]).conv("c", 1, 1, 0).conv("c", 1, 1, 0).shapes();
        assert_eq!(error.unwrap_err().to_string(), "`a` has two layers named `c`");
    }

    #[test]
    fn a_dropout_probability_of_one_is_refused() {
        let error = Architecture::new("a", [1, 4, 4]).dropout(1.0).shapes().unwrap_err();
        assert!(error.to_string().ends_with("dropout probability 1 is not in [0, 1)"));
    }
}
