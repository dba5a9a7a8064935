use serde::{Deserialize, Serialize};

/// How many variants are proposed at once, and those of a grid tried where trials may end early. The same whatever runs
/// at the same time: a study that was killed, and one that many processes share, tries the same variants.
pub(crate) const GENERATION: usize = 4;

/// How variants are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Search {
    /// Every combination of all values.
    #[default]
    Grid,
    /// The base, and every value of each setting with all others as in the base.
    OneAtATime,
    /// Values drawn at random.
    Random {
        /// Decides the draws.
        #[serde(default)]
        seed: u64,
    },
    /// Values of a Sobol sequence, which fill the space more evenly.
    Sobol {
        /// Decides the scrambling of the sequence.
        #[serde(default)]
        seed: u64,
    },
    /// Tree-structured Parzen estimator: values like those of good variants.
    Tpe {
        /// Decides the draws.
        #[serde(default)]
        seed: u64,
    },
    /// Gaussian process: values of the highest expected improvement.
    GaussianProcess {
        /// Decides the draws.
        #[serde(default)]
        seed: u64,
    },
    /// Variants drawn at random for a few epochs each, and each time the best of them for more, until the last ones
    /// have all the epochs of the base.
    SuccessiveHalving {
        /// Epochs of the first rung.
        #[serde(default = "one")]
        smallest: u64,
        /// How many times fewer variants, and more epochs, each rung has.
        #[serde(default = "three")]
        eta: u64,
        /// Decides the draws.
        #[serde(default)]
        seed: u64,
    },
    /// Several times successive halving, from many variants for a few epochs to few for all of them. How many
    /// variants there are follows from the epochs.
    Hyperband {
        /// The fewest epochs.
        #[serde(default = "one")]
        smallest: u64,
        /// How many times fewer variants, and more epochs, each rung has.
        #[serde(default = "three")]
        eta: u64,
        /// Decides the draws.
        #[serde(default)]
        seed: u64,
    },
}

impl Search {
    /// Whether it needs to know how many variants it may try.
    pub(super) fn needs_budget(&self) -> bool {
        !matches!(self, Self::Grid | Self::OneAtATime | Self::Hyperband { .. })
    }

    /// Whether trials can be ended early by what others came to.
    pub(super) fn can_prune(&self) -> Result<(), &'static str> {
        match self {
            Self::OneAtATime => Err(
                "one setting at a time asks how much each one matters: all of its trials come to their end",
            ),
            Self::SuccessiveHalving { .. } | Self::Hyperband { .. } => {
                Err("halving ends trials by itself")
            }
            _ => Ok(()),
        }
    }

    /// Whether variants follow from the file alone.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self, Self::Grid | Self::OneAtATime)
    }
}

fn one() -> u64 {
    1
}

fn three() -> u64 {
    3
}
