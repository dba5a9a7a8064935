//! The tensors of a network by name, on the host.
//!
//! Names, shapes and layouts are PyTorch's throughout: the weight of a linear layer is
//! `[out_features, in_features]`, that of a batch normalisation is `weight`. Burn, in whose modules
//! the tensors are kept, stores the first transposed and calls the second `gamma`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Element, Tensor, TensorData, bf16, f16};

pub use super::parameter::{Parameter, group, parameters};

/// The values of every parameter and running statistic, or the gradients of every parameter, by its
/// PyTorch name and in PyTorch's layout.
pub type State = BTreeMap<String, TensorData>;

/// Where a visitor of a module is: the path of a parameter under its PyTorch name.
#[derive(Default)]
pub(crate) struct Path {
    names: Vec<String>,
    /// Whether it ends in a weight that Burn stores transposed.
    is_transposed: bool,
}

impl Path {
    /// Goes into a part of a module; Burn calls the weight and bias of a normalisation γ and β.
    pub fn enter(&mut self, name: &str, container: &str) {
        let name = match (container, name) {
            ("Struct:BatchNorm", "gamma") => "weight",
            ("Struct:BatchNorm", "beta") => "bias",
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
    fn data(&self, data: TensorData) -> TensorData {
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

/// Copies every tensor of `module` to the host.
pub fn read<M: Module>(module: &M) -> State {
    read_some(module, |_| true)
}

/// As [`read`], of the tensors whose names are `wanted` alone.
pub(crate) fn read_some<M: Module>(module: &M, wanted: impl Fn(&str) -> bool) -> State {
    let mut reader = Reader { path: Path::default(), wanted, state: State::new() };
    // Running statistics lag one update behind until the module is made ready for inference.
    module.valid().visit(&mut reader);
    reader.state
}

/// Replaces the tensors of `module` that `state` names; the values are copied, never shared.
///
/// # Panics
///
/// Panics if a tensor of that name has another shape: PyTorch's is expected.
pub fn write<M: Module>(module: M, state: State) -> M {
    let path = Path::default();
    module.map(&mut Writer { path, state })
}

/// Copies every gradient of `module`'s parameters to the host.
pub fn gradients<M: Module>(module: &M, gradients: &GradientsParams) -> State {
    let mut reader = GradientReader { path: Path::default(), gradients, state: State::new() };
    module.visit(&mut reader);
    reader.state
}

struct GradientReader<'a> {
    path: Path,
    gradients: &'a GradientsParams,
    state: State,
}

impl ModuleVisitor for GradientReader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.state.insert(self.path.name(), self.path.data(gradient.into_data()));
        }
    }
}

struct Reader<W> {
    path: Path,
    wanted: W,
    state: State,
}

impl<W: Fn(&str) -> bool> ModuleVisitor for Reader<W> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.name();
        if (self.wanted)(&name) {
            self.state.insert(name, self.path.data(param.val().into_data()));
        }
    }
}

struct Writer {
    path: Path,
    state: State,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let Some(data) = self.state.remove(&name) else {
            return param;
        };
        param.map(|old| {
            let (expected, found) = (self.path.shape(old.dims().into()), data.shape());
            assert_eq!(expected[..], found[..], "{name}: expected the first shape, got the second");
            let data = self.path.data(data);
            let tracked = old.is_require_grad();
            Tensor::from_data(data, &old.device()).set_require_grad(tracked)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Initialization};
    use burn::tensor::Device;

    fn elements(data: &TensorData) -> Vec<f32> {
        data.clone().try_to_vec().unwrap()
    }

    /// One linear layer from two features to three.
    fn network(device: &Device) -> crate::Network {
        let net = Architecture::new("a", [2, 1, 1]).flatten().linear("fc", 3);
        let network = net.init(Initialization::PyTorch, 0, device).unwrap();
        let weight = TensorData::new(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], [3, 2]);
        let bias = TensorData::new(vec![0.5f32, 0.0, -0.5], [3]);
        write(network, [("fc.weight".into(), weight), ("fc.bias".into(), bias)].into())
    }

    #[test]
    fn linear_weights_are_read_and_written_in_pytorchs_layout() {
        let network = network(&Device::flex());
        let state = read(&network);
        assert_eq!(state["fc.weight"].shape()[..], [3, 2]);
        assert_eq!(elements(&state["fc.weight"]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let fc = parameters(&network).into_iter().find(|p| p.name == "fc.weight").unwrap();
        assert_eq!(fc.shape, [3, 2]);
        // x Wᵀ + b = [1·10 + 2·100, 3·10 + 4·100, 5·10 + 6·100] + b
        let x = Tensor::<4>::from_data([[[[10.0]], [[100.0]]]], &Device::flex());
        assert_eq!(elements(&network.forward(x).into_data()), [210.5, 430.0, 649.5]);
        assert_eq!(read(&write(network, state.clone())), state);
    }

    #[test]
    fn gradients_of_linear_weights_are_in_pytorchs_layout() {
        let device = Device::flex().autodiff();
        let network = network(&device);
        let x = Tensor::<4>::from_data([[[[10.0]], [[100.0]]]], &device);
        let factors = Tensor::<2>::from_data([[1.0, 2.0, 3.0]], &device);
        let grads = (network.forward(x) * factors).sum().backward();
        let found = gradients(&network, &GradientsParams::from_grads(grads, &network));
        // The gradient of entry [o, i] is factor o · input i.
        assert_eq!(found["fc.weight"].shape()[..], [3, 2]);
        assert_eq!(elements(&found["fc.weight"]), [10.0, 100.0, 20.0, 200.0, 30.0, 300.0]);
    }

    #[test]
    #[should_panic(expected = "fc.weight: expected the first shape, got the second")]
    fn a_linear_weight_in_burns_layout_is_refused() {
        let weight = TensorData::new(vec![0.0f32; 6], [2, 3]);
        write(network(&Device::flex()), [("fc.weight".into(), weight)].into());
    }

    #[test]
    fn what_is_written_after_a_training_pass_stays() {
        let device = Device::flex().autodiff();
        let net = Architecture::new("a", [2, 4, 4]).batch_norm("bn");
        let network = net.init(Initialization::PyTorch, 0, &device).unwrap();
        network.forward(Tensor::ones([3, 2, 4, 4], &device));
        let mean = TensorData::new(vec![7.0f32, 8.0], [2]);
        let network = write(network, [("bn.running_mean".to_string(), mean.clone())].into());
        assert_eq!(read(&network)["bn.running_mean"], mean);
    }
}
