//! The IDX format, in which MNIST and its successors are published: reader and writer.
//!
//! An IDX file holds one dense array. Every value in it is big-endian. [`IdxReader`] reads it, and
//! [`IdxArray`] writes it; [`ImageDataset::from_idx_files`](crate::ImageDataset::from_idx_files) reads
//! images and their labels.
//!
//! | bytes | content |
//! |---|---|
//! | 0–1 | zero |
//! | 2 | element type: `08` u8, `09` i8, `0B` i16, `0C` i32, `0D` f32, `0E` f64 |
//! | 3 | rank `r`, 1 to 255 |
//! | 4 … 4+4`r` | the `r` dimensions, u32 each, the slowest first |
//! | 4+4`r` … end | the elements, row-major |
//!
//! ([Y. LeCun, C. Cortes, C. Burges, *The MNIST database*](http://yann.lecun.com/exdb/mnist/),
//! "The IDX file format".)
//!
//! A file may be compressed with gzip. [`IdxReader`] tells the two apart by their first bytes
//! (gzip begins with `1F 8B`, IDX with `00 00`), so a file's name does not matter. **Every offset
//! in an error counts bytes of the IDX content**, that is after decompression.
//!
//! ```
//! use selvedge_data::{IdxArray, IdxData, IdxReader};
//!
//! let array = IdxArray::new(vec![2, 3], IdxData::I16(vec![1, -2, 3, -4, 5, -6]))?;
//! let mut file = Vec::new();
//! array.write_gzip(&mut file)?;
//! assert_eq!(IdxReader::new().read(file.as_slice())?, array);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod array;
mod error;
mod images;
mod reader;
mod writer;

pub use array::{IdxArray, IdxData, IdxType};
pub use error::IdxError;
pub use images::ImageLayout;
pub(crate) use images::{IdxForm, IdxLabels, transposed};
pub use reader::IdxReader;
pub(crate) use writer::header;

#[cfg(test)]
mod tests;
