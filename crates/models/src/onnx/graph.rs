//! A network's layers as ONNX nodes.

use std::collections::HashSet;

use burn::module::Param;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;

use super::proto::{Node, Value};
use super::tensor::{Initializer, Values};
use super::{INPUT, average};
use crate::network::sequence::Sequence;
use crate::network::step::{self, Params};
use crate::{ModelError, Network, Op, Shape};

/// A network as nodes, with its tensors not yet read from the device.
pub(super) struct Graph {
    pub name: String,
    pub nodes: Vec<Node>,
    pub initializers: Vec<Initializer>,
    pub input: Value,
    pub output: Value,
    pub between: Vec<Value>,
}

/// What flows from one node to the next.
#[derive(Clone)]
struct Flow {
    name: String,
    shape: Shape,
}

impl Graph {
    /// The graph of a network that is ready for inference.
    pub fn new(network: &Network, output: &str) -> Result<Self, ModelError> {
        let architecture = network.architecture();
        let mut builder = Builder {
            architecture: &architecture.name,
            nodes: Vec::new(),
            initializers: Vec::new(),
            values: Vec::new(),
            taken: HashSet::new(),
        };
        let input = Flow { name: INPUT.into(), shape: Shape::Images(architecture.input) };
        let last = builder.sequence(network.body(), "", input)?;
        let Builder { mut nodes, initializers, mut values, .. } = builder;
        match last.shape {
            Shape::Images(_) => nodes.push(Node {
                output: vec![output.into()],
                ..Node::new("Flatten", output).reads([last.name])
            }),
            // The last value gets the output's name. Nothing but the node that makes it knows it:
            // whatever read it would make a later one.
            Shape::Features(_) => {
                let made = nodes.iter_mut().flat_map(|node| &mut node.output);
                made.filter(|name| **name == last.name).for_each(|name| *name = output.into());
                values.retain(|value| value.name.as_ref() != Some(&last.name));
            }
        }
        Ok(Self {
            name: architecture.name.clone(),
            nodes,
            initializers,
            input: Value::batch_of(INPUT, &architecture.input),
            output: Value::batch_of(output, &[last.shape.size()]),
            between: values,
        })
    }
}

struct Builder<'a> {
    architecture: &'a str,
    nodes: Vec<Node>,
    initializers: Vec<Initializer>,
    values: Vec<Value>,
    /// Values and initializers share one space of names.
    taken: HashSet<String>,
}

impl Builder<'_> {
    fn sequence(
        &mut self,
        sequence: &Sequence,
        prefix: &str,
        input: Flow,
    ) -> Result<Flow, ModelError> {
        sequence.nodes().try_fold(input, |flow, node| {
            self.layer(node, &format!("{prefix}{}", node.layer.name), flow)
        })
    }

    /// Adds a layer under its path, and gives what flows out of it.
    fn layer(&mut self, node: step::Node<'_>, path: &str, input: Flow) -> Result<Flow, ModelError> {
        let op = &node.layer.op;
        let shape = op.apply(input.shape).map_err(|reason| self.refused(path, reason))?;
        let new = match (node.params, op) {
            (Params::Conv2d(conv), &Op::Conv2d { kernel, stride, padding, .. }) => {
                let weight = Values::Kernels(conv.weight.val());
                Node::new("Conv", path)
                    .reads(self.weighted(input, path, weight, &conv.bias)?)
                    .with("kernel_shape", [kernel; 2])
                    .with("pads", [padding; 4])
                    .with("strides", [stride; 2])
            }
            (Params::ConvTranspose2d(conv), &Op::ConvTranspose2d { kernel, .. }) => {
                let weight = Values::Kernels(conv.weight.val());
                Node::new("ConvTranspose", path)
                    .reads(self.weighted(input, path, weight, &conv.bias)?)
                    .with("kernel_shape", [kernel; 2])
            }
            (Params::Linear(linear), _) => {
                let weight = Values::Transposed(linear.weight.val());
                Node::new("Gemm", path)
                    .reads(self.weighted(input, path, weight, &linear.bias)?)
                    .with("transB", 1)
            }
            (Params::BatchNorm(norm), _) => self.batch_norm(norm.inner(), path, input)?,
            (Params::Residual(paths), _) => {
                let inner = format!("{path}.");
                let main = self.sequence(&paths.main, &inner, input.clone())?;
                let shortcut = self.sequence(&paths.shortcut, &inner, input)?;
                Node::new("Add", path).reads([main.name, shortcut.name])
            }
            (Params::None(_), Op::Dropout { .. } | Op::ChannelDropout { .. }) => return Ok(input),
            (Params::None(_), op) => self.plain(op, path, input)?,
            (_, op) => return Err(self.refused(path, format!("`{}` lacks weights", op.kind()))),
        };
        self.push(new, shape)
    }

    /// The inputs of a layer with a weight and, where it has one, a bias.
    fn weighted(
        &mut self,
        input: Flow,
        path: &str,
        weight: Values,
        bias: &Option<Param<Tensor<1>>>,
    ) -> Result<Vec<String>, ModelError> {
        let mut inputs = vec![input.name, self.initializer(path, "weight", weight)?];
        if let Some(bias) = bias {
            inputs.push(self.initializer(path, "bias", Values::Vector(bias.val()))?);
        }
        Ok(inputs)
    }

    fn batch_norm(
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

    /// An operation without weights of its own.
    fn plain(&mut self, op: &Op, path: &str, input: Flow) -> Result<Node, ModelError> {
        let node = |op_type| Node::new(op_type, path).reads([&input.name]);
        match (op, input.shape) {
            (Op::Relu, _) => Ok(node("Relu")),
            (Op::Sigmoid, _) => Ok(node("Sigmoid")),
            (Op::Tanh, _) => Ok(node("Tanh")),
            (Op::Flatten, _) => Ok(node("Flatten")),
            (&Op::MaxPool2d { kernel, stride, padding }, _) => Ok(node("MaxPool")
                .with("kernel_shape", [kernel; 2])
                .with("pads", [padding; 4])
                .with("strides", [stride; 2])),
            (&Op::Upsample { scale }, _) => {
                // Pixel x of the output is pixel ⌊x / scale⌋ of the input: each is repeated.
                let scales =
                    Values::Given { dims: vec![4], of: vec![1.0, 1.0, scale as f32, scale as f32] };
                let scales = self.initializer(path, "scales", scales)?;
                Ok(Node::new("Resize", path)
                    .reads([&input.name, "", &scales])
                    .with("coordinate_transformation_mode", "asymmetric")
                    .with("mode", "nearest")
                    .with("nearest_mode", "floor"))
            }
            (&Op::AdaptiveAvgPool2d { size: 1 }, _) => Ok(node("GlobalAveragePool")),
            (&Op::AdaptiveAvgPool2d { size }, Shape::Images([channels, height, width])) => {
                if height.is_multiple_of(size) && width.is_multiple_of(size) {
                    let window = [height / size, width / size];
                    return Ok(node("AveragePool")
                        .with("kernel_shape", window)
                        .with("strides", window));
                }
                let (rows, columns) = (average::rows(height, size), average::columns(width, size));
                let rows = Values::Given { dims: vec![size, height], of: rows };
                let columns = Values::Given { dims: vec![width, size], of: columns };
                let rows = self.initializer(path, "rows", rows)?;
                let columns = self.initializer(path, "columns", columns)?;
                let over_rows = Node::new("MatMul", &format!("{path}.over_rows"));
                let shape = Shape::Images([channels, size, width]);
                let averaged = self.push(over_rows.reads([rows, input.name]), shape)?;
                Ok(Node::new("MatMul", path).reads([averaged.name, columns]))
            }
            (op, shape) => {
                Err(self.refused(path, format!("`{}` cannot follow {shape}", op.kind())))
            }
        }
    }

    /// Adds a node, whose output is named after it.
    fn push(&mut self, mut node: Node, shape: Shape) -> Result<Flow, ModelError> {
        let path = node.name.clone().unwrap_or_default();
        let name = self.claim(&path, "output")?;
        self.values.push(match shape {
            Shape::Images(sizes) => Value::batch_of(&name, &sizes),
            Shape::Features(size) => Value::batch_of(&name, &[size]),
        });
        node.output = vec![name.clone()];
        self.nodes.push(node);
        Ok(Flow { name, shape })
    }

    fn initializer(
        &mut self,
        path: &str,
        name: &str,
        values: Values,
    ) -> Result<String, ModelError> {
        let name = self.claim(path, name)?;
        self.initializers.push(Initializer { name: name.clone(), values });
        Ok(name)
    }

    /// The name of a value or tensor of the layer at `path`. All end with what they are, so that none
    /// is that of the input or of the output; two are alike only where two layers are.
    fn claim(&mut self, path: &str, what: &str) -> Result<String, ModelError> {
        let name = format!("{path}.{what}");
        if self.taken.insert(name.clone()) {
            return Ok(name);
        }
        let (architecture, layer) = (self.architecture.into(), path.into());
        Err(ModelError::DuplicateLayer { architecture, layer })
    }

    fn refused(&self, path: &str, reason: String) -> ModelError {
        ModelError::Layer { architecture: self.architecture.into(), layer: path.into(), reason }
    }
}
