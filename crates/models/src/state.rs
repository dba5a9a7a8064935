//! The tensors of a network by name, on the host.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

/// The values of every parameter and running statistic by its path, in Burn's layout (a linear
/// weight is `[in_features, out_features]`).
pub type State = BTreeMap<String, TensorData>;

/// Copies every tensor of `module` to the host.
pub fn read<M: Module>(module: &M) -> State {
    let mut reader = Reader::default();
    // Running statistics lag one update behind until the module is made ready for inference.
    module.valid().visit(&mut reader);
    reader.state
}

/// Replaces the tensors of `module` that `state` names; the values are copied, never shared.
///
/// # Panics
///
/// Panics if a tensor of that name has another shape.
pub fn write<M: Module>(module: M, state: State) -> M {
    let path = Vec::new();
    module.map(&mut Writer { path, state })
}

/// Copies every gradient of `module`'s parameters to the host, by the parameter's path.
pub fn gradients<M: Module>(module: &M, gradients: &GradientsParams) -> State {
    let mut reader = GradientReader { path: Vec::new(), gradients, state: State::new() };
    module.visit(&mut reader);
    reader.state
}

struct GradientReader<'a> {
    path: Vec<String>,
    gradients: &'a GradientsParams,
    state: State,
}

impl ModuleVisitor for GradientReader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.state.insert(self.path.join("."), gradient.into_data());
        }
    }
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    state: State,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.state.insert(self.path.join("."), param.val().into_data());
    }
}

struct Writer {
    path: Vec<String>,
    state: State,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(data) = self.state.remove(&path) else {
            return param;
        };
        param.map(|old| {
            let (expected, found) = (old.dims(), data.shape().clone());
            assert_eq!(expected[..], found[..], "{path}: expected the first shape, got the second");
            let tracked = old.is_require_grad();
            Tensor::from_data(data, &old.device()).set_require_grad(tracked)
        })
    }
}
