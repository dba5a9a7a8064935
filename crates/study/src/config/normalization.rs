use selvedge_data::{Normalization, NormalizationKind, View};
use serde::{Deserialize, Serialize};

use super::tree::Wrong;

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

    /// Refuses what no image can have.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        let Self::Given(Normalization { mean, std }) = self else { return Ok(()) };
        let wrong = |key, value: String, expected| {
            let message = format!("it is {value}, but must be {expected}");
            Err(Wrong::other(&["normalization", key], message))
        };
        if mean.is_empty() || !mean.iter().all(|mean| mean.is_finite()) {
            return wrong("mean", format!("{mean:?}"), "finite numbers");
        }
        if std.is_empty() || !std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return wrong("std", format!("{std:?}"), "finite numbers above 0");
        }
        Ok(())
    }
}
