//! safetensors: the length of a header in eight bytes, the header as JSON, then the values.
//!
//! The header is read by the crate `safetensors`. It is written here, since the crate writes the texts
//! of `__metadata__` in an order that changes from run to run.

use std::collections::BTreeMap;
use std::io::{self, Write};

use burn::tensor::{BoolStore, DType};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::float8::Float8;
use super::input::{Input, damaged};
use super::int8;
use super::parameters::Collected;
use super::stored::{Contents, Stored, Values};

/// The longest header that is read. A tensor takes about 100 bytes.
const LONGEST_HEADER: u64 = 16 << 20;

/// The bytes of the header's length, before it.
const LENGTH: usize = 8;

/// The header of the files that are written begins at, and ends before, a multiple of so many bytes.
const ALIGNMENT: usize = 8;

/// Reads the header.
pub(super) fn read(input: &Input<'_>) -> Result<Contents, String> {
    let length = input.read(0, LENGTH).map_err(|e| e.to_string())?;
    let length = length.try_into().map(u64::from_le_bytes).map_err(|_| "no header")?;
    let size = input.length();
    if length > size.saturating_sub(LENGTH as u64) {
        return Err(format!("it is cut off: a header of {length} bytes in a file of {size} bytes"));
    }
    if length > LONGEST_HEADER {
        return Err(format!("a header of {length} bytes, the longest are of {LONGEST_HEADER}"));
    }
    let header = input.read(LENGTH as u64, length as usize).map_err(|e| e.to_string())?;
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|e| damaged("header of safetensors", e))?;
    let values = LENGTH as u64 + length;
    let (described, there) = (header.data_len() as u64, size - values);
    if described != there {
        let what = if there < described { "cut off" } else { "damaged" };
        return Err(format!(
            "it is {what}: {there} bytes of values where {described} are described"
        ));
    }
    let (mut tensors, mut left_out) = (Vec::new(), Vec::new());
    for name in header.offset_keys() {
        let info = header.info(&name).ok_or_else(|| format!("no tensor `{name}`"))?;
        let (start, end) = info.data_offsets;
        let float8 = match info.dtype {
            Dtype::F8_E4M3 => Some(Float8::E4M3),
            Dtype::F8_E5M2 => Some(Float8::E5M2),
            _ => None,
        };
        let Some(dtype) = dtype(info.dtype).or(float8.map(|_| DType::F32)) else {
            left_out.push((name, format!("of the type {:?}", info.dtype)));
            continue;
        };
        let values = Values::At { offset: values + start as u64, bytes: end - start };
        let shape = info.shape.clone();
        tensors.push(Stored { shape, dtype, float8, scales: None, id: None, values, name });
    }
    let texts = header.metadata().iter().flatten();
    let metadata = texts.map(|(key, text)| (key.clone(), text.clone())).collect();
    let tensors = int8::join(tensors, &metadata)?;
    Ok(Contents { metadata, left_out, ..Contents::from(tensors) })
}

/// The types that are read and written, as safetensors and as Burn call them.
const TYPES: [(Dtype, DType); 13] = [
    (Dtype::F64, DType::F64),
    (Dtype::F32, DType::F32),
    (Dtype::F16, DType::F16),
    (Dtype::BF16, DType::BF16),
    (Dtype::I64, DType::I64),
    (Dtype::I32, DType::I32),
    (Dtype::I16, DType::I16),
    (Dtype::I8, DType::I8),
    (Dtype::U64, DType::U64),
    (Dtype::U32, DType::U32),
    (Dtype::U16, DType::U16),
    (Dtype::U8, DType::U8),
    (Dtype::BOOL, DType::Bool(BoolStore::Native)),
];

fn dtype(dtype: Dtype) -> Option<DType> {
    TYPES.into_iter().find(|(theirs, _)| *theirs == dtype).map(|(_, ours)| ours)
}

/// The other way round.
fn written(dtype: DType) -> Option<Dtype> {
    TYPES.into_iter().find(|(_, ours)| *ours == dtype).map(|(theirs, _)| theirs)
}

/// A header in the order in which it is written.
struct Header<'a> {
    metadata: &'a BTreeMap<String, String>,
    tensors: Vec<(&'a str, TensorInfo)>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("__metadata__", self.metadata)?;
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

/// Writes a file of `tensors` and of `metadata`. An existing one is replaced once the new one is whole.
#[cfg(feature = "files")]
pub(super) fn write_file(
    path: &std::path::Path,
    tensors: Vec<Collected<'_>>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), crate::ModelError> {
    let written = selvedge_files::replace(path, |file| {
        let mut out = io::BufWriter::new(file);
        Writer::new(tensors, metadata)?.write(&mut out)?;
        out.flush()
    });
    written.map_err(|error| super::file_error(Some(path), error.to_string()))
}

/// A file in the order in which it is written: the same bytes for the same tensors and texts.
pub(super) struct Writer<'a> {
    header: Vec<u8>,
    tensors: Vec<Collected<'a>>,
    values: usize,
}

impl<'a> Writer<'a> {
    /// A file of `tensors` and of `metadata`. The tensors are written in the order of their names; those of
    /// wider types come first, so that the values of all are aligned.
    pub fn new(
        mut tensors: Vec<Collected<'a>>,
        metadata: &BTreeMap<String, String>,
    ) -> io::Result<Self> {
        tensors
            .sort_by(|a, b| b.dtype.size().cmp(&a.dtype.size()).then_with(|| a.name.cmp(&b.name)));
        let unknown = |tensor: &Collected<'_>| {
            let reason = format!("{}: safetensors has no {:?}", tensor.name, tensor.dtype);
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        };
        let mut values = 0;
        let described = tensors.iter().map(|tensor| {
            let (start, end) = (values, values + tensor.bytes());
            values = end;
            let info = TensorInfo {
                dtype: written(tensor.dtype).ok_or_else(|| unknown(tensor))?,
                shape: tensor.shape.clone(),
                data_offsets: (start, end),
            };
            Ok((tensor.name.as_str(), info))
        });
        let header = Header { metadata, tensors: described.collect::<io::Result<_>>()? };
        let mut header = serde_json::to_vec(&header)?;
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        if header.len() as u64 > LONGEST_HEADER {
            let length = header.len();
            let reason = format!("a header of {length} bytes, the longest are of {LONGEST_HEADER}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(Self { header, tensors, values })
    }

    /// The size of the file in bytes.
    pub fn size(&self) -> usize {
        LENGTH + self.header.len() + self.values
    }

    /// Writes the file; a tensor is read from its device when its turn comes.
    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(&self.header)?;
        for tensor in self.tensors {
            tensor.write(out)?;
        }
        Ok(())
    }
}
