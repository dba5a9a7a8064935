//! A network's layers as ONNX nodes.

use std::collections::HashSet;

use burn::module::Param;
use burn::tensor::Tensor;

use super::INPUT;
use super::proto::{Node, Value};
use super::tensor::{Initializer, Values};
use crate::network::sequence::Sequence;
use crate::network::step::{self, Params};
use crate::{ModelError, Network, Op, Padding, Shape};

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
pub(super) struct Flow {
    pub name: String,
    pub shape: Shape,
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

pub(super) struct Builder<'a> {
    architecture: &'a str,
    pub(super) nodes: Vec<Node>,
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
            (Params::Conv2d(conv), op @ &Op::Conv2d { kernel, stride, padding, .. }) => {
                let weight = Values::Kernels(conv.weight.val());
                let Padding { top, bottom, left, right } = padding;
                let node = Node::new("Conv", path)
                    .reads(self.weighted(input.name, path, weight, &conv.bias)?)
                    .with("kernel_shape", kernel.each())
                    .with("pads", [top, left, bottom, right])
                    .with("strides", stride.each());
                grouped(node, op)
            }
            (Params::ConvTranspose2d(conv), op @ &Op::ConvTranspose2d { kernel, .. }) => {
                let weight = Values::Kernels(conv.weight.val());
                let node = Node::new("ConvTranspose", path)
                    .reads(self.weighted(input.name, path, weight, &conv.bias)?)
                    .with("kernel_shape", kernel.each());
                spread(node, op)
            }
            (Params::Linear(linear), _) => {
                let weight = Values::Transposed(linear.weight.val());
                Node::new("Gemm", path)
                    .reads(self.weighted(input.name, path, weight, &linear.bias)?)
                    .with("transB", 1)
            }
            (Params::BatchNorm(norm), _) => self.batch_norm(norm.inner(), path, input)?,
            (Params::GroupNorm(norm), _) => self.group_norm(norm, path, input)?,
            (Params::LayerNorm(norm), &Op::LayerNorm { epsilon }) => {
                self.layer_norm(norm, epsilon, path, input)?
            }
            (Params::Paths(paths), op) => {
                let inner = format!("{path}.");
                let reaches = self.sequence(&paths.before, &inner, input)?;
                let ends = paths.branches.iter();
                let ends = ends.map(|p| Ok(self.sequence(p, &inner, reaches.clone())?.name));
                let ends = ends.collect::<Result<Vec<String>, ModelError>>()?;
                match op {
                    Op::Gate { .. } => {
                        Node::new("Mul", path).reads([reaches.name].into_iter().chain(ends))
                    }
                    Op::Concat { .. } => Node::new("Concat", path).reads(ends).with("axis", 1),
                    _ => Node::new("Add", path).reads(ends),
                }
            }
            (Params::None(_), op) if op.is_identity_in_inference() => return Ok(input),
            (Params::None(_), op) => self.plain(op, path, input, shape)?,
            (_, op) => return Err(self.refused(path, format!("`{}` lacks weights", op.kind()))),
        };
        self.push(new, shape)
    }

    /// The inputs of a layer with a weight and, where it has one, a bias.
    pub(super) fn weighted(
        &mut self,
        input: String,
        path: &str,
        weight: Values,
        bias: &Option<Param<Tensor<1>>>,
    ) -> Result<Vec<String>, ModelError> {
        let mut inputs = vec![input, self.initializer(path, "weight", weight)?];
        if let Some(bias) = bias {
            inputs.push(self.initializer(path, "bias", Values::Vector(bias.val()))?);
        }
        Ok(inputs)
    }

    /// Adds a node, whose output is named after it.
    pub(super) fn push(&mut self, node: Node, shape: Shape) -> Result<Flow, ModelError> {
        let name = match shape {
            Shape::Images(sizes) => self.push_sized(node, &sizes),
            Shape::Features(size) => self.push_sized(node, &[size]),
        }?;
        Ok(Flow { name, shape })
    }

    /// Adds a node whose output is a batch of tensors of these sizes, and gives the output's name.
    pub(super) fn push_sized(
        &mut self,
        mut node: Node,
        sizes: &[usize],
    ) -> Result<String, ModelError> {
        let path = node.name.clone().unwrap_or_default();
        let name = self.claim(&path, "output")?;
        self.values.push(Value::batch_of(&name, sizes));
        node.output = vec![name.clone()];
        self.nodes.push(node);
        Ok(name)
    }

    pub(super) fn initializer(
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
    pub(super) fn claim(&mut self, path: &str, what: &str) -> Result<String, ModelError> {
        let name = format!("{path}.{what}");
        if self.taken.insert(name.clone()) {
            return Ok(name);
        }
        let (architecture, layer) = (self.architecture.into(), path.into());
        Err(ModelError::DuplicateLayer { architecture, layer })
    }

    pub(super) fn refused(&self, path: &str, reason: String) -> ModelError {
        ModelError::Layer { architecture: self.architecture.into(), layer: path.into(), reason }
    }
}

/// A convolution with what is not as in most.
fn grouped(mut node: Node, op: &Op) -> Node {
    let &Op::Conv2d { dilation, groups, .. } = op else { return node };
    if dilation != 1 {
        node = node.with("dilations", [dilation; 2]);
    }
    if groups != 1 {
        node = node.with("group", groups as i64);
    }
    node
}

/// A transposed convolution with what is not as in most.
fn spread(mut node: Node, op: &Op) -> Node {
    let &Op::ConvTranspose2d { stride, padding, output_padding, dilation, groups, .. } = op else {
        return node;
    };
    if dilation != 1 {
        node = node.with("dilations", [dilation; 2]);
    }
    if groups != 1 {
        node = node.with("group", groups as i64);
    }
    if stride != 1.into() {
        node = node.with("strides", stride.each());
    }
    if padding != 0.into() {
        let [rows, columns] = padding.each();
        node = node.with("pads", [rows, columns, rows, columns]);
    }
    if output_padding != 0.into() {
        node = node.with("output_padding", output_padding.each());
    }
    node
}
