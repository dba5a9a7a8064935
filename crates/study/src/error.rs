use selvedge_data::DataError;
use selvedge_files::OutputError;
use selvedge_models::ModelError;
use selvedge_train::TrainError;

use crate::jobs::ThreadsError;

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
    /// The threads for several runs at the same time cannot be had.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A picture cannot be drawn.
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Plot(#[from] selvedge_report::plot::PlotError),
    /// A file or folder of results cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}
