use selvedge_data::{DataError, Normalization, NormalizationKind, View};
use serde::{Deserialize, Serialize};

/// How the pixels of a trial are normalized.
///
/// In a study file `normalization = "raw"`, or what trained weights of a file are used to:
/// `normalization = { mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "`standardized`, `raw`, `unit` or a table of `mean` and `std` is expected"
)]
pub enum NormalizationConfig {
    /// In one of these ways.
    Kind(NormalizationKind),
    /// By these numbers: one for all channels, or one for each.
    Given(Normalization),
}

impl Default for NormalizationConfig {
    fn default() -> Self {
        Self::Kind(NormalizationKind::default())
    }
}

impl NormalizationConfig {
    /// The normalization for images like those of `train`, which should be the training images.
    pub fn normalization(&self, train: &View) -> Normalization {
        match self {
            Self::Kind(kind) => kind.normalization(train),
            Self::Given(given) => given.clone(),
        }
    }

    /// Refuses numbers that do not fit images of so many channels.
    pub(crate) fn check(&self, channels: usize) -> Result<(), DataError> {
        match self {
            Self::Kind(_) => Ok(()),
            Self::Given(given) => given.check(channels),
        }
    }
}
