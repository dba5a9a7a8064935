//! PyTorch's names and layouts of what Burn's modules hold.

use burn::tensor::{DType, Element, TensorData, bf16, f16};

/// Rows and columns of the blocks in which a matrix is transposed: both of them lie in the cache.
const BLOCK: usize = 32;

/// The normalizations whose weight and bias Burn calls γ and β.
const NORMS: [&str; 5] = [
    "Struct:BatchNorm",
    "Struct:LayerNorm",
    "Struct:GroupNorm",
    "Struct:InstanceNorm",
    "Struct:RmsNorm",
];

/// Where a visitor of a module is: the path of a parameter under its PyTorch name.
#[derive(Default)]
pub(crate) struct Path {
    names: Vec<String>,
    /// Whether it ends in a weight that Burn stores transposed.
    is_transposed: bool,
}

impl Path {
    /// Goes into a part of a module; Burn calls the weight and bias of a normalization γ and β.
    pub fn enter(&mut self, name: &str, container: &str) {
        let name = match (container, name) {
            (container, "gamma") if NORMS.contains(&container) => "weight",
            (container, "beta") if NORMS.contains(&container) => "bias",
            _ => name,
        };
        self.names.push(name.into());
        self.is_transposed = (container, name) == ("Struct:Linear", "weight");
    }

    /// Leaves it.
    pub fn exit(&mut self) {
        self.names.pop();
        self.is_transposed = false;
    }

    /// The name so far.
    pub fn name(&self) -> String {
        self.names.join(".")
    }

    /// Whether it ends in a weight that Burn stores transposed.
    pub fn is_transposed(&self) -> bool {
        self.is_transposed
    }

    /// The sizes in PyTorch's layout of a tensor that has these in Burn's, or the other way round.
    pub fn shape(&self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.is_transposed {
            shape.reverse();
        }
        shape
    }

    /// The values in PyTorch's layout of what is in Burn's, or the other way round.
    pub fn data(&self, data: TensorData) -> TensorData {
        match self.is_transposed {
            true => transposed(data).expect("the weight of a linear layer is a matrix"),
            false => data,
        }
    }
}

/// The matrix with rows and columns exchanged; of other types than floats, as f32.
///
/// # Errors
///
/// If it is no matrix.
pub(crate) fn transposed(data: TensorData) -> Result<TensorData, String> {
    match data.dtype() {
        DType::F64 => transposed_as::<f64>(&data),
        DType::F16 => transposed_as::<f16>(&data),
        DType::BF16 => transposed_as::<bf16>(&data),
        _ => transposed_as::<f32>(&data.convert::<f32>()),
    }
}

fn transposed_as<E: Element>(data: &TensorData) -> Result<TensorData, String> {
    let shape = data.shape().to_vec();
    let [rows, columns] = shape[..] else {
        return Err(format!("a matrix has two dimensions, not those of {shape:?}"));
    };
    let from = data.as_slice::<E>().map_err(|e| e.to_string())?;
    let mut to = from.to_vec();
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            for row in top..rows.min(top + BLOCK) {
                for column in left..columns.min(left + BLOCK) {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
    Ok(TensorData::new::<E, _>(to, [columns, rows]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_larger_than_a_block_is_transposed() {
        let [rows, columns] = [BLOCK + 3, 2 * BLOCK + 1];
        let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        let turned = transposed(TensorData::new(values.clone(), [rows, columns])).unwrap();
        assert_eq!(turned.shape()[..], [columns, rows]);
        let turned_values = turned.try_to_vec::<f32>().unwrap();
        for (i, value) in turned_values.iter().enumerate() {
            assert_eq!(*value, values[i % rows * columns + i / rows]);
        }
    }

    #[test]
    fn what_is_not_a_matrix_is_not_transposed() {
        let message = transposed(TensorData::new(vec![0.0f32; 4], [4])).unwrap_err();
        assert_eq!(message, "a matrix has two dimensions, not those of [4]");
    }
}
