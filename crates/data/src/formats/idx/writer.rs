use std::io::{self, Write};

use byteorder::{BigEndian, WriteBytesExt};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{IdxArray, IdxData};

/// Bytes gathered before they are handed to the output.
const BUFFER: usize = 1 << 16;

impl IdxArray {
    /// Writes the array as a raw IDX file.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write<W: Write>(&self, output: W) -> io::Result<()> {
        let mut output = io::BufWriter::with_capacity(BUFFER, output);
        output.write_all(&self.header())?;
        match self.data() {
            IdxData::U8(v) => output.write_all(v)?,
            IdxData::I8(v) => v.iter().try_for_each(|&x| output.write_i8(x))?,
            IdxData::I16(v) => v.iter().try_for_each(|&x| output.write_i16::<BigEndian>(x))?,
            IdxData::I32(v) => v.iter().try_for_each(|&x| output.write_i32::<BigEndian>(x))?,
            IdxData::F32(v) => v.iter().try_for_each(|&x| output.write_f32::<BigEndian>(x))?,
            IdxData::F64(v) => v.iter().try_for_each(|&x| output.write_f64::<BigEndian>(x))?,
        }
        output.flush()
    }

    /// Writes the array as a gzip-compressed IDX file. The same array gives the same bytes: no
    /// name and no time is stored.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write_gzip<W: Write>(&self, output: W) -> io::Result<()> {
        let mut gzip = GzEncoder::new(output, Compression::default());
        self.write(&mut gzip)?;
        gzip.finish()?.flush()
    }

    /// Magic number and dimensions.
    pub(crate) fn header(&self) -> Vec<u8> {
        header(self.element_type().code(), self.shape())
    }
}

/// The header of an array whose shape the format can hold (see [`IdxArray::new`]).
pub(crate) fn header(code: u8, shape: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    for &dimension in shape {
        bytes.extend_from_slice(&(dimension as u32).to_be_bytes());
    }
    bytes
}
