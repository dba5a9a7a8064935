//! Keeping parameters from learning.

use burn::module::{Module, ParamGroup, ParamId};

use super::parameter::group;
use crate::arch::is_inside;
use crate::error::nothing_selected;
use crate::{ModelError, NamePattern, Network, state};

impl Network {
    /// Keeps the parameters that `pattern` chooses as they are while the others learn.
    ///
    /// A frozen parameter has no gradient, and no optimizer changes it, weight decay included. A
    /// batch normalization whose weight and bias are both frozen normalises with its running
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
    /// use selvedge_models::{Initialization, TransferCnn};
    ///
    /// let network = TransferCnn::new(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
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
    /// [`freeze`](Self::freeze). A batch normalization with a parameter that learns uses the batch's
    /// own statistics again.
    ///
    /// # Errors
    ///
    /// [`ModelError::NothingSelected`] if the pattern, or one of its alternatives, matches no
    /// parameter.
    pub fn unfreeze(self, pattern: &NamePattern) -> Result<Self, ModelError> {
        self.set_trainable(pattern, true)
    }

    /// Lets the parameters that `pattern` chooses learn, and freezes all others.
    ///
    /// # Errors
    ///
    /// [`ModelError::Pattern`] if the pattern cannot be read; [`ModelError::NothingSelected`] if it, or one
    /// of its alternatives, matches no parameter.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Initialization, TransferCnn};
    ///
    /// let network = TransferCnn::new(5).architecture();
    /// let network = network.init(Initialization::PyTorch, 0, &Device::flex())?.train_only("fc2, fc3")?;
    /// // 500 · 100 + 100 of `fc2`, 100 · 5 + 5 of `fc3`
    /// assert_eq!(network.trainable_params(), 50_605);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn train_only(self, pattern: &str) -> Result<Self, ModelError> {
        let pattern = pattern.parse()?;
        // Before anything is frozen, so that a slip is found first.
        group(&state::parameters(&self), &pattern, &self.architecture.name)?;
        self.set_trainable(&"*".parse()?, false)?.set_trainable(&pattern, true)
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
        let before = state::parameters(&self).into_iter().filter(|p| is_before(&p.name));
        let before: Vec<ParamId> = before.map(|p| p.id).collect();
        if before.is_empty() {
            let selection = format!("everything before {layer}");
            return Err(nothing_selected(&self.architecture.name, selection));
        }
        let body = self.body.set_require_grad(true);
        self.body = body.set_require_grad_group(ParamGroup::from_ids(before), false);
        Ok(self.with_settled_norms())
    }

    /// The names of the parameters that are frozen.
    pub fn frozen(&self) -> Vec<String> {
        let frozen = state::parameters(self).into_iter().filter(|p| !p.trainable);
        frozen.map(|p| p.name).collect()
    }

    /// How many values training changes; [`num_params`](Module::num_params) counts the frozen ones
    /// and the running statistics, too.
    pub fn trainable_params(&self) -> usize {
        let trainable = state::parameters(self).into_iter().filter(|p| p.trainable);
        trainable.map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn set_trainable(mut self, pattern: &NamePattern, trainable: bool) -> Result<Self, ModelError> {
        let group = group(&state::parameters(&self), pattern, &self.architecture.name)?;
        self.body = self.body.set_require_grad_group(group, trainable);
        Ok(self.with_settled_norms())
    }

    /// The network, every batch normalization of which trains exactly if one of its parameters does.
    fn with_settled_norms(mut self) -> Self {
        self.body.change_norms(&mut |norm| norm.train_with_parameters());
        self
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

#[cfg(test)]
mod tests;
