use std::io::{self, Read};
use std::path::Path;

use byteorder::{BigEndian, ByteOrder};

use selvedge_fetch::MaybeGzip;

use super::{IdxArray, IdxData, IdxError, IdxType};
use crate::DataError;
use crate::error::FileRepr;
use crate::fetch::FoundFile;

/// Memory is claimed in steps of at least this many elements as data arrives, so that a header
/// cannot make the reader allocate what the file does not hold.
const FIRST_STEP: usize = 1 << 16;

/// Bytes read at once; a multiple of every element size.
const CHUNK: usize = 1 << 16;

/// Reads IDX files, raw or gzip, from anything that implements [`Read`].
///
/// ```no_run
/// # use selvedge_data::IdxReader;
/// let labels = IdxReader::new()
///     .with_limit(1 << 20)
///     .read_file("datasets/fashion-mnist/train-labels-idx1-ubyte.gz")?;
/// assert_eq!(labels.shape(), [60_000]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct IdxReader {
    limit: u64,
}

impl Default for IdxReader {
    fn default() -> Self {
        Self::new()
    }
}

impl IdxReader {
    /// The limit unless another is set: 1 GiB.
    pub const DEFAULT_LIMIT: u64 = 1 << 30;

    /// A reader with the default limit.
    pub fn new() -> Self {
        Self { limit: Self::DEFAULT_LIMIT }
    }

    /// Sets the most bytes that the elements of an array may take. A header that claims more is
    /// an error before anything is allocated.
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Reads one array; the input must end with it.
    ///
    /// Memory grows as data arrives: an input of a few bytes whose header claims a gigabyte costs
    /// a few bytes.
    ///
    /// # Errors
    ///
    /// One variant of [`IdxError`] per defect. No input makes it panic.
    pub fn read<R: Read>(&self, input: R) -> Result<IdxArray, IdxError> {
        let content = MaybeGzip::new(input).map_err(|error| IdxError::Io { offset: 0, error })?;
        self.read_content(Content { content, offset: 0 })
    }

    /// Reads one array from a file, raw or gzip whatever its name.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or is not a sound IDX file; the error names its path and the defect's
    /// byte.
    pub fn read_file(&self, path: impl AsRef<Path>) -> Result<IdxArray, DataError> {
        self.read_found(&FoundFile::on_disk(path.as_ref()))
    }

    /// As [`read_file`](Self::read_file), from wherever the file is.
    pub(crate) fn read_found(&self, file: &FoundFile) -> Result<IdxArray, DataError> {
        let path = file.path();
        let content = file.open().map_err(|e| DataError::io("open", path, e))?;
        self.read(content).map_err(|error| FileRepr::Idx { path: path.to_owned(), error }.into())
    }

    fn read_content<R: Read>(&self, mut content: Content<R>) -> Result<IdxArray, IdxError> {
        let (element_type, shape) = read_header(&mut content)?;
        let count = self.check_size(element_type, &shape)?;
        let data = match element_type {
            IdxType::U8 => IdxData::U8(content.elements(count, 1, |from, to| {
                to.extend_from_slice(from);
            })?),
            IdxType::I8 => IdxData::I8(content.elements(count, 1, |from, to| {
                to.extend(from.iter().map(|&b| b.cast_signed()));
            })?),
            IdxType::I16 => IdxData::I16(content.elements(count, 2, |from, to| {
                to.extend(from.chunks_exact(2).map(BigEndian::read_i16));
            })?),
            IdxType::I32 => IdxData::I32(content.elements(count, 4, |from, to| {
                to.extend(from.chunks_exact(4).map(BigEndian::read_i32));
            })?),
            IdxType::F32 => IdxData::F32(content.elements(count, 4, |from, to| {
                to.extend(from.chunks_exact(4).map(BigEndian::read_f32));
            })?),
            IdxType::F64 => IdxData::F64(content.elements(count, 8, |from, to| {
                to.extend(from.chunks_exact(8).map(BigEndian::read_f64));
            })?),
        };
        content.expect_end()?;
        let shape = shape.into_iter().map(|d| d as usize).collect();
        IdxArray::new(shape, data)
    }

    /// Number of elements, once it is sure that their bytes can be counted and are allowed.
    fn check_size(&self, element_type: IdxType, shape: &[u32]) -> Result<usize, IdxError> {
        let mut bytes = element_type.size() as u64;
        for (dimension, &size) in shape.iter().enumerate() {
            let offset = 4 + 4 * dimension as u64;
            if size == 0 {
                return Err(IdxError::ZeroDimension { dimension, offset });
            }
            bytes = bytes
                .checked_mul(u64::from(size))
                .filter(|&b| usize::try_from(b).is_ok())
                .ok_or(IdxError::Overflow { dimension, offset, found: size })?;
        }
        if bytes > self.limit {
            return Err(IdxError::TooLarge {
                offset: 4 + 4 * shape.len() as u64,
                expected: self.limit,
                found: bytes,
            });
        }
        Ok(bytes as usize / element_type.size())
    }
}

fn read_header<R: Read>(content: &mut Content<R>) -> Result<(IdxType, Vec<u32>), IdxError> {
    let mut magic = [0; 4];
    content.exact(&mut magic, "magic number")?;
    if magic[..2] != [0, 0] {
        return Err(IdxError::BadMagic { found: magic });
    }
    let element_type =
        IdxType::from_code(magic[2]).ok_or(IdxError::UnknownType { found: magic[2] })?;
    let rank = usize::from(magic[3]);
    if rank == 0 {
        return Err(IdxError::NoDimensions);
    }
    let mut dimensions = vec![0; 4 * rank];
    content.exact(&mut dimensions, "dimensions")?;
    let shape = dimensions.chunks_exact(4).map(BigEndian::read_u32).collect();
    Ok((element_type, shape))
}

/// The decompressed content, with its position and the meaning of its errors.
struct Content<R: Read> {
    content: MaybeGzip<R>,
    offset: u64,
}

impl<R: Read> Content<R> {
    /// Fills as much of `buffer` as the content still has; fewer bytes than asked means the end.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, IdxError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.content.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    self.offset += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(e)),
            }
        }
        Ok(filled)
    }

    fn error(&self, error: io::Error) -> IdxError {
        let offset = self.offset;
        match error.kind() {
            io::ErrorKind::UnexpectedEof if self.content.is_gzip() => {
                IdxError::TruncatedGzip { offset }
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.content.is_gzip() => {
                IdxError::CorruptGzip { offset, reason: error.to_string() }
            }
            _ => IdxError::Io { offset, error },
        }
    }

    fn exact(&mut self, buffer: &mut [u8], part: &'static str) -> Result<(), IdxError> {
        let found = self.fill(buffer)?;
        if found < buffer.len() {
            return Err(IdxError::Truncated {
                part,
                offset: self.offset,
                expected: buffer.len() as u64,
                found: found as u64,
            });
        }
        Ok(())
    }

    /// Reads `count` elements of `size` bytes, converted a chunk at a time by `append`.
    fn elements<T>(
        &mut self,
        count: usize,
        size: usize,
        append: impl Fn(&[u8], &mut Vec<T>),
    ) -> Result<Vec<T>, IdxError> {
        let mut elements = Vec::new();
        let mut chunk = vec![0; CHUNK.min(count * size)];
        while elements.len() < count {
            let wanted = (CHUNK / size).min(count - elements.len());
            let bytes = &mut chunk[..wanted * size];
            let found = self.fill(bytes)?;
            if found < bytes.len() {
                return Err(IdxError::Truncated {
                    part: "data",
                    offset: self.offset,
                    expected: (count * size) as u64,
                    found: (elements.len() * size + found) as u64,
                });
            }
            if elements.capacity() - elements.len() < wanted {
                // Doubling, but never past the end: the last step ends exactly at `count`.
                let step = elements.len().max(FIRST_STEP).min(count - elements.len());
                elements.reserve_exact(step.max(wanted));
            }
            append(bytes, &mut elements);
        }
        Ok(elements)
    }

    fn expect_end(&mut self) -> Result<(), IdxError> {
        let end = self.offset;
        // Reading past the last element also makes gzip compare its check sum.
        match self.fill(&mut [0])? {
            0 => Ok(()),
            _ => Err(IdxError::TrailingBytes { offset: end }),
        }
    }
}
