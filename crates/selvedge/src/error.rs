use selvedge_data::DataError;
use selvedge_files::OutputError;
use selvedge_models::ModelError;
use selvedge_study::{ConfigError, StudyError};
use selvedge_train::TrainError;

use crate::device::DeviceError;

/// Whatever this library can refuse, each with a message of one line: for programs that pass errors on.
///
/// ```no_run
/// use selvedge::prelude::*;
///
/// fn images() -> Result<Dataset, selvedge::Error> {
///     Ok(FASHION_MNIST.load(&Source::default())?)
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Data cannot be read, divided or batched.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A device cannot be had.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A network cannot be built, or its weights not be read or written.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// A run went wrong, or a setting is outside its range.
    #[error(transparent)]
    Train(Box<TrainError>),
    /// A study went wrong.
    #[error(transparent)]
    Study(Box<StudyError>),
    /// A picture cannot be drawn.
    #[cfg(feature = "plot")]
    #[error(transparent)]
    Plot(#[from] selvedge_report::plot::PlotError),
    /// Events for TensorBoard cannot be written.
    #[error(transparent)]
    Events(#[from] selvedge_report::tensorboard::EventError),
    /// A file or folder of results cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Standard output cannot be written to, or Ctrl-C not be caught.
    #[error("{0}")]
    Terminal(String),
}

/// The larger ones are boxed, so that results stay small.
macro_rules! from_boxed {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        }
    )*};
}

from_boxed!(ModelError => Model, TrainError => Train, StudyError => Study);

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        StudyError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_is_said_once_however_often_it_was_passed_on() {
        let low = TrainError::NothingToTrain;
        let line = low.to_string();
        let error = Error::from(StudyError::from(low));
        assert_eq!(error.to_string(), line);
        let mut chain = std::iter::successors(error.source(), |error| (*error).source());
        assert!(chain.all(|source| source.to_string() != line));
    }
}
