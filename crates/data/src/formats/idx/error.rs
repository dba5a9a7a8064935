use std::io;

/// What is wrong with an IDX file, and at which byte of its (decompressed) content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxError {
    /// The content ends before what its header claims, or within the header.
    #[error("truncated at byte {offset}: expected {expected} bytes of {part}, found {found}")]
    Truncated {
        /// What is cut off: "magic number", "dimensions" or "data".
        part: &'static str,
        /// Where the content ends.
        offset: u64,
        /// Bytes that this part should have.
        expected: u64,
        /// Bytes of this part that are there.
        found: u64,
    },
    /// More bytes follow the last element.
    #[error("trailing bytes at byte {offset}: expected the end, found more data")]
    TrailingBytes {
        /// Where the content should end.
        offset: u64,
    },
    /// The first two bytes are not zero: not an IDX file.
    #[error(
        "bad magic number at byte 0: expected 00 00 and a type and rank byte, found {:02X} {:02X} {:02X} {:02X}",
        found[0], found[1], found[2], found[3]
    )]
    BadMagic {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The type byte is none of the six.
    #[error("unknown element type at byte 2: expected 08, 09, 0B, 0C, 0D or 0E, found {found:02X}")]
    UnknownType {
        /// The type byte.
        found: u8,
    },
    /// The rank byte is zero.
    #[error("no dimensions: expected a rank of 1 to 255 at byte 3, found 0")]
    NoDimensions,
    /// A dimension is zero.
    #[error("dimension {dimension} at byte {offset} is zero: expected at least 1, found 0")]
    ZeroDimension {
        /// Which dimension, counted from 0.
        dimension: usize,
        /// Where it is written.
        offset: u64,
    },
    /// The dimensions' product is more than a computer can address.
    #[error(
        "size overflow at byte {offset}: expected fewer than 2^{} bytes in all, found dimension {dimension} of {found} on top of the earlier ones",
        usize::BITS
    )]
    Overflow {
        /// The dimension at which the product overflows, counted from 0.
        dimension: usize,
        /// Where it is written.
        offset: u64,
        /// That dimension's size.
        found: u32,
    },
    /// The header claims more data than the reader's limit.
    #[error(
        "too large: the header ending at byte {offset} claims {found} bytes of data, expected at most {expected}"
    )]
    TooLarge {
        /// Where the header ends.
        offset: u64,
        /// The limit in bytes.
        expected: u64,
        /// Bytes of data that the header claims.
        found: u64,
    },
    /// The gzip stream ends early.
    #[error(
        "truncated gzip stream after {offset} bytes of content: expected more, found the end of the file"
    )]
    TruncatedGzip {
        /// Bytes of content decompressed up to there.
        offset: u64,
    },
    /// The gzip stream is damaged (bad header, bad deflate data, or wrong check sum).
    #[error(
        "corrupt gzip stream after {offset} bytes of content: expected valid gzip data, found {reason}"
    )]
    CorruptGzip {
        /// Bytes of content decompressed up to there.
        offset: u64,
        /// The decompressor's words for it.
        reason: String,
    },
    /// The input could not be read.
    #[error("cannot read at byte {offset}: {error}")]
    Io {
        /// Bytes of content read up to there.
        offset: u64,
        /// The input's error.
        error: io::Error,
    },
    /// An array to write has a shape that the format cannot hold.
    #[error("expected 1 to 255 dimensions of 1 to 4294967295, found shape {shape:?}")]
    UnsupportedShape {
        /// The shape asked for.
        shape: Vec<usize>,
    },
    /// An array to write has a shape that does not fit its number of elements.
    #[error("expected the number of elements of shape {shape:?}, found {found}")]
    ElementCount {
        /// The shape asked for.
        shape: Vec<usize>,
        /// Elements given.
        found: usize,
    },
}

impl IdxError {
    /// The byte of the decompressed content at which the defect is; none for an array that was
    /// never in a file.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Truncated { offset, .. }
            | Self::TrailingBytes { offset }
            | Self::ZeroDimension { offset, .. }
            | Self::Overflow { offset, .. }
            | Self::TooLarge { offset, .. }
            | Self::TruncatedGzip { offset }
            | Self::CorruptGzip { offset, .. }
            | Self::Io { offset, .. } => Some(*offset),
            Self::BadMagic { .. } => Some(0),
            Self::UnknownType { .. } => Some(2),
            Self::NoDimensions => Some(3),
            Self::UnsupportedShape { .. } | Self::ElementCount { .. } => None,
        }
    }
}
