//! The tensors of a network on their way to and from a file, under PyTorch's names and in its layouts.

use std::collections::HashMap;
use std::io::{self, Write};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use super::spec::{Spec, specs};
use crate::Network;
use crate::network::path::Path;

/// Rows and columns of the blocks in which a matrix is transposed: both of them lie in the cache.
const BLOCK: usize = 32;

/// A tensor of a network, its values still on their device.
pub(super) struct Collected {
    /// PyTorch's name.
    pub name: String,
    /// In PyTorch's layout.
    pub shape: Vec<usize>,
    is_linear: bool,
    read: Box<dyn FnOnce() -> Result<TensorData, String>>,
}

impl Collected {
    /// How many bytes the values take.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * size_of::<f32>()
    }

    /// Writes the values, little-endian.
    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        let failed = |reason: String| io::Error::other(format!("{}: {reason}", self.name));
        let data = (self.read)().map_err(&failed)?;
        let data = if self.is_linear { transposed(data).map_err(&failed)? } else { data };
        let values = data.as_slice::<f32>().map_err(|e| failed(e.to_string()))?;
        // A part at a time: a write for every value would cost more than the values do.
        for part in values.chunks(4096) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            out.write_all(&bytes)?;
        }
        Ok(())
    }
}

/// The tensors of a network for inference.
pub(super) fn collect(network: &Network) -> Vec<Collected> {
    let specs = specs(network.architecture());
    let linear = specs.into_iter().filter(Spec::is_transposed).map(|spec| spec.name());
    let mut collector =
        Collector { path: Path::default(), linear: linear.collect(), found: Vec::new() };
    // Running statistics lag one update behind until the module is made ready for inference.
    network.valid().visit(&mut collector);
    collector.found
}

struct Collector {
    path: Path,
    linear: Vec<String>,
    found: Vec<Collected>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.name();
        let tensor = param.val();
        let mut shape = tensor.dims().to_vec();
        let is_linear = self.linear.contains(&name);
        if is_linear {
            shape.reverse();
        }
        let read = Box::new(|| tensor.try_into_data_as::<f32>().map_err(|e| e.to_string()));
        self.found.push(Collected { name, shape, is_linear, read });
    }
}

/// Replaces the tensors of `network` by what `values` gives for each of its `specs`: the values in
/// Burn's layout, and what optimizers knew the parameter by. Stops at the first error.
pub(super) fn replace(
    network: Network,
    specs: &[Spec],
    values: impl FnMut(&Spec) -> Result<(TensorData, Option<u64>), String>,
) -> Result<Network, String> {
    let specs = specs.iter().map(|spec| (spec.name(), spec)).collect();
    let mut replacer = Replacer { path: Path::default(), specs, values, failed: None };
    let network = network.map(&mut replacer);
    match replacer.failed {
        None => Ok(network),
        Some(reason) => Err(reason),
    }
}

struct Replacer<'a, F> {
    path: Path,
    specs: HashMap<String, &'a Spec>,
    values: F,
    failed: Option<String>,
}

impl<F> ModuleMapper for Replacer<'_, F>
where
    F: FnMut(&Spec) -> Result<(TensorData, Option<u64>), String>,
{
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.failed.is_some() {
            return param;
        }
        let name = self.path.name();
        let found = match self.specs.get(&name) {
            Some(spec) => (self.values)(spec),
            None => Err(format!("no values for `{name}`")),
        };
        match found {
            Ok((data, id)) => {
                let tensor = Tensor::from_data(data, &param.lazy_device());
                let id = id.map_or(param.id, ParamId::from);
                param.transform_for_load(tensor, id)
            }
            Err(reason) => {
                self.failed = Some(reason);
                param
            }
        }
    }
}

/// A matrix of f32 the other way round.
pub(super) fn transposed(data: TensorData) -> Result<TensorData, String> {
    let shape = data.shape().to_vec();
    let [rows, columns] = shape[..] else {
        return Err(format!("a matrix has two dimensions, not those of {shape:?}"));
    };
    let from = data.as_slice::<f32>().map_err(|e| e.to_string())?;
    let mut to = vec![0.0f32; from.len()];
    for top in (0..rows).step_by(BLOCK) {
        for left in (0..columns).step_by(BLOCK) {
            for row in top..rows.min(top + BLOCK) {
                for column in left..columns.min(left + BLOCK) {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
    Ok(TensorData::new(to, [columns, rows]))
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
