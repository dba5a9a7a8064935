use selvedge_data::DataError;
use selvedge_models::ModelError;
use selvedge_train::TrainError;

use crate::plot::PlotError;

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// The network, its images or a setting do not fit.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// Features cannot be computed or compared.
    #[error(transparent)]
    Train(Box<TrainError>),
    /// Images of a data set cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A data set has other classes than the network knows.
    #[error("{data} has the classes {given}, but `{network}` knows {known}")]
    Classes {
        /// The name of the data set.
        data: String,
        /// Its classes; of many those that differ.
        given: String,
        /// The name of the network.
        network: String,
        /// The classes that it knows; of many those that differ.
        known: String,
    },
    /// A picture cannot be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The stop was requested before all was computed.
    #[error("stopped before everything was computed")]
    Stopped,
}

impl From<ModelError> for LookError {
    fn from(error: ModelError) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<TrainError> for LookError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}
