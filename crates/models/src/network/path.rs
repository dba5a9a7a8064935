//! PyTorch's names and layouts of what Burn's modules hold.

use burn::tensor::{DType, Element, TensorData, bf16, f16};

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

    /// The sizes in PyTorch's layout of a tensor that has these in Burn's, or the other way round.
    pub fn shape(&self, mut shape: Vec<usize>) -> Vec<usize> {
        if self.is_transposed {
            shape.reverse();
        }
        shape
    }

    /// The values in PyTorch's layout of what is in Burn's, or the other way round.
    pub fn data(&self, data: TensorData) -> TensorData {
        if self.is_transposed { transposed(data) } else { data }
    }
}

/// The matrix with rows and columns exchanged.
pub(super) fn transposed(data: TensorData) -> TensorData {
    match data.dtype() {
        DType::F64 => transposed_as::<f64>(data),
        DType::F16 => transposed_as::<f16>(data),
        DType::BF16 => transposed_as::<bf16>(data),
        _ => transposed_as::<f32>(data.convert::<f32>()),
    }
}

fn transposed_as<E: Element>(data: TensorData) -> TensorData {
    let [rows, columns] = data.shape().dims();
    let values = data.try_to_vec::<E>().expect("its own type");
    let of_column = |column: usize| (0..rows).map(move |row| row * columns + column);
    let turned = (0..columns).flat_map(of_column).map(|i| values[i]).collect();
    TensorData::new::<E, _>(turned, [columns, rows])
}
