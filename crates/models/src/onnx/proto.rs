//! The part of `onnx.proto` that a feed-forward network needs, field numbers as published with ONNX.
//!
//! Fields stand in the order of their numbers, which is the order in which they are written. Lists
//! of numbers are not packed, as in the files of other writers: the format is proto2.

/// `TensorProto.DataType.FLOAT`
pub(super) const FLOAT: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Model {
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    #[prost(message, repeated, tag = "14")]
    pub metadata: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    /// Empty for ONNX's own operators.
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// `StringStringEntryProto`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<Value>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<Value>,
    /// What flows between the nodes.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<Value>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

impl Node {
    /// A node called `name`; its output is named when it enters the graph.
    pub fn new(op_type: &str, name: &str) -> Self {
        Self { name: Some(name.into()), op_type: Some(op_type.into()), ..Self::default() }
    }

    /// With these values and initializers as its inputs; an empty name leaves an optional one out.
    pub fn reads<S: Into<String>>(self, input: impl IntoIterator<Item = S>) -> Self {
        Self { input: input.into_iter().map(Into::into).collect(), ..self }
    }

    /// With one more attribute.
    pub fn with(mut self, name: &str, value: impl Into<Setting>) -> Self {
        let name = Some(name.into());
        self.attribute.push(match value.into() {
            Setting::Float(f) => {
                Attribute { name, f: Some(f), kind: Some(1), ..Default::default() }
            }
            Setting::Int(i) => Attribute { name, i: Some(i), kind: Some(2), ..Default::default() },
            Setting::Text(text) => {
                Attribute { name, s: Some(text.into()), kind: Some(3), ..Default::default() }
            }
            Setting::Ints(ints) => Attribute { name, ints, kind: Some(7), ..Default::default() },
        });
        self
    }
}

/// The value of an attribute.
pub(super) enum Setting {
    Float(f32),
    Int(i64),
    Text(&'static str),
    Ints(Vec<i64>),
}

impl From<f32> for Setting {
    fn from(value: f32) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Setting {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&'static str> for Setting {
    fn from(value: &'static str) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<i64>> for Setting {
    fn from(values: Vec<i64>) -> Self {
        Self::Ints(values)
    }
}

impl<const N: usize> From<[usize; N]> for Setting {
    fn from(values: [usize; N]) -> Self {
        Self::Ints(values.map(|value| value as i64).to_vec())
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Attribute {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// `AttributeType`: which of the fields above counts.
    #[prost(int32, optional, tag = "20")]
    pub kind: Option<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// Little-endian, whatever the machine.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
}

/// `ValueInfoProto`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Value {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    #[prost(message, optional, tag = "2")]
    pub kind: Option<Type>,
}

impl Value {
    /// Floats of `[batch, …sizes]`.
    pub fn batch_of(name: &str, sizes: &[usize]) -> Self {
        let batch = Dimension { size: None, name: Some("batch".into()) };
        let size = |&n: &usize| Dimension { size: Some(n as i64), name: None };
        let shape =
            TensorShape { dim: [batch].into_iter().chain(sizes.iter().map(size)).collect() };
        let tensor = TensorType { elem_type: Some(FLOAT), shape: Some(shape) };
        Self { name: Some(name.into()), kind: Some(Type { tensor_type: Some(tensor) }) }
    }
}

/// `TypeProto`, of whose kinds a network needs one.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorType {
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShape>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorShape {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// A size that is known, or the name of one that is not: never both.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dimension {
    #[prost(int64, optional, tag = "1")]
    pub size: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}
