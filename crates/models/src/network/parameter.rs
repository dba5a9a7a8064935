use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::Tensor;

use super::path::Path;
use crate::{ModelError, NamePattern};

/// A tensor of a module that an optimizer may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its PyTorch name.
    pub name: String,
    /// What Burn's optimizers know it by.
    pub id: ParamId,
    /// Its shape in PyTorch's layout: a linear weight is `[out_features, in_features]`.
    pub shape: Vec<usize>,
    /// Whether training changes it: it is not frozen.
    pub trainable: bool,
}

/// The parameters of `module` in their order. Running statistics are none.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    let mut lister = Lister::default();
    module.visit(&mut lister);
    lister.found.into_iter().filter_map(|(p, statistic)| (!statistic).then_some(p)).collect()
}

/// The names and shapes of all that a module stores, running statistics among them.
pub(crate) fn shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut lister = Lister::default();
    module.visit(&mut lister);
    lister.found.into_iter().map(|(p, _)| (p.name, p.shape)).collect()
}

/// The group of the parameters that `pattern` chooses.
///
/// `architecture` is the name of their module in messages.
///
/// # Errors
///
/// [`ModelError::NothingSelected`] if there are none, or if an alternative of the pattern matches none.
pub fn group(
    parameters: &[Parameter],
    pattern: &NamePattern,
    architecture: &str,
) -> Result<ParamGroup, ModelError> {
    let names: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    let chosen = pattern.choose(&names, architecture)?;
    let ids = parameters.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(p, _)| p.id);
    Ok(ParamGroup::from_ids(ids.collect::<Vec<ParamId>>()))
}

/// Whether training changes the parameter. Only on a training device can it be asked directly.
pub(crate) fn is_trainable<const D: usize>(param: &Param<Tensor<D>>) -> bool {
    param.valid().train().is_require_grad()
}

#[derive(Default)]
struct Lister {
    path: Path,
    /// Whether the path ends in a running statistic, which Burn shows as if it were a parameter.
    in_statistic: bool,
    found: Vec<(Parameter, bool)>,
}

impl ModuleVisitor for Lister {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
        self.in_statistic = container == "Struct:BatchNorm" && name.starts_with("running_");
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
        self.in_statistic = false;
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let parameter = Parameter {
            name: self.path.name(),
            id: param.id,
            shape: self.path.shape(param.dims().to_vec()),
            trainable: is_trainable(param),
        };
        self.found.push((parameter, self.in_statistic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Initialization, ResNet};
    use burn::tensor::Device;

    #[test]
    fn parameters_are_those_of_pytorch_in_number_and_size() {
        // torchvision.models.resnet18(num_classes=1000): 62 tensors of 11,689,512 elements; its
        // state_dict has two running statistics for each of 20 normalizations besides.
        let net = ResNet::resnet18(1000).architecture().unwrap();
        let net = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let all = parameters(&net);
        assert_eq!(all.len(), 62);
        let elements: usize = all.iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(elements, 11_689_512);
        assert_eq!(shapes(&net).len(), 62 + 40);
        assert_eq!(all[0].name, "conv1.weight");
        assert!(all.iter().all(|p| p.trainable));
    }
}
