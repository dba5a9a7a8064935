//! Carrying weights from one network to another.

use serde::{Deserialize, Serialize};

use crate::{Init, ModelError, Network, state};

/// What became of each parameter in a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Parameters whose values were copied from the source.
    pub copied: Vec<String>,
    /// Parameters that keep the values they had: the head's.
    pub fresh: Vec<String>,
    /// Parameters that were to be copied but are not in the source, or have another shape there.
    pub unfit: Vec<String>,
}

impl Network {
    /// Copies from `source` every parameter but those of this network's head, the last linear layer.
    ///
    /// The values are copied, not shared: training one network leaves the other as it is.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoHead`] if there is no linear layer.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Init, TransferCnn};
    ///
    /// let device = Device::flex();
    /// let source = TransferCnn::new(10).architecture().init(Init::PyTorch, 0, &device)?;
    /// let target = TransferCnn::new(5).architecture().init(Init::PyTorch, 1, &device)?;
    /// let (target, report) = target.transfer_from(&source)?;
    /// assert_eq!(report.fresh, ["fc3.bias", "fc3.weight"]);
    /// assert!(report.unfit.is_empty());
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn transfer_from(self, source: &Network) -> Result<(Self, Report), ModelError> {
        let head = format!("{}.", self.head()?);
        let mut source = state::read(source);
        let mut copies = state::State::new();
        let mut report = Report::default();
        for (name, old) in state::read(&self) {
            if name.starts_with(&head) {
                report.fresh.push(name);
            } else if let Some(new) = source.remove(&name).filter(|new| new.shape() == old.shape())
            {
                report.copied.push(name.clone());
                copies.insert(name, new);
            } else {
                report.unfit.push(name);
            }
        }
        Ok((state::write(self, copies), report))
    }

    /// Draws the weights of the head, the last linear layer, anew from `seed`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoHead`] if there is no linear layer.
    pub fn with_fresh_head(mut self, init: Init, seed: u64) -> Result<Self, ModelError> {
        let head = self.head()?.to_string();
        self.reset_linear(&head, init, seed);
        Ok(self)
    }

    fn head(&self) -> Result<&str, ModelError> {
        let architecture = self.architecture();
        architecture
            .head()
            .ok_or_else(|| ModelError::NoHead { architecture: architecture.name.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Cnn, TransferCnn};
    use burn::tensor::Device;

    fn network(architecture: Architecture, seed: u64) -> Network {
        architecture.init(Init::PyTorch, seed, &Device::flex()).unwrap()
    }

    #[test]
    fn everything_but_the_head_is_copied() {
        let source = network(TransferCnn::new(5).architecture(), 1);
        let before = network(TransferCnn::new(5).architecture(), 2);
        let (after, report) = before.clone().transfer_from(&source).unwrap();
        let [source, before, after] = [&source, &before, &after].map(state::read);
        assert_eq!(report.copied.len(), 8);
        for (name, value) in &after {
            let expected = if name.starts_with("fc3.") { &before } else { &source };
            assert_eq!(value, &expected[name], "{name}");
        }
    }

    #[test]
    fn parameters_of_other_shapes_are_reported_and_left_alone() {
        let source = network(Cnn::cnn2_small(5).architecture(), 1);
        let target = network(Cnn::cnn2(5).architecture(), 2);
        let before = state::read(&target);
        let (target, report) = target.transfer_from(&source).unwrap();
        let unfit = ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight", "fc1.weight"];
        assert_eq!(report.unfit, unfit);
        assert_eq!(report.copied, ["fc1.bias"]);
        assert_eq!(state::read(&target)["conv1.weight"], before["conv1.weight"]);
    }

    #[test]
    fn a_network_without_a_linear_layer_has_no_head_to_keep() {
        let headless = network(Architecture::new("headless", [1, 8, 8]).conv("conv1", 2, 3, 0), 0);
        let error = headless.clone().transfer_from(&headless).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`headless` has no linear layer that could serve as its head"
        );
    }

    #[test]
    fn a_fresh_head_changes_the_head_alone() {
        let before = network(TransferCnn::new(5).architecture(), 1);
        let after = before.clone().with_fresh_head(Init::PyTorch, 9).unwrap();
        let (before, after) = (state::read(&before), state::read(&after));
        for (name, value) in &after {
            assert_eq!(value == &before[name], !name.starts_with("fc3."), "{name}");
        }
    }
}
