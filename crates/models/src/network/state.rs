//! The tensors of a network by name, on the host.
//!
//! Names, shapes and layouts are PyTorch's throughout: the weight of a linear layer is
//! `[out_features, in_features]`, that of a batch normalization is `weight`. Burn, in whose modules
//! the tensors are kept, stores the first transposed and calls the second `gamma`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::path::Path;

pub use super::parameter::{Parameter, group, parameters};

/// The values of every parameter and running statistic, or the gradients of every parameter, by its
/// PyTorch name and in PyTorch's layout.
pub type State = BTreeMap<String, TensorData>;

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
/// Panics if `module` has no tensor of a name, or one of another shape: PyTorch's is expected.
pub fn write<M: Module>(module: M, state: State) -> M {
    let mut writer = Writer { path: Path::default(), state };
    let module = module.map(&mut writer);
    let unknown: Vec<String> = writer.state.into_keys().collect();
    assert!(unknown.is_empty(), "the module has no tensor named {}", unknown.join(", "));
    module
}

/// Gives the parameters of `module` the ids by which optimizers are to know them; those that `ids` does
/// not name keep theirs. A state of an optimizer that was saved fits a module with the ids of then.
pub fn identify<M: Module>(module: M, ids: &BTreeMap<String, u64>) -> M {
    module.map(&mut Identifier { path: Path::default(), ids })
}

struct Identifier<'a> {
    path: Path,
    ids: &'a BTreeMap<String, u64>,
}

impl ModuleMapper for Identifier<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.ids.get(&self.path.name()) {
            Some(&id) => {
                let (_, tensor, mapper) = param.consume();
                Param::from_mapped_value(ParamId::from(id), tensor, mapper)
            }
            None => param,
        }
    }
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
