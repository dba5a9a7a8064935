//! Tensors within storages: their values, gathered when a network takes them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::super::input::Input;
use super::super::options::elements;
use super::archive::Place;
use super::tensor::Described;

/// The values that one or more tensors share.
#[derive(Debug)]
pub struct Storage {
    source: Source,
    /// Whether the most significant byte of a value is the first.
    is_big_endian: bool,
    /// Whether its checksum has been held against its values.
    verified: OnceLock<()>,
}

/// Where values are.
#[derive(Debug)]
pub enum Source {
    /// In the file, as they are or packed.
    Place(Place),
    /// In the file as text, in UTF-8, of which each character is a byte: how Python 3 writes bytes in old pickles.
    /// The size of the place is that of the values.
    Latin1(Place),
    /// Few enough to have been kept when the pickle was read.
    Kept(Vec<u8>),
}

impl Storage {
    pub fn new(place: Place, is_big_endian: bool) -> Arc<Self> {
        Self::of(Source::Place(place), is_big_endian)
    }

    pub fn of(source: Source, is_big_endian: bool) -> Arc<Self> {
        Arc::new(Self { source, is_big_endian, verified: OnceLock::new() })
    }

    /// Bytes of the values.
    pub fn size(&self) -> u64 {
        match &self.source {
            Source::Place(place) | Source::Latin1(place) => place.size,
            Source::Kept(bytes) => bytes.len() as u64,
        }
    }

    pub fn is_deflated(&self) -> bool {
        matches!(&self.source, Source::Place(place) if place.is_deflated)
    }

    /// A part of the values; the first time the whole is held against its checksum.
    fn read(&self, input: &Input<'_>, part: Range<u64>) -> Result<Vec<u8>, String> {
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(part.end as usize);
            bytes.drain(..part.start as usize);
            bytes
        };
        let place = match &self.source {
            Source::Kept(bytes) => return Ok(cut(bytes.clone())),
            Source::Latin1(place) => {
                let text = input.read(place.offset, place.packed as usize);
                let bytes = latin1(&text.map_err(|e| e.to_string())?)?;
                return match bytes.len() as u64 == place.size {
                    true => Ok(cut(bytes)),
                    false => {
                        Err(format!("{} bytes where {} are described", bytes.len(), place.size))
                    }
                };
            }
            Source::Place(place) => place,
        };
        let whole = 0..place.size;
        if place.is_deflated || (part == whole && self.verified.get().is_none()) {
            let bytes = place.read(input)?;
            self.verified.get_or_init(|| ());
            return Ok(cut(bytes));
        }
        if self.verified.get().is_none() {
            place.verify(input)?;
            self.verified.get_or_init(|| ());
        }
        let length = (part.end - part.start) as usize;
        input.read(place.offset + part.start, length).map_err(|e| e.to_string())
    }
}

/// The bytes of which a text in UTF-8 has the characters.
pub fn latin1(text: &[u8]) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "bytes that are no text")?;
    let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| "text that stands for no bytes");
    Ok(text.chars().map(byte).collect::<Result<_, _>>()?)
}

/// A tensor in a storage.
#[derive(Debug)]
pub struct View {
    storage: Arc<Storage>,
    /// The bytes of the storage from its first element to its last.
    part: Range<u64>,
    shape: Vec<usize>,
    strides: Vec<usize>,
    width: usize,
}

impl View {
    /// The tensor that is described, if it lies within `storage`.
    pub fn new(tensor: &Described, storage: Arc<Storage>) -> Result<Self, String> {
        let width = tensor.width();
        let part = extent(tensor, width as u64).filter(|part| part.end <= storage.size());
        let part = part.ok_or_else(|| {
            let (shape, size) = (&tensor.shape, storage.size());
            format!(
                "a tensor of shape {shape:?} does not lie within the {size} bytes of its storage"
            )
        })?;
        let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
        Ok(Self { storage, part, shape, strides, width })
    }

    pub fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    /// Bytes of the values once they are read.
    pub fn bytes(&self) -> u64 {
        elements(&self.shape).saturating_mul(self.width as u64)
    }

    /// The values in the order of the tensor's elements, little-endian.
    pub fn read(&self, input: &Input<'_>) -> Result<Vec<u8>, String> {
        let stored = self.storage.read(input, self.part.clone())?;
        let mut bytes = match self.is_contiguous() {
            true => stored,
            false => self.gather(&stored),
        };
        if self.storage.is_big_endian {
            bytes.chunks_exact_mut(self.width).for_each(<[u8]>::reverse);
        }
        Ok(bytes)
    }

    /// Whether the elements stand one after the other; the stride of a dimension of one does not matter.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let is_next = size == 1 || stride == expected;
            expected = expected.saturating_mul(size);
            is_next
        }) || self.bytes() == 0
    }

    fn gather(&self, stored: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes() as usize);
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        loop {
            bytes.extend_from_slice(&stored[at * self.width..(at + 1) * self.width]);
            // The next index, the last dimension the fastest.
            let mut dim = self.shape.len();
            loop {
                if dim == 0 {
                    return bytes;
                }
                dim -= 1;
                index[dim] += 1;
                at += self.strides[dim];
                if index[dim] < self.shape[dim] {
                    break;
                }
                at -= self.strides[dim] * index[dim];
                index[dim] = 0;
            }
        }
    }
}

/// The bytes from the first element to the last, or `None` if they are too many to be counted.
fn extent(tensor: &Described, width: u64) -> Option<Range<u64>> {
    // Of an empty tensor as well: whoever counts its elements multiplies these.
    let mut sizes = tensor.shape.iter().map(|&size| size.max(1) as u64);
    sizes.try_fold(width, u64::checked_mul)?;
    let mut last = tensor.offset;
    for (&size, &stride) in tensor.shape.iter().zip(&tensor.strides) {
        let steps = (size as u64).saturating_sub(1);
        last = last.checked_add(steps.checked_mul(stride as u64)?)?;
    }
    if tensor.shape.contains(&0) {
        return Some(0..0);
    }
    let start = tensor.offset.checked_mul(width)?.checked_add(tensor.before)?;
    Some(start..last.checked_add(1)?.checked_mul(width)?.checked_add(tensor.before)?)
}
