//! Between Burn's flex tensors and slices.

use burn::backend::{TensorMetadata, flex::FlexTensor};
use burn::tensor::{DType, Shape, TensorData};

use crate::cpu::memory::Recycled;

/// The elements of a contiguous tensor.
pub(crate) fn elements(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous f32 tensor")
}

/// Whether both are `f32` and of one shape, so that their elements are in pairs.
pub(crate) fn are_pairs(a: &FlexTensor, b: &FlexTensor) -> bool {
    [a.dtype(), b.dtype()] == [DType::F32; 2] && a.shape() == b.shape()
}

/// A tensor of these elements, row by row.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The same of recycled memory.
pub(crate) fn recycled(values: Recycled, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::from_data(TensorData::from_bytes(values.into_bytes(), shape, DType::F32))
}
