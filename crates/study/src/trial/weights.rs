//! Where the first weights of a trial come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "plot")]
use selvedge_fetch::FetchError;
use selvedge_models::pretrained::{FoundWeights, Pretrained};
use selvedge_models::weights::{InputChannels, LoadOptions, inspect, inspect_bytes};
use selvedge_models::{Architecture, ModelError, Network};

use super::Plan;
use crate::{ConfigError, Datasets, StudyError};

/// Where the first weights of a trial come from.
#[derive(Clone, Debug)]
pub(crate) enum Weights {
    /// Another trial.
    Trial(Box<Plan>),
    /// A file.
    File(WeightsFile),
}

/// A file of weights.
#[derive(Clone, Debug)]
pub(crate) struct WeightsFile {
    place: Place,
    /// A hash of the weights that a network gets of it.
    pub key: String,
}

#[derive(Clone, Debug)]
enum Place {
    Own(PathBuf),
    /// Kept, since it may be unpacked for as long.
    Published(Arc<FoundWeights>),
}

impl WeightsFile {
    /// A file of one's own; where there is none, published weights of this name. They are for `network`.
    pub fn find(
        path: &Path,
        network: &Architecture,
        datasets: &Datasets,
    ) -> Result<Self, StudyError> {
        let place = match published(path) {
            Some(published) => {
                Place::Published(Arc::new(published.find(&datasets.source().anywhere())?))
            }
            None => Place::Own(path.to_owned()),
        };
        let bytes = std::fs::read(place.path()).map_err(|error| {
            let message = format!("{}: {error}", path.display());
            ConfigError { file: None, line: None, setting: "pretrain.weights".into(), message }
        })?;
        let sha256 = selvedge_files::sha256(&bytes);
        // What does not fit is told when the trial is checked.
        let preview = inspect_bytes(&bytes).and_then(|file| file.preview(network, &options()));
        let key = match preview.is_ok_and(|report| report.input_channels.is_some()) {
            // It was left out in the first studies of such images, whose results are others.
            true => format!("{sha256} with its first convolution for other channels"),
            false => sha256,
        };
        Ok(Self { key, place })
    }

    /// `network` with what fits of the file, and the names of that. For images of other channels the first convolution
    /// has the sum over those of the file.
    pub fn load_into(&self, network: Network) -> Result<(Network, Vec<String>), ModelError> {
        let (network, report) = inspect(self.place.path())?.load_with(network, &options())?;
        Ok((network, report.taken))
    }
}

/// What fits is taken.
fn options() -> LoadOptions {
    LoadOptions { partial: true, input_channels: InputChannels::Sum, ..LoadOptions::default() }
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Own(path) => path,
            Self::Published(found) => found.path(),
        }
    }
}

/// Whether the weights are on this machine: a page of records can do without.
#[cfg(feature = "plot")]
pub(crate) fn are_here(path: &Path, datasets: &Datasets) -> Result<bool, ModelError> {
    let Some(published) = published(path) else { return Ok(path.is_file()) };
    match published.find(&datasets.source().anywhere().without_download()) {
        Err(ModelError::Fetch(FetchError::NotFound { .. })) => Ok(false),
        found => found.map(|_| true),
    }
}

/// The published weights of this name, unless a file is called so.
fn published(path: &Path) -> Option<&'static Pretrained> {
    if path.is_file() { None } else { Pretrained::named(path.to_str()?).ok() }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use selvedge_models::{Conv, Initialization};

    use super::*;

    #[test]
    fn weights_whose_first_convolution_is_converted_have_another_key() {
        let dir = tempfile::tempdir().unwrap();
        let net = |channels| {
            let net = Architecture::new("net", [channels, 6, 6]).layer("first", Conv::new(8, 2));
            net.flatten().linear("fc", 2)
        };
        let path = dir.path().join("weights.safetensors");
        let network = net(3).init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        network.save_safetensors(&path).unwrap();
        let key =
            |channels| WeightsFile::find(&path, &net(channels), &Datasets::default()).unwrap().key;
        assert_eq!(key(3), selvedge_files::sha256(&std::fs::read(&path).unwrap()));
        assert_ne!(key(1), key(3));
        // Nothing becomes two channels of three: the first convolution is left out.
        assert_eq!(key(2), key(3));
    }
}
