//! Burn's own format, by its own reader and writer.

use std::path::Path;

use burn::store::burn_pack::{Bytes, HEADER_SIZE, Reader};

use super::input::{Input, damaged};
use super::stored::Stored;

/// Reads a file, or its bytes where there is no path.
pub(super) fn read(input: &Input<'_>, path: Option<&Path>) -> Result<Vec<Stored>, String> {
    // The reader sets memory aside for the descriptions before it knows whether they are there.
    let header = input.read(0, HEADER_SIZE).map_err(|e| e.to_string())?;
    let described = u32::from_le_bytes([header[6], header[7], header[8], header[9]]);
    let length = input.length();
    if u64::from(described) + HEADER_SIZE as u64 > length {
        return Err(format!("{described} bytes of descriptions in a file of {length} bytes"));
    }
    let reader = match (path, input.in_memory()) {
        (Some(path), None) => Reader::from_file_exact(path),
        (_, bytes) => Reader::from_bytes(Bytes::from_bytes_vec(bytes.unwrap_or_default().into())),
    };
    let tensors = reader.and_then(Reader::into_tensors);
    let tensors = tensors.map_err(|e| damaged("burnpack file", e))?;
    Ok(tensors.into_iter().map(Stored::from).collect())
}
