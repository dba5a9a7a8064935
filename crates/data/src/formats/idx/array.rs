use super::IdxError;

/// The type of an IDX array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdxType {
    /// Unsigned 8-bit integer, type byte `08`.
    U8,
    /// Signed 8-bit integer, type byte `09`.
    I8,
    /// Signed 16-bit integer, type byte `0B`.
    I16,
    /// Signed 32-bit integer, type byte `0C`.
    I32,
    /// 32-bit IEEE 754 floating point, type byte `0D`.
    F32,
    /// 64-bit IEEE 754 floating point, type byte `0E`.
    F64,
}

impl IdxType {
    /// All six types, in the order of their type bytes.
    pub const ALL: [Self; 6] = [Self::U8, Self::I8, Self::I16, Self::I32, Self::F32, Self::F64];

    /// The byte that stands for this type in a file's header.
    pub fn code(self) -> u8 {
        match self {
            Self::U8 => 0x08,
            Self::I8 => 0x09,
            Self::I16 => 0x0B,
            Self::I32 => 0x0C,
            Self::F32 => 0x0D,
            Self::F64 => 0x0E,
        }
    }

    /// The type that a header's type byte stands for, if any.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.code() == code)
    }

    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Rust's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

/// The elements of an IDX array, row-major.
#[derive(Debug, Clone, PartialEq)]
pub enum IdxData {
    /// Unsigned 8-bit integers.
    U8(Vec<u8>),
    /// Signed 8-bit integers.
    I8(Vec<i8>),
    /// Signed 16-bit integers.
    I16(Vec<i16>),
    /// Signed 32-bit integers.
    I32(Vec<i32>),
    /// 32-bit floating-point values.
    F32(Vec<f32>),
    /// 64-bit floating-point values.
    F64(Vec<f64>),
}

impl IdxData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::F64(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements.
    pub fn element_type(&self) -> IdxType {
        match self {
            Self::U8(_) => IdxType::U8,
            Self::I8(_) => IdxType::I8,
            Self::I16(_) => IdxType::I16,
            Self::I32(_) => IdxType::I32,
            Self::F32(_) => IdxType::F32,
            Self::F64(_) => IdxType::F64,
        }
    }
}

/// One array as an IDX file holds it: a shape and its elements.
///
/// Its shape always fits the format and the number of elements: [`IdxArray::new`] checks it.
#[derive(Debug, Clone, PartialEq)]
pub struct IdxArray {
    shape: Vec<usize>,
    data: IdxData,
}

impl IdxArray {
    /// An array of the given shape, the slowest dimension first.
    ///
    /// # Errors
    ///
    /// If the format cannot hold the shape (rank 0 or above 255, a dimension of 0 or above
    /// `u32::MAX`), or if the number of elements is not the product of the dimensions.
    pub fn new(shape: Vec<usize>, data: IdxData) -> Result<Self, IdxError> {
        let fits = (1..=255).contains(&shape.len())
            && shape.iter().all(|&d| d > 0 && u32::try_from(d).is_ok());
        if !fits {
            return Err(IdxError::UnsupportedShape { shape });
        }
        let expected = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if expected != Some(data.len()) {
            let found = data.len();
            return Err(IdxError::ElementCount { shape, found });
        }
        Ok(Self { shape, data })
    }

    /// The dimensions, the slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &IdxData {
        &self.data
    }

    /// The type of the elements.
    pub fn element_type(&self) -> IdxType {
        self.data.element_type()
    }

    /// Shape and elements, without a copy.
    pub fn into_parts(self) -> (Vec<usize>, IdxData) {
        (self.shape, self.data)
    }

    /// Bytes of the header, which is where the elements begin: 4 + 4 · rank.
    pub fn header_len(&self) -> u64 {
        4 + 4 * self.shape.len() as u64
    }
}
