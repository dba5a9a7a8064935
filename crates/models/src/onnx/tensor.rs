//! Tensors on their way into a file: known by shape from the start, read when their turn comes.

use std::io;

use burn::tensor::{Tensor, TensorData};

use super::proto;

/// A constant of the graph.
pub(super) struct Initializer {
    pub name: String,
    pub values: Values,
}

/// The values of a constant, on a device or already here.
#[derive(Debug)]
pub(super) enum Values {
    /// A bias, or a statistic of each channel.
    Vector(Tensor<1>),
    /// A linear weight, `[in_features, out_features]` here and the other way round in the file.
    Transposed(Tensor<2>),
    /// The kernels of a convolution, whose layout is the same everywhere.
    Kernels(Tensor<4>),
    /// Constants that are not learned.
    Given { dims: Vec<usize>, of: Vec<f32> },
}

impl Values {
    /// The shape in the file.
    fn dims(&self) -> Vec<usize> {
        match self {
            Self::Vector(tensor) => tensor.dims().to_vec(),
            Self::Transposed(tensor) => tensor.dims().into_iter().rev().collect(),
            Self::Kernels(tensor) => tensor.dims().to_vec(),
            Self::Given { dims, .. } => dims.clone(),
        }
    }

    /// Copies the values to the host.
    fn read(self) -> io::Result<TensorData> {
        let data = match self {
            Self::Vector(tensor) => tensor.try_into_data_as::<f32>(),
            Self::Transposed(tensor) => tensor.transpose().try_into_data_as::<f32>(),
            Self::Kernels(tensor) => tensor.try_into_data_as::<f32>(),
            Self::Given { dims, of } => return Ok(TensorData::new::<f32, _>(of, dims)),
        };
        data.map_err(|e| io::Error::other(e.to_string()))
    }
}

impl Initializer {
    /// The tensor as a message, but for its values.
    pub fn header(&self) -> proto::Tensor {
        proto::Tensor {
            dims: self.values.dims().into_iter().map(|n| n as i64).collect(),
            data_type: Some(proto::FLOAT),
            name: Some(self.name.clone()),
            raw_data: None,
        }
    }

    /// How many bytes the values take.
    pub fn bytes(&self) -> u64 {
        let count = self.values.dims().iter().map(|&n| n as u64).product::<u64>();
        count * size_of::<f32>() as u64
    }

    /// Writes the values, little-endian.
    pub fn write(self, out: &mut impl io::Write) -> io::Result<()> {
        let data = self.values.read()?;
        let values = data.as_slice::<f32>().map_err(|e| io::Error::other(e.to_string()))?;
        // A part at a time: a write for every value would cost more than the values do.
        for part in values.chunks(4096) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}
