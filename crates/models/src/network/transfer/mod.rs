//! Carrying weights from one network to another.

mod report;

pub use report::Report;
pub(crate) use report::shortened;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::arch::is_inside;
use crate::error::nothing_selected;
use crate::network::parameter::shapes;
use crate::{Initialization, ModelError, NamePattern, Network, state};

/// What a transfer takes over from its source, by the names in the network that receives it.
///
/// ```
/// use selvedge_models::Keep;
///
/// let convolutions = Keep::Matching("conv*".parse()?);
/// let first = Keep::Layers(vec!["conv1".into()]);
/// # let _ = (convolutions, first);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Everything but the head, the last linear layer.
    #[default]
    AllButHead,
    /// These layers, with all that is in them.
    Layers(Vec<String>),
    /// What a pattern chooses; `*` is everything.
    Matching(NamePattern),
}

impl Keep {
    /// Which of the `names` in `network` are chosen.
    fn choose(&self, names: &[&str], network: &Network) -> Result<Vec<bool>, ModelError> {
        let architecture = &network.architecture().name;
        let chosen: Vec<bool> = match self {
            Self::AllButHead => {
                let head = network.head()?;
                names.iter().map(|name| !is_inside(name, head)).collect()
            }
            Self::Layers(layers) => {
                let is_known = |layer: &&String| names.iter().any(|name| is_inside(name, layer));
                if let Some(layer) = layers.iter().find(|layer| !is_known(layer)) {
                    return Err(nothing_selected(architecture, layer));
                }
                names.iter().map(|name| layers.iter().any(|l| is_inside(name, l))).collect()
            }
            Self::Matching(pattern) => pattern.choose(names, architecture)?,
        };
        match chosen.contains(&true) {
            true => Ok(chosen),
            false => Err(nothing_selected(architecture, self)),
        }
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllButHead => f.write_str("all but the head"),
            Self::Layers(layers) => f.write_str(&layers.join(", ")),
            Self::Matching(pattern) => pattern.fmt(f),
        }
    }
}

impl Network {
    /// Copies from `source` what `keep` chooses, by name: parameters, and the running statistics of
    /// batch normalization. What `source` does not have, or has in another shape, is left alone and
    /// reported as unfit.
    ///
    /// The values are copied, not shared: training one network leaves the other as it is. What was
    /// frozen stays so.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoHead`] if all but the head is asked for and there is no linear layer;
    /// [`ModelError::NothingSelected`] if a layer, the pattern or one of its alternatives matches
    /// nothing of this network;
    /// [`ModelError::NothingFits`] if nothing of what is chosen can be copied.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Initialization, Keep, TransferCnn};
    ///
    /// let device = Device::flex();
    /// let source = TransferCnn::new(10).architecture().init(Initialization::PyTorch, 0, &device)?;
    /// let target = TransferCnn::new(5).architecture().init(Initialization::PyTorch, 1, &device)?;
    /// let (target, report) = target.transfer_from(&source, &Keep::AllButHead)?;
    /// assert_eq!(report.to_string(), "copied 8: conv1, conv2, fc1, fc2\nfresh  2: fc3\nunfit  0");
    ///
    /// let (_, report) = target.transfer_from(&source, &Keep::Matching("conv*".parse()?))?;
    /// assert_eq!(report.copied, ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight"]);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn transfer_from(
        self,
        source: &Network,
        keep: &Keep,
    ) -> Result<(Self, Report), ModelError> {
        let mut own = shapes(&self);
        own.sort();
        let theirs: BTreeMap<_, _> = shapes(source).into_iter().collect();
        let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let chosen = keep.choose(&names, &self)?;
        let mut report = Report::default();
        for ((name, shape), chosen) in own.into_iter().zip(chosen) {
            let group = match chosen {
                true if theirs.get(&name) == Some(&shape) => &mut report.copied,
                true => &mut report.unfit,
                false => &mut report.fresh,
            };
            group.push(name);
        }
        if report.copied.is_empty() {
            return Err(ModelError::NothingFits {
                architecture: self.architecture().name.clone(),
                source_name: source.architecture().name.clone(),
                unfit: report.unfit,
            });
        }
        // The names were sorted.
        let is_copied = |name: &str| report.copied.binary_search_by(|n| (**n).cmp(name)).is_ok();
        let copies = state::read_some(source, is_copied);
        Ok((state::write(self, copies), report))
    }

    /// Draws the weights of the head, the last linear layer, anew from `seed`. Even a frozen head
    /// learns from then on.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoHead`] if there is no linear layer.
    pub fn with_fresh_head(
        mut self,
        initialization: Initialization,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let head = self.head()?.to_string();
        self.reset_linear(&head, initialization, seed);
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
mod tests;
