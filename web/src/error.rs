use selvedge_data::{DataError, IdxError};
use selvedge_models::ModelError;

/// What the page cannot do, as one line for its user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A network or its file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Images to train on cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file of images or labels cannot be read.
    #[error("{what}: {source}")]
    Idx {
        /// Which of the files.
        what: &'static str,
        /// What is wrong with it.
        source: IdxError,
    },
    /// A picture cannot be shown to the network.
    #[error("the picture {0}")]
    Picture(String),
    /// Something else has to come first.
    #[error("{0}")]
    Order(&'static str),
    /// A setting of the training is out of range.
    #[error("{name} is {value}, but must be {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed.
        expected: &'static str,
    },
    /// The training does not get anywhere.
    #[error("the loss is {loss} in epoch {epoch}, step {step}: try a lower learning rate")]
    Diverged {
        /// The loss.
        loss: f64,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step within all, counted from 1.
        step: usize,
    },
    /// What the page asked for is not understood: its parts are of different versions.
    #[error("the page and its WebAssembly do not fit each other, load it anew: {0}")]
    Request(#[from] serde_json::Error),
}
