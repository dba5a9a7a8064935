//! The file, written a tensor at a time.
//!
//! A protobuf message that lies in another stands behind its length, so that a writer of whole
//! messages must hold all of a model twice. Here the lengths are computed from the shapes alone; the
//! tensors are then read from the device one by one. What comes out is byte for byte what the whole
//! message would give.

use std::io::{self, Write};

use prost::Message;

use super::graph::Graph;
use super::proto::{self, Entry, OperatorSet};
use super::tensor::Initializer;
use super::{IR_VERSION, OPSET};

/// The largest message that readers of protobuf accept.
const LARGEST_FILE: u64 = i32::MAX as u64;

/// Numbers of the fields that hold the parts of what is written here.
const GRAPH_IN_MODEL: u8 = 7;
const INITIALIZER_IN_GRAPH: u8 = 5;
const RAW_DATA_IN_TENSOR: u8 = 9;

/// A model in the order in which it is written.
pub(super) struct File {
    /// Of the model, what stands before the graph.
    model_head: Vec<u8>,
    /// Of the graph, what stands before the tensors.
    graph_head: Vec<u8>,
    tensors: Vec<Initializer>,
    graph_tail: Vec<u8>,
    model_tail: Vec<u8>,
}

impl File {
    pub fn new(graph: Graph, metadata: Vec<Entry>) -> Self {
        let model_head = proto::Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some("selvedge".into()),
            producer_version: Some(env!("CARGO_PKG_VERSION").into()),
            ..Default::default()
        };
        let graph_head =
            proto::Graph { node: graph.nodes, name: Some(graph.name), ..Default::default() };
        let graph_tail = proto::Graph {
            input: vec![graph.input],
            output: vec![graph.output],
            value_info: graph.between,
            ..Default::default()
        };
        let operators = OperatorSet { domain: Some(String::new()), version: Some(OPSET) };
        let model_tail =
            proto::Model { opset_import: vec![operators], metadata, ..Default::default() };
        Self {
            model_head: model_head.encode_to_vec(),
            graph_head: graph_head.encode_to_vec(),
            tensors: graph.initializers,
            graph_tail: graph_tail.encode_to_vec(),
            model_tail: model_tail.encode_to_vec(),
        }
    }

    /// The size in bytes, or else the size that is too large for any reader.
    pub fn size(&self) -> Result<u64, u64> {
        let around = self.model_head.len() + self.model_tail.len();
        let size = around as u64 + field_size(self.graph_size());
        if size > LARGEST_FILE { Err(size) } else { Ok(size) }
    }

    fn graph_size(&self) -> u64 {
        let tensors = self.tensors.iter().map(|tensor| field_size(tensor_size(tensor)));
        (self.graph_head.len() + self.graph_tail.len()) as u64 + tensors.sum::<u64>()
    }

    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.model_head)?;
        begin_field(out, GRAPH_IN_MODEL, self.graph_size())?;
        out.write_all(&self.graph_head)?;
        for tensor in self.tensors {
            begin_field(out, INITIALIZER_IN_GRAPH, tensor_size(&tensor))?;
            out.write_all(&tensor.header().encode_to_vec())?;
            begin_field(out, RAW_DATA_IN_TENSOR, tensor.bytes())?;
            tensor.write(out)?;
        }
        out.write_all(&self.graph_tail)?;
        out.write_all(&self.model_tail)
    }

    /// Writes beside `path`, and puts the file in its place once it is whole.
    #[cfg(feature = "files")]
    pub fn write_to(self, path: &std::path::Path) -> io::Result<()> {
        selvedge_files::replace(path, |file| {
            let mut out = io::BufWriter::new(file);
            self.write(&mut out)?;
            out.flush()
        })
    }
}

/// The size of a tensor's message.
fn tensor_size(tensor: &Initializer) -> u64 {
    tensor.header().encoded_len() as u64 + field_size(tensor.bytes())
}

/// The size of a field of `length` bytes, with its number, below 16, and its length before it.
fn field_size(length: u64) -> u64 {
    1 + varint(length).len() as u64 + length
}

fn begin_field(out: &mut impl Write, number: u8, length: u64) -> io::Result<()> {
    const LENGTH_DELIMITED: u8 = 2;
    out.write_all(&[number << 3 | LENGTH_DELIMITED])?;
    out.write_all(&varint(length))
}

/// Seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
