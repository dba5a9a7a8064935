//! Normalizations as ONNX nodes.

use burn::nn::{BatchNorm, GroupNorm, LayerNorm};

use super::graph::{Builder, Flow};
use super::proto::Node;
use super::tensor::Values;
use crate::{ModelError, Shape};

impl Builder<'_> {
    pub(super) fn batch_norm(
        &mut self,
        norm: &BatchNorm,
        path: &str,
        input: Flow,
    ) -> Result<Node, ModelError> {
        let mut inputs = vec![input.name];
        for (name, value) in [
            ("weight", norm.gamma.val()),
            ("bias", norm.beta.val()),
            ("running_mean", norm.running_mean.value()),
            ("running_var", norm.running_var.value()),
        ] {
            inputs.push(self.initializer(path, name, Values::Vector(value))?);
        }
        let node = Node::new("BatchNormalization", path).reads(inputs);
        Ok(node.with("epsilon", norm.epsilon as f32))
    }

    /// The channels of a group in one row, normalized as the only channel of an instance; then weight and
    /// bias of each channel, as a batch normalization of mean 0 and variance 1 applies them. Version 17 has
    /// no operator for it.
    pub(super) fn group_norm(
        &mut self,
        norm: &GroupNorm,
        path: &str,
        input: Flow,
    ) -> Result<Node, ModelError> {
        let (groups, channels) = (norm.num_groups, norm.num_channels);
        let sizes = match input.shape {
            Shape::Images(sizes) => sizes.to_vec(),
            Shape::Features(n) => vec![n],
        };
        let row = sizes.iter().product::<usize>() / groups;
        let rows = self.reshaped(&format!("{path}.rows"), input.name, &[groups, row])?;
        let [ones, zeros] = [("ones", 1.0), ("zeros", 0.0)].map(|(name, value)| {
            let of = Values::Given { dims: vec![groups], of: vec![value; groups] };
            self.initializer(path, name, of)
        });
        let normalized = Node::new("InstanceNormalization", &format!("{path}.normalized"))
            .reads([rows, ones?, zeros?])
            .with("epsilon", norm.epsilon as f32);
        let normalized = self.push_sized(normalized, &[groups, row])?;
        let back = self.reshaped(&format!("{path}.back"), normalized, &sizes)?;
        let given = |value| Values::Given { dims: vec![channels], of: vec![value; channels] };
        let mut inputs = vec![back];
        let own = [("weight", &norm.gamma, 1.0), ("bias", &norm.beta, 0.0)];
        for (name, own, default) in own {
            let values = own.as_ref().map_or_else(|| given(default), |p| Values::Vector(p.val()));
            inputs.push(self.initializer(path, name, values)?);
        }
        for (name, value) in [("mean", 0.0), ("variance", 1.0)] {
            inputs.push(self.initializer(path, name, given(value))?);
        }
        Ok(Node::new("BatchNormalization", path).reads(inputs).with("epsilon", 0.0f32))
    }

    /// The operator normalizes the last axis: the channels of images are brought there and back.
    pub(super) fn layer_norm(
        &mut self,
        norm: &LayerNorm,
        epsilon: f64,
        path: &str,
        input: Flow,
    ) -> Result<Node, ModelError> {
        let weight = Values::Vector(norm.gamma.val());
        let normalize = |name: &str, inputs: Vec<String>| {
            Node::new("LayerNormalization", name)
                .reads(inputs)
                .with("axis", -1)
                .with("epsilon", epsilon as f32)
        };
        let Shape::Images([channels, height, width]) = input.shape else {
            let inputs = self.weighted(input.name, path, weight, &norm.beta)?;
            return Ok(normalize(path, inputs));
        };
        let sizes = [height, width, channels];
        let last = Node::new("Transpose", &format!("{path}.channels_last"))
            .reads([input.name])
            .with("perm", [0, 2, 3, 1]);
        let last = self.push_sized(last, &sizes)?;
        let inputs = self.weighted(last, path, weight, &norm.beta)?;
        let normalized = normalize(&format!("{path}.normalized"), inputs);
        let normalized = self.push_sized(normalized, &sizes)?;
        Ok(Node::new("Transpose", path).reads([normalized]).with("perm", [0, 3, 1, 2]))
    }

    /// A batch of tensors in other sizes.
    fn reshaped(
        &mut self,
        path: &str,
        input: String,
        sizes: &[usize],
    ) -> Result<String, ModelError> {
        // 0 stands for the size of the input there: the batch.
        let shape: Vec<i64> = [0].into_iter().chain(sizes.iter().map(|n| *n as i64)).collect();
        let name = self.claim(path, "shape")?;
        let constant = Node::new("Constant", &name).with("value_ints", shape);
        self.nodes.push(Node { output: vec![name.clone()], ..constant });
        self.push_sized(Node::new("Reshape", path).reads([input, name]), sizes)
    }
}
