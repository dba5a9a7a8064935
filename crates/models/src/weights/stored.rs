//! A tensor of a file: described from the start, read when a network takes it.

use std::fmt;

use burn::tensor::{DType, TensorData};

use super::float8::Float8;
use super::format::Format;
use super::input::Input;
use super::int8;
use super::options::Choice;
use crate::error::printable;

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// The name, such as `conv1.weight`.
    pub name: String,
    /// The shape, in the file's layout.
    pub shape: Vec<usize>,
    /// The type of its elements.
    pub dtype: DType,
}

impl fmt::Display for TensorInfo {
    /// One line: the name, its control characters escaped, the type of the elements and the shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:40} {:?} {:?}", printable(&self.name), self.dtype, self.shape)
    }
}

/// A tensor with the place of its values.
#[derive(Debug)]
pub(super) struct Stored {
    pub name: String,
    pub shape: Vec<usize>,
    /// As the values are read.
    pub dtype: DType,
    /// The kind of floats in the file, where Burn has no such type.
    pub float8: Option<Float8>,
    /// Where the scales of whole numbers of eight bits are, in the file itself: their offset and bytes.
    pub scales: Option<(u64, usize)>,
    /// What Burn's optimizers knew the parameter by, where the file says it.
    pub id: Option<u64>,
    pub values: Values,
}

/// Where the values of a tensor are.
#[derive(Debug)]
pub(super) enum Values {
    /// Little-endian, in the file itself.
    At { offset: u64, bytes: usize },
    /// In a storage of a file of PyTorch.
    #[cfg(feature = "pytorch")]
    View(super::pytorch::View),
    /// Where a reader of Burn's keeps them.
    #[cfg(feature = "burnpack")]
    InReader(burn::store::burn_pack::Tensor),
}

/// What a file holds, its values not yet read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub tensors: Vec<Stored>,
    /// What the content says about the format beyond the first bytes.
    pub format: Option<Format>,
    /// The keys of the checkpoint under which the weights were found, joined by dots.
    pub key: Option<String>,
    /// All sets of weights in the file, of which one was taken.
    pub choices: Vec<Choice>,
    /// Tensors that are not read: the name, and what it is instead.
    pub left_out: Vec<(String, String)>,
    /// Python names in a pickle besides those that build tensors.
    pub ignored_names: Vec<String>,
    /// The texts that a safetensors file holds besides.
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl From<Vec<Stored>> for Contents {
    fn from(tensors: Vec<Stored>) -> Self {
        Self { tensors, ..Self::default() }
    }
}

impl Stored {
    /// The name, shape and type.
    pub fn info(&self) -> TensorInfo {
        TensorInfo { name: self.name.clone(), shape: self.shape.clone(), dtype: self.dtype }
    }

    /// Reads the values from the tensor's file, as f32.
    pub fn read(&self, input: &Input<'_>) -> Result<TensorData, String> {
        let data = self.data(input)?;
        Ok(match self.dtype {
            DType::F32 => data,
            _ => data.convert_dtype(DType::F32),
        })
    }

    /// Reads the values from the tensor's file, in the file's type.
    pub fn data(&self, input: &Input<'_>) -> Result<TensorData, String> {
        let read = |offset, bytes| input.read(offset, bytes).map_err(|e| e.to_string());
        Ok(match &self.values {
            Values::At { offset, bytes } => match self.scales {
                Some((at, count)) => {
                    let values = int8::values(&read(*offset, *bytes)?, &read(at, count)?);
                    TensorData::new(values, self.shape.clone())
                }
                None => self.of_bytes(read(*offset, *bytes)?),
            },
            #[cfg(feature = "pytorch")]
            Values::View(view) => self.of_bytes(view.read(input)?),
            #[cfg(feature = "burnpack")]
            Values::InReader(tensor) => {
                burn::store::bridge::to_data(tensor).map_err(|e| e.to_string())?
            }
        })
    }

    /// The values of which these are the bytes.
    fn of_bytes(&self, mut bytes: Vec<u8>) -> TensorData {
        if let Some(float8) = self.float8 {
            bytes = float8.widened(&bytes);
        }
        if let DType::Bool(_) = self.dtype {
            // Other bytes than 0 and 1 are no truth values in Rust.
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        TensorData::from_bytes_vec(bytes, self.shape.clone(), self.dtype)
    }
}

/// How many values are NaN or infinite.
pub(super) fn non_finite(data: &TensorData) -> usize {
    let values = data.as_slice::<f32>().unwrap_or_default();
    values.iter().filter(|value| !value.is_finite()).count()
}

#[cfg(feature = "burnpack")]
impl From<burn::store::burn_pack::Tensor> for Stored {
    fn from(tensor: burn::store::burn_pack::Tensor) -> Self {
        Self {
            name: tensor.name.clone(),
            shape: tensor.shape.to_vec(),
            dtype: tensor.dtype,
            float8: None,
            scales: None,
            id: tensor.param_id,
            values: Values::InReader(tensor),
        }
    }
}
