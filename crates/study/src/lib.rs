//! Many runs that answer one question together.
//!
//! | to | use |
//! |---|---|
//! | answer a question by many trials | [`StudyConfig`], [`Datasets`], [`Runner`] |
//! | keep what they say: tables, and a page for people | [`StudyResults`] |
//! | write a page with tables and figures from the records of studies | `pages` (feature `plot`) |
//! | find out what pre-training is worth | [`transfer`] |
//! | choose which settings to try next, and for how long | [`search`] |
//! | know whether a difference is more than chance | [`statistics`] |
//! | have several runs at the same time | [`jobs`] |
//! | know what went wrong | [`StudyError`] |
//!
//! A study trains with [`selvedge_train`], writes its files whole with [`selvedge_files`] and draws
//! with [`selvedge_report`]. The same seeds on the same device give the same bits, however many runs
//! happen at the same time.

pub mod config;
mod datasets;
mod error;
pub mod jobs;
mod record;
mod run;
pub mod search;
pub mod statistics;
pub mod store;
pub mod transfer;
pub mod trial;

pub use config::{
    ConfigError, DatasetConfig, Metric, ModelConfig, NormalizationConfig, Pretraining, Pruner,
    Search, StudyConfig, TaskConfig, TestTime, TrialConfig, Variant,
};
pub use datasets::{Datasets, LoadedData};
pub use error::{StudyError, ThreadsError};
#[cfg(feature = "plot")]
pub use run::pages;
pub use run::{
    Contrast, Failure, Importance, Row, Runner, StudyResults, Table, TunedArm, VariantResults,
    check_output,
};
pub use trial::TrialRecord;
