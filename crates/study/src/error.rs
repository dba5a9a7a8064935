use std::path::PathBuf;

use rayon::ThreadPoolBuildError;
use selvedge_data::DataError;
use selvedge_files::OutputError;
use selvedge_models::ModelError;
use selvedge_train::TrainError;

use crate::{ConfigError, StudyConfig, Variant};

/// What can go wrong in a study.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A run went wrong, or a setting is outside its range.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The data cannot be divided.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A network cannot be built, or its weights not carried over or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The networks of the source and of the target differ in more than their last layer.
    #[error(
        "the networks of the two tasks differ in more than their last layer: {} of the target cannot be carried over", unfit.join(", ")
    )]
    Networks {
        /// The parameters of the target that have no counterpart of their shape.
        unfit: Vec<String>,
    },
    /// Parameters or running statistics are to begin with weights that do not fit them, and not to learn.
    #[error(
        "{} would stay as before any training: what is frozen is missing in the weights, or of another shape there",
        first(unfit)
    )]
    FrozenUnfit {
        /// Their names.
        unfit: Vec<String>,
    },
    /// The settings of a study are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Finished trials cannot be read or kept.
    #[error(
        "{store}: {error}; what is finished is kept there, and the same command goes on from it"
    )]
    Store {
        /// The store.
        store: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The record of a finished trial cannot be read, where it is not to be done again.
    #[error("{store}: {name} is damaged")]
    Record {
        /// The store.
        store: String,
        /// The record.
        name: String,
    },
    /// The threads for several runs at the same time cannot be had.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A picture cannot be drawn.
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Plot(#[from] selvedge_report::plot::PlotError),
    /// The folder holds a study with other settings, which is neither carried on nor replaced.
    #[error("{} holds another study: {}", folder.display(), differences.join("; "))]
    OtherStudy {
        /// The folder.
        folder: PathBuf,
        /// What differs: "epochs is 3 there, 2 here".
        differences: Vec<String>,
    },
    /// A file or folder of results cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// The threads for several runs at the same time cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("the threads for several runs at the same time cannot be started: {0}")]
pub struct ThreadsError(pub(crate) ThreadPoolBuildError);

impl StudyError {
    /// The same, as what a variant of a study made impossible, with its line.
    pub(crate) fn of_variant(self, study: &StudyConfig, variant: &Variant) -> Self {
        match self {
            error @ (Self::Config(_) | Self::Store { .. }) => error,
            error @ Self::Data(_) => study.blame_variant(variant, "dataset", &error).into(),
            error @ Self::Train(_) => study.blame_variant(variant, "transforms", &error).into(),
            error => study.blame_variant(variant, "model", &error).into(),
        }
    }
}

/// The first name, and how many more there are.
fn first(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [name, more @ ..] => format!("{name} and {} more", more.len()),
    }
}
