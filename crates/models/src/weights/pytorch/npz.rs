//! Archives of NumPy: a file `NAME.npy` for each array.
//!
//! An array is a magic number, a version, the length of a header, the header as a dictionary of Python, and the
//! values: NumPy's `lib/format.py`.

use super::super::format::Format;
use super::super::input::{Input, damaged};
use super::super::pickle::ArrayType;
use super::super::stored::{Contents, Stored, Values};
use super::archive::{Archive, Place};
use super::array::{element, strides};
use super::check_unfolded;
use super::tensor::{Described, Home};
use super::view::{Storage, View};

/// How the name of an array in an archive ends.
pub const END: &str = ".npy";

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read; NumPy itself refuses those of more than 10,000 bytes.
const LONGEST_HEADER: usize = 16 << 10;

/// Whether an archive holds arrays.
pub fn is_one(archive: &Archive) -> bool {
    archive.entries.iter().any(|entry| entry.name.ends_with(END))
}

/// Reads the headers of all arrays.
pub fn read(archive: &Archive, input: &Input<'_>) -> Result<Contents, String> {
    let (mut tensors, mut left_out, mut unfolded) = (Vec::new(), Vec::new(), 0u64);
    for entry in &archive.entries {
        let Some(name) = entry.name.strip_suffix(END) else {
            left_out.push((entry.name.clone(), "no array".into()));
            continue;
        };
        let failed = |reason: String| damaged("archive of NumPy", format!("{name}: {reason}"));
        let place = entry.place(input).map_err(failed)?;
        let header = Header::read(&place, input).map_err(failed)?;
        let Some(dtype) = element(&header.dtype.name) else {
            left_out.push((name.into(), header.dtype.left_out()));
            continue;
        };
        let described = Described {
            home: Home::Storage(String::new()),
            storage_bytes: place.size,
            before: header.length,
            offset: 0,
            strides: strides(&header.shape, header.is_fortran),
            shape: header.shape,
            dtype,
            float8: None,
        };
        let storage = Storage::new(place, header.dtype.is_big_endian);
        let size = storage.size();
        unfolded = unfolded.saturating_add(size);
        let view = View::new(&described, storage).map_err(failed)?;
        // Of a packed entry, the header can be longer than the whole is said to be.
        let values = size.saturating_sub(header.length);
        if header.length.saturating_add(view.bytes()) != size {
            let described = view.bytes();
            let reason = format!("{values} bytes of values where {described} are described");
            return Err(failed(reason));
        }
        let Described { shape, dtype, float8, .. } = described;
        let values = Values::View(view);
        tensors.push(Stored {
            name: name.into(),
            shape,
            dtype,
            float8,
            scales: None,
            id: None,
            values,
        });
    }
    check_unfolded(unfolded, input.length())?;
    match (tensors.is_empty(), left_out.first()) {
        (true, Some((name, what))) => Err(format!(
            "an archive of NumPy without arrays of numbers that are read: `{name}` is {what}"
        )),
        (true, None) => Err("an archive of NumPy without arrays of numbers".into()),
        (false, _) => {
            Ok(Contents { tensors, left_out, format: Some(Format::Npz), ..Contents::default() })
        }
    }
}

/// What stands before the values of an array.
struct Header {
    dtype: ArrayType,
    shape: Vec<usize>,
    is_fortran: bool,
    /// Bytes up to the values.
    length: u64,
}

impl Header {
    fn read(place: &Place, input: &Input<'_>) -> Result<Self, String> {
        let bytes = place.beginning(input, LONGEST_HEADER)?;
        let start = match (bytes.strip_prefix(MAGIC), bytes.get(MAGIC.len())) {
            (Some(_), Some(1)) => 10,
            (Some(_), Some(2 | 3)) => 12,
            (Some(_), Some(version)) => {
                return Err(format!("version {version} of arrays is not read"));
            }
            _ => return Err("it is no array of NumPy".into()),
        };
        let length = bytes.get(8..start).ok_or("its header is cut off")?;
        let length = length.iter().rev().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
        let end = start.saturating_add(length);
        let text = bytes.get(start..end).ok_or("its header is cut off or too long")?;
        let text = std::str::from_utf8(text).map_err(|_| "its header is no text")?;
        let (dtype, shape, is_fortran) = parsed(text).ok_or("its header is damaged")?;
        Ok(Self { dtype, shape, is_fortran, length: end as u64 })
    }
}

/// The type, the shape and whether columns come first, of `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}`.
fn parsed(header: &str) -> Option<(ArrayType, Vec<usize>, bool)> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let descr = value("descr")?;
    let dtype = match descr.strip_prefix('\'') {
        Some(text) => ArrayType::parsed(text.split('\'').next()?)?,
        // A list of fields.
        None => ArrayType { name: "V".into(), width: 0, is_big_endian: false },
    };
    let is_fortran = match value("fortran_order")? {
        text if text.starts_with("True") => true,
        text if text.starts_with("False") => false,
        _ => return None,
    };
    let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
    // Python 2 wrote `3L`.
    let sizes = shape.split(',').map(|size| size.trim().trim_end_matches('L'));
    let shape = sizes.filter(|size| !size.is_empty()).map(|size| size.parse().ok());
    Some((dtype, shape.collect::<Option<_>>()?, is_fortran))
}
