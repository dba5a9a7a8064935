//! How a file of weights is to be taken.

use serde::{Deserialize, Serialize};

use super::{ReadOptions, Rename};

/// How a network takes the weights of a file.
///
/// ```
/// use selvedge_models::weights::{InputChannels, LoadOptions};
///
/// let options = LoadOptions {
///     rename: vec!["linear=fc".parse()?],
///     input_channels: InputChannels::Sum,
///     ..LoadOptions::default()
/// };
/// # let _ = options;
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Which of several sets of weights in the file, and whether values that are NaN or infinite are taken: for
    /// [`Architecture::from_pretrained_with`](crate::Architecture::from_pretrained_with), which opens the file. A
    /// [`WeightFile`](super::WeightFile) keeps the options with which it was opened.
    pub read: ReadOptions,
    /// Rules for the names of the file, one after the other; none by default.
    pub rename: Vec<Rename>,
    /// Whether what fits is enough: the rest of the network stays as it was drawn, the rest of the file is
    /// left. By default every difference is refused, but for a head of other classes where a network is built.
    pub partial: bool,
    /// What becomes of a first convolution for images of other channels.
    pub input_channels: InputChannels,
    /// What is drawn, is drawn from this seed, in PyTorch's way.
    pub seed: u64,
}

/// What becomes of the weights of a first convolution, `[out_channels, in_channels, kernel, kernel]`, in a
/// network for images of one channel where the file is for several, or the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputChannels {
    /// They are refused.
    #[default]
    Refuse,
    /// The sum over the channels, as timm's `adapt_input_conv` does; for several channels the weights of one
    /// repeated and divided by their number. Either way a grey image gives the same as the image of which
    /// every channel is this one: for images that are normalized alike.
    Sum,
    /// The mean over the channels; for several channels the weights of one, repeated.
    Mean,
}
