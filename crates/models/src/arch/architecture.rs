use serde::{Deserialize, Serialize};

use super::names;
use super::op_shape::elements;
use crate::error::printable;
use crate::{ModelError, Op, Shape};

/// An operation with its name.
///
/// In a file both stand side by side: `{"name": "conv1", "op": "conv2d", "out_channels": 8, "kernel":
/// 3}`. Settings that the operation does not have are refused.
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
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an input image.
    pub input: [usize; 3],
    /// The layers in their order.
    pub layers: Vec<Layer>,
}

impl Architecture {
    /// The shape after each layer.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] names the first layer that does not fit what reaches it, or whose name
    /// is empty, has other characters than letters, digits, `_`, `-` and dots, or lies within that of
    /// another layer; [`ModelError::DuplicateLayer`] is for a path that occurs twice, blocks included;
    /// [`ModelError::Setting`] for an input without channels, height or width or beyond all memory,
    /// and for a name with control characters.
    pub fn shapes(&self) -> Result<Vec<Shape>, ModelError> {
        if self.input.contains(&0) {
            return Err(ModelError::Setting {
                name: "input",
                value: Shape::Images(self.input).to_string(),
                expected: "at least 1 × 1 × 1".into(),
            });
        }
        elements(&self.input).map_err(|reason| ModelError::Setting {
            name: "input",
            value: Shape::Images(self.input).to_string(),
            expected: format!("smaller: {reason}").into(),
        })?;
        if printable(&self.name) != self.name {
            return Err(ModelError::Setting {
                name: "name of the network",
                value: format!("`{}`", printable(&self.name)),
                expected: "without control characters".into(),
            });
        }
        names::check(&self.name, &self.layers)?;
        let mut shape = Shape::Images(self.input);
        let mut shapes = Vec::with_capacity(self.layers.len());
        for Layer { name, op } in &self.layers {
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
        self.shapes()?;
        let largest = largest(&self.layers, Shape::Images(self.input));
        let images = ACTIVATION_BYTES / (size_of::<f32>() * largest);
        Ok(match images {
            0 => 1,
            1..16 => images,
            _ => (images - images % 16).min(256),
        })
    }

    /// About how many bytes a step of training on `batch` images takes: the output of every layer, which is kept for
    /// the gradients, and for every parameter its value, its gradient and two moments of an optimizer. On a CPU six
    /// runs of ResNet, VGG, MobileNet and EfficientNet took 0.9 to 1.5 times as much.
    ///
    /// # Errors
    ///
    /// As [`shapes`](Self::shapes).
    ///
    /// ```
    /// use selvedge_models::named;
    ///
    /// let network = named("resnet18")?.with_input([3, 2000, 2000])?;
    /// assert!(network.training_bytes(64)? > 100 << 30);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn training_bytes(&self, batch: usize) -> Result<u64, ModelError> {
        let summary = self.summary()?;
        let outputs = summary.rows.iter().map(|row| row.output.size() as u64);
        let values = outputs.fold(Shape::Images(self.input).size() as u64, u64::saturating_add);
        let values = values.saturating_mul(batch as u64);
        let learned = 4u64.saturating_mul(summary.parameters() as u64);
        Ok(values.saturating_add(learned).saturating_mul(size_of::<f32>() as u64))
    }

    /// The shape of what the layer at a path, such as `layer1.0.conv2`, gives for an image, without the batch.
    ///
    /// ```
    /// use selvedge_models::{Cnn, Shape};
    ///
    /// let net = Cnn::cnn2_small(5).architecture();
    /// assert_eq!(net.output_of("conv2")?, Shape::Images([20, 14, 14]));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownLayer`] if there is none; as [`shapes`](Self::shapes).
    pub fn output_of(&self, layer: &str) -> Result<Shape, ModelError> {
        let rows = self.summary()?.rows;
        let found = rows.iter().find(|row| row.name == layer).map(|row| row.output);
        found.ok_or_else(|| ModelError::UnknownLayer {
            architecture: self.name.clone(),
            layer: layer.into(),
            known: rows.into_iter().map(|row| row.name).collect(),
        })
    }

    /// The name of the last linear layer: the head that a transfer replaces.
    pub fn head(&self) -> Option<&str> {
        let is_linear = |l: &&Layer| matches!(l.op, Op::Linear { .. });
        self.layers.iter().rfind(is_linear).map(|l| l.name.as_str())
    }
}

/// The values of the largest output along a path that has been checked, also within its blocks; at least 1.
fn largest(layers: &[Layer], input: Shape) -> usize {
    let mut shape = input;
    let sizes = layers.iter().map(|Layer { op, .. }| {
        let (before, paths) = op.paths();
        let reaches = op.inside(shape).expect("the architecture was checked");
        let inner = paths.iter().map(|path| largest(path, reaches)).max().unwrap_or(1);
        let inner = inner.max(largest(before, shape));
        shape = op.apply(shape).expect("the architecture was checked");
        shape.size().max(inner)
    });
    sizes.max().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Conv;

    #[test]
    fn shapes_follow_pytorchs_arithmetic() {
        let a = Architecture::new("a", [3, 29, 28])
            .conv("conv1", 4, 5, 2)
            .max_pool(2)
            .layer("conv2", Conv::new(6, 3).stride(2).without_bias())
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
        // 64 · 224 · 224 values of 4 bytes are 12.8 MB: 20 of them fit, 16 are a whole group.
        assert_eq!(batch(crate::Vgg::vgg16(10).architecture().unwrap()), 16);
        assert_eq!(batch(Architecture::new("huge", [1, 9000, 9000]).relu()), 1);
        // Also where only a layer within a block is large.
        let wide = |main: Architecture| main.upsample(9000).op(Op::AdaptiveAvgPool2d { size: 1 });
        let block = Architecture::new("block", [1, 1, 1]).residual("wide", wide, |same| same);
        assert_eq!(batch(block), 1);
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
    fn a_dropout_probability_of_one_is_refused() {
        let error = Architecture::new("a", [1, 4, 4]).dropout(1.0).shapes().unwrap_err();
        assert!(error.to_string().ends_with("dropout probability 1 is not in [0, 1)"));
    }

    #[test]
    fn a_name_with_control_characters_is_refused() {
        let error = Architecture::new("a\u{1b}[2J", [1, 4, 4]).shapes().unwrap_err().to_string();
        let expected =
            "name of the network is `a\\u{1b}[2J`, but must be without control characters";
        assert_eq!(error, expected);
    }

    #[test]
    fn sizes_beyond_all_memory_are_refused() {
        let message = |net: Architecture| net.shapes().unwrap_err().to_string();
        let huge = usize::MAX / 2;
        assert!(message(Architecture::new("a", [huge, 3, 3])).starts_with("input is images of "));
        let net = || Architecture::new("a", [1, 4, 4]);
        for net in [
            net().conv("c", huge, 3, 1),
            net().conv("c", 1, 3, huge),
            net().conv("c", 1, huge, huge),
            net().conv_transpose("c", 1, huge),
            net().upsample(huge),
            net().adaptive_avg_pool(huge),
            net().flatten().linear("fc", huge),
        ] {
            let message = message(net);
            assert!(message.ends_with(" values are more than any memory holds"), "{message}");
        }
    }

    #[test]
    fn settings_that_a_layer_does_not_have_are_refused() {
        let read = |layer: &str| {
            let text = format!(r#"{{"name": "a", "input": [1, 8, 8], "layers": [{layer}]}}"#);
            serde_json::from_str::<Architecture>(&text)
        };
        for (layer, unknown) in [
            (
                r#"{"name": "c", "op": "conv2d", "out_channels": 2, "kernel": 3, "stide": 2}"#,
                "stide",
            ),
            (r#"{"name": "relu1", "op": "relu", "slope": 0.1}"#, "slope"),
            (r#"{"name": "bn", "op": "batch_norm2d", "affine": true}"#, "affine"),
            (r#"{"name": "f", "op": "flatten", "start": 1}"#, "start"),
            (r#"{"name": "fc", "op": "linear", "out_features": 2, "biass": false}"#, "biass"),
            (
                r#"{"name": "b", "op": "residual", "main": [{"name": "t", "op": "tanh", "x": 1}]}"#,
                "x",
            ),
        ] {
            let message = read(layer).unwrap_err().to_string();
            assert!(message.starts_with(&format!("unknown field `{unknown}`")), "{message}");
        }
        let text = r#"{"name": "a", "input": [1, 8, 8], "layers": [], "classes": 5}"#;
        let message = serde_json::from_str::<Architecture>(text).unwrap_err().to_string();
        assert!(message.starts_with("unknown field `classes`"), "{message}");
        assert!(read(r#"{"name": "c", "op": "conv3d"}"#).is_err());

        // What is left out has PyTorch's defaults.
        let layers = r#"{"name": "c", "op": "conv2d", "out_channels": 2, "kernel": 3},
            {"name": "relu1", "op": "relu"}, {"name": "b", "op": "residual", "main": []}"#;
        let expected = Architecture::new("a", [1, 8, 8]).conv("c", 2, 3, 0).relu();
        assert_eq!(read(layers).unwrap(), expected.residual("b", |main| main, |shortcut| shortcut));
    }

    #[test]
    fn every_architecture_of_the_catalog_is_the_same_after_a_file() {
        for net in crate::catalog() {
            let text = serde_json::to_string(&net).unwrap();
            assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), net);
        }
    }
}
