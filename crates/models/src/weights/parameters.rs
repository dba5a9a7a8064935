//! The tensors of a network on their way to and from a file, under PyTorch's names and in its layouts.

use std::collections::HashMap;
use std::io::{self, Write};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};

use super::int8;
use super::spec::Spec;
use super::weight_type::WeightType;
use crate::Network;
use crate::network::path::{Path, transposed};

/// A tensor of a network, its values still on their device.
pub(super) struct Collected<'a> {
    /// PyTorch's name.
    pub name: String,
    /// In PyTorch's layout.
    pub shape: Vec<usize>,
    /// The type in which the values are written.
    pub dtype: DType,
    read: Read<'a>,
}

/// Gives the values, in PyTorch's layout and in the type in which they are written.
type Read<'a> = Box<dyn FnOnce() -> Result<TensorData, String> + 'a>;

impl<'a> Collected<'a> {
    /// A tensor whose values `read` gives.
    pub fn new(name: String, shape: Vec<usize>, dtype: DType, read: Read<'a>) -> Self {
        Self { name, shape, dtype, read }
    }

    /// A tensor whose values are on the host, in PyTorch's layout.
    #[cfg(feature = "files")]
    pub fn of(name: String, data: TensorData) -> Self {
        let shape = data.shape().to_vec();
        Self { name, shape, dtype: DType::F32, read: Box::new(|| Ok(data)) }
    }

    /// How many bytes the values take.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }

    /// Writes the values, little-endian.
    pub fn write(self, out: &mut impl Write) -> io::Result<()> {
        let failed = |reason: String| io::Error::other(format!("{}: {reason}", self.name));
        let data = (self.read)().map_err(&failed)?;
        if data.dtype() != self.dtype {
            return Err(failed(format!("its values are {:?}, not {:?}", data.dtype(), self.dtype)));
        }
        if cfg!(target_endian = "little") {
            return out.write_all(data.as_bytes());
        }
        let mut bytes = data.as_bytes().to_vec();
        bytes.chunks_exact_mut(self.dtype.size()).for_each(<[u8]>::reverse);
        out.write_all(&bytes)
    }
}

/// The tensors of a network for inference, to be written as `weight_type`.
pub(super) fn collect(network: &Network, weight_type: WeightType) -> Vec<Collected<'static>> {
    let mut collector = Collector { path: Path::default(), weight_type, found: Vec::new() };
    // Running statistics lag one update behind until the module is made ready for inference.
    network.valid().visit(&mut collector);
    collector.found
}

struct Collector {
    path: Path,
    weight_type: WeightType,
    found: Vec<Collected<'static>>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = self.path.shape(tensor.dims().to_vec());
        let (is_transposed, weight_type) = (self.path.is_transposed(), self.weight_type);
        let float_type = weight_type.float_type();
        let read = move || {
            let data = tensor.clone().try_into_data_as::<f32>().map_err(|e| e.to_string())?;
            float_type.convert(if is_transposed { transposed(data)? } else { data })
        };
        let (name, dtype) = (self.path.name(), float_type.dtype());
        if weight_type == WeightType::Int8 && int8::applies(&shape) {
            self.found.extend(int8::collected(&name, shape, read));
        } else {
            self.found.push(Collected { name, shape, dtype, read: Box::new(read) });
        }
    }
}

/// Replaces the tensors of `network` by what `values` gives for each of its `specs`: the values in
/// Burn's layout, and what optimizers knew the parameter by; `None` leaves one as it is. Stops at the first
/// error.
pub(super) fn replace(
    network: Network,
    specs: &[Spec],
    values: impl FnMut(&Spec) -> Result<Option<Values>, String>,
) -> Result<Network, String> {
    let specs = specs.iter().map(|spec| (spec.name(), spec)).collect();
    let mut replacer = Replacer { path: Path::default(), specs, values, failed: None };
    let network = network.map(&mut replacer);
    match replacer.failed {
        None => Ok(network),
        Some(reason) => Err(reason),
    }
}

/// Values in Burn's layout, and what optimizers knew the parameter by.
type Values = (TensorData, Option<u64>);

struct Replacer<'a, F> {
    path: Path,
    specs: HashMap<String, &'a Spec>,
    values: F,
    failed: Option<String>,
}

impl<F> ModuleMapper for Replacer<'_, F>
where
    F: FnMut(&Spec) -> Result<Option<Values>, String>,
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
            Ok(None) => param,
            Ok(Some((data, id))) => {
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
