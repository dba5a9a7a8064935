use selvedge_data::DataError;
use selvedge_models::ModelError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data cannot be read or batched.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network cannot be built, or its weights read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A setting is outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed.
        expected: &'static str,
    },
    /// The loss became infinite, NaN or hopeless before an epoch was complete.
    #[error(
        "{what} diverged: the loss is {loss} in epoch {epoch}, batch {batch}; a smaller learning rate may help"
    )]
    Diverged {
        /// The run.
        what: String,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch in it, counted from 1.
        batch: usize,
        /// The loss: infinite or NaN.
        loss: f64,
    },
    /// The images are of another shape than the model takes.
    #[error("`{model}` takes images of {}, but these are of {}", sides(takes), sides(given))]
    ImageShape {
        /// The model's name.
        model: String,
        /// `[channels, height, width]` that it takes.
        takes: [usize; 3],
        /// `[channels, height, width]` of the images.
        given: [usize; 3],
    },
    /// The model gives another number of logits than there are classes.
    #[error("the model gives {logits} logits, but the images have {classes} classes")]
    Classes {
        /// Logits an image.
        logits: usize,
        /// Classes of the data.
        classes: usize,
    },
    /// A label is not one of the classes that the model tells apart.
    #[error("label {label} is not one of the {classes} classes of the logits")]
    Label {
        /// The label.
        label: i64,
        /// Logits an image.
        classes: usize,
    },
    /// What a loss compares the outputs with is of another shape.
    #[error("the targets are of shape {found:?}, expected {expected:?}")]
    Targets {
        /// The shape that fits the outputs.
        expected: Vec<usize>,
        /// The shape of the targets.
        found: Vec<usize>,
    },
    /// The model gives another number of values than an image has pixels.
    #[error("the model gives {outputs} values, but an image has {pixels} pixels")]
    Pixels {
        /// Values an image.
        outputs: usize,
        /// Pixels of all channels of an image.
        pixels: usize,
    },
    /// A metric that the task does not measure.
    #[error("there is no metric `{name}` to monitor; there are {}", known.join(", "))]
    Metric {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// A run folder cannot be used: it is not one, another process has it, or it cannot be written to.
    #[error("{reason}")]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// What is the matter, with the path.
        reason: String,
    },
    /// The run in a folder was started with other settings.
    #[error(
        "the run in {} was started with other settings: {}", path.display(), differences.join("; ")
    )]
    OtherSettings {
        /// The folder.
        path: std::path::PathBuf,
        /// One for each setting that differs: `fit.epochs is 3 there, 2 here`.
        differences: Vec<String>,
    },
    /// Every parameter of the model is frozen.
    #[error("there is nothing to train: every parameter of the model is frozen")]
    NothingToTrain,
    /// The features of a trunk do not fit into memory.
    #[error(
        "the features of {images} images take {bytes} bytes, which cannot be had; cut the network after a pool or a linear layer, or take fewer images"
    )]
    Memory {
        /// The number of images.
        images: usize,
        /// The memory that their features take.
        bytes: u64,
    },
    /// What watches the run cannot go on.
    #[error("{0}")]
    Observer(String),
    /// The run was stopped before there was anything to report.
    #[error("{what} was stopped before there was anything to report")]
    Stopped {
        /// What was being trained or measured.
        what: String,
    },
}

fn sides([channels, height, width]: &[usize; 3]) -> String {
    format!("{channels} × {height} × {width}")
}

/// `Ok` if images are of the shape that a model takes, else [`TrainError::ImageShape`].
pub(crate) fn require_shape(
    model: &str,
    takes: [usize; 3],
    given: [usize; 3],
) -> Result<(), TrainError> {
    match takes == given {
        true => Ok(()),
        false => Err(TrainError::ImageShape { model: model.into(), takes, given }),
    }
}

/// `Ok` if `holds`, else [`TrainError::Setting`] with what the setting is and what it must be, for the crates above.
///
/// # Errors
///
/// [`TrainError::Setting`] if it does not hold.
pub fn require(
    holds: bool,
    name: &'static str,
    value: impl std::fmt::Display,
    expected: &'static str,
) -> Result<(), TrainError> {
    if holds {
        return Ok(());
    }
    let value = selvedge_data::short_number(value.to_string());
    Err(TrainError::Setting { name, value, expected })
}
