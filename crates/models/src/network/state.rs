//! The tensors of a network by name, on the host.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

pub use super::parameter::{Parameter, group, parameters};

/// The values of every parameter and running statistic by its PyTorch name, in Burn's layout (a
/// linear weight is `[in_features, out_features]`).
pub type State = BTreeMap<String, TensorData>;

/// The path of a parameter under its PyTorch name.
#[derive(Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Goes into a part of a module; Burn calls the weight and bias of a normalisation γ and β.
    pub fn enter(&mut self, name: &str, container: &str) {
        let name = match (container, name) {
            ("Struct:BatchNorm", "gamma") => "weight",
            ("Struct:BatchNorm", "beta") => "bias",
            _ => name,
        };
        self.0.push(name.into());
    }

    /// Leaves it.
    pub fn exit(&mut self) {
        self.0.pop();
    }

    /// The name so far.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
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
/// Panics if a tensor of that name has another shape.
pub fn write<M: Module>(module: M, state: State) -> M {
    let path = Path::default();
    module.map(&mut Writer { path, state })
}

/// Copies every gradient of `module`'s parameters to the host, by the parameter's path.
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
            self.state.insert(self.path.name(), gradient.into_data());
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
            self.state.insert(name, param.val().into_data());
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
        let path = self.path.name();
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
