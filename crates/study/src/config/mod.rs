//! Studies as settings: a file of TOML, or the same as a value.
//!
//! ```toml
//! [study]
//! question = "Which learning rate is best?"
//! metric = "validation.loss"
//! seeds = 6
//!
//! [base]
//! dataset = "fashion_mnist[fm1]"
//! model = "cnn2_small"
//! epochs = 5
//!
//! [vary]
//! learning_rate = [0.01, 0.001, 0.0001]
//! "model.dropout" = [0.0, 0.25]
//! ```
//!
//! | section | what it is |
//! |---|---|
//! | `[study]` | the question, the metric that decides, the seeds, how variants are found |
//! | `[base]` | the settings that all variants share: those of a [`TrialConfig`] |
//! | `[vary]` | settings that take several values, see [`Dimension`] |
//! | `[[variant]]` | settings that change together, under a `name` |
//!
//! A mistake is one line with the place in the file and, where a name is not known, the nearest that is:
//!
//! ```
//! use selvedge_study::StudyConfig;
//!
//! let error = "[vary]\nlerning_rate = [0.1, 0.01]".parse::<StudyConfig>().unwrap_err();
//! let expected = "line 2: vary.lerning_rate: `lerning_rate` is unknown; did you mean `learning_rate`?";
//! assert_eq!(error.to_string(), expected);
//! ```

mod dataset;
mod error;
mod lines;
mod metric;
mod model;
mod normalization;
mod outline;
mod overrides;
mod pruner;
mod search;
mod study;
mod test_time;
mod tree;
mod trial;
mod variants;
mod vary;

pub use dataset::{Also, Classes, DatasetConfig, Part, Shares, Subset};
pub use error::ConfigError;
pub use metric::Metric;
pub use model::ModelConfig;
pub use normalization::NormalizationConfig;
pub use pruner::Pruner;
pub use search::Search;
pub use study::StudyConfig;
pub use test_time::TestTime;
pub use trial::{Pretraining, TaskConfig, TrialConfig};
pub use variants::Variant;
pub use vary::{Dimension, Range, Values};

pub(crate) use error::printable;
#[cfg(feature = "plot")]
pub(crate) use outline::count;
pub(crate) use outline::{adjusted_for, are};
pub(crate) use search::GENERATION;
pub(crate) use variants::shown;
#[cfg(feature = "plot")]
pub(crate) use vary::get;

#[cfg(test)]
mod tests;
