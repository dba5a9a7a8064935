//! What of a file is read, and how.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{printable, shortened};

/// As many choices are named in an error.
const MOST_NAMED: usize = 8;

/// How a file of weights is read; [`Default`] is what [`inspect`](super::inspect) does.
///
/// ```
/// use selvedge_models::weights::ReadOptions;
///
/// let averaged = ReadOptions { key: Some("model_ema".into()), ..ReadOptions::default() };
/// assert!(!averaged.allow_non_finite);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The keys, joined by dots, under which a checkpoint of PyTorch keeps the weights that are meant, such as
    /// `ema.module`; of several sets beneath a key all are taken. Or, of a file of any format, what stands before
    /// the names that are meant in one dictionary, such as `encoder` for `encoder.conv1.weight`, which is then
    /// `conv1.weight`. `None` takes those that are clearly meant.
    pub key: Option<String>,
    /// Whether a network takes values that are NaN or infinite, which otherwise is an error.
    pub allow_non_finite: bool,
}

/// A set of weights in a file that may hold several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The keys that lead to it, joined by dots; empty for the whole file.
    pub key: String,
    /// The number of its tensors.
    pub tensors: usize,
    /// The number of their elements.
    pub elements: u64,
}

impl Choice {
    /// The choices on one line.
    pub(super) fn listed(choices: &[Self]) -> String {
        let mut texts: Vec<String> = choices.iter().take(MOST_NAMED).map(Self::to_string).collect();
        match choices.len() {
            0 => return "there are none at all".into(),
            count if count > MOST_NAMED => texts.push(format!("{} more", count - MOST_NAMED)),
            _ => {}
        }
        format!("there are {}", texts.join(", "))
    }
}

/// The elements of a tensor of this shape, or the largest number.
pub(super) fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |n, &size| n.saturating_mul(size as u64))
}

impl fmt::Display for Choice {
    /// The key, its control characters escaped, and how much is under it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, tensors, elements } = self;
        let key = printable(&shortened(key, 80));
        write!(f, "`{key}` ({elements} elements in {tensors} tensors)")
    }
}
