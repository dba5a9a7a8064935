//! Keeping parameters from learning.

use burn::module::Module;
use burn::nn::BatchNorm;

use super::node::Params;
use super::parameter::{group, is_inside, is_trainable, nothing_selected};
use super::sequence::Sequence;
use crate::{ModelError, NamePattern, Network, state};

impl Network {
    /// Keeps the parameters that `pattern` chooses as they are while the others learn.
    ///
    /// A frozen parameter has no gradient, and no optimizer changes it, weight decay included. A
    /// batch normalisation whose weight and bias are both frozen normalises with its running
    /// statistics while training, too, and leaves them as they are. Dropout stays what it is: it
    /// has no parameters.
    ///
    /// The state is part of the network: clones, copies on other devices and what training returns
    /// have it; files of weights do not. Below the lowest layer that learns, nothing is computed
    /// backwards.
    ///
    /// # Errors
    ///
    /// [`ModelError::NothingSelected`] if the pattern, or one of its alternatives, matches no
    /// parameter.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Init, TransferCnn};
    ///
    /// let network = TransferCnn::new(5).architecture().init(Init::PyTorch, 0, &Device::flex())?;
    /// let network = network.freeze(&"conv*, fc1".parse()?)?;
    /// assert_eq!(network.frozen().len(), 6);
    /// // 500 · 100 + 100 of `fc2`, 100 · 5 + 5 of `fc3`
    /// assert_eq!(network.trainable_params(), 50_605);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn freeze(self, pattern: &NamePattern) -> Result<Self, ModelError> {
        self.set_trainable(pattern, false)
    }

    /// Lets the parameters that `pattern` chooses learn again: the opposite of
    /// [`freeze`](Self::freeze). A batch normalisation with a parameter that learns uses the batch's
    /// own statistics again.
    ///
    /// # Errors
    ///
    /// [`ModelError::NothingSelected`] if the pattern, or one of its alternatives, matches no
    /// parameter.
    pub fn unfreeze(self, pattern: &NamePattern) -> Result<Self, ModelError> {
        self.set_trainable(pattern, true)
    }

    /// Freezes every parameter of the layers before `layer`, and lets those of `layer` and the
    /// layers after it learn.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownLayer`] if no layer outside the blocks has this name;
    /// [`ModelError::NothingSelected`] if there is no parameter before it.
    pub fn freeze_before(mut self, layer: &str) -> Result<Self, ModelError> {
        let at = self.position(layer)?;
        let before = &self.architecture.layers[..at];
        let is_before = |name: &str| before.iter().any(|layer| is_inside(name, &layer.name));
        if !state::parameters(&self).iter().any(|p| is_before(&p.name)) {
            let selection = format!("everything before {layer}");
            return Err(nothing_selected(&self.architecture.name, selection));
        }
        for (i, node) in self.body.nodes.iter_mut().enumerate() {
            let params = std::mem::replace(&mut node.params, Params::None);
            node.params = params.set_require_grad(i >= at);
        }
        self.body.settle_norms();
        Ok(self)
    }

    /// The names of the parameters that are frozen.
    pub fn frozen(&self) -> Vec<String> {
        let frozen = state::parameters(self).into_iter().filter(|p| !p.trainable);
        frozen.map(|p| p.name).collect()
    }

    /// The count of numbers that training changes; [`num_params`](Module::num_params) counts the
    /// frozen ones and the running statistics, too.
    pub fn trainable_params(&self) -> usize {
        let trainable = state::parameters(self).into_iter().filter(|p| p.trainable);
        trainable.map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn set_trainable(mut self, pattern: &NamePattern, trainable: bool) -> Result<Self, ModelError> {
        let group = group(&state::parameters(&self), pattern, &self.architecture.name)?;
        self.body = self.body.set_require_grad_group(group, trainable);
        self.body.settle_norms();
        Ok(self)
    }

    /// The position of a layer outside the blocks.
    pub(crate) fn position(&self, layer: &str) -> Result<usize, ModelError> {
        let layers = &self.architecture.layers;
        layers.iter().position(|l| l.name == layer).ok_or_else(|| ModelError::UnknownLayer {
            architecture: self.architecture.name.clone(),
            layer: layer.into(),
            known: layers.iter().map(|l| l.name.clone()).collect(),
        })
    }
}

impl Sequence {
    /// Makes every batch normalisation train exactly if one of its parameters does.
    fn settle_norms(&mut self) {
        for node in &mut self.nodes {
            match &mut node.params {
                Params::BatchNorm(norm) => settle(norm),
                Params::Residual(paths) => {
                    paths.main.settle_norms();
                    paths.shortcut.settle_norms();
                }
                _ => {}
            }
        }
    }
}

fn settle(norm: &mut BatchNorm) {
    let trains = is_trainable(&norm.gamma) || is_trainable(&norm.beta);
    if !trains {
        // Burn keeps the last update apart from the statistics until they are asked for.
        norm.running_mean.value_sync();
        norm.running_var.value_sync();
    }
    norm.training = norm.training.clone().with_value(trains);
}

#[cfg(test)]
mod tests;
