//! Where the first weights of a trial come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "plot")]
use selvedge_fetch::FetchError;
#[cfg(feature = "plot")]
use selvedge_models::ModelError;
use selvedge_models::pretrained::{FoundWeights, Pretrained};

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
    /// The SHA-256 of its bytes.
    pub sha256: String,
}

#[derive(Clone, Debug)]
enum Place {
    Own(PathBuf),
    /// Kept, since it may be unpacked for as long.
    Published(Arc<FoundWeights>),
}

impl WeightsFile {
    /// A file of one's own; where there is none, published weights of this name.
    pub fn find(path: &Path, datasets: &Datasets) -> Result<Self, StudyError> {
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
        Ok(Self { sha256: selvedge_files::sha256(&bytes), place })
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }
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
