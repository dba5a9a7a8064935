//! Settings that several programs take.

use selvedge_data::{
    ClassSubset, DataError, FASHION_MNIST, NormalizationKind, PublishedSet, Source, Split,
};
use selvedge_train::{FitConfig, OptimizerConfig};

use crate::Error;

/// Which images: arguments for a published data set and its classes.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArgs {
    /// A published data set: fashion_mnist or mnist
    #[arg(long, default_value = "fashion_mnist", value_name = "NAME")]
    pub dataset: String,
    /// Its classes
    #[arg(long, default_value = "all")]
    pub classes: Classes,
}

impl DataArgs {
    /// The official split of the data set, looked for where `source` says, of these classes alone.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for an unknown name, a data set that is not found or damaged, or one that lacks
    /// the classes.
    pub fn split(&self, source: &Source) -> Result<Split, Error> {
        let set = PublishedSet::named(&self.dataset)?;
        let subset = self.classes.subset();
        if let Some(subset) = subset.as_ref().filter(|_| set.name != FASHION_MNIST.name) {
            let reason = format!("the classes {} are those of Fashion-MNIST", subset.name());
            return Err(DataError::other(reason).into());
        }
        let split = set.load(source)?.split_official()?;
        Ok(match subset {
            Some(subset) => split.select(&subset)?,
            None => split,
        })
    }
}

/// Some classes of a data set, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Classes {
    /// All of them
    All,
    /// Half of Fashion-MNIST: T-shirt, trouser, coat, sandal, bag
    Fm1,
    /// The other half: pullover, dress, shirt, sneaker, ankle boot
    Fm2,
}

impl Classes {
    /// The classes; `None` is all.
    pub fn subset(self) -> Option<ClassSubset> {
        match self {
            Self::All => None,
            Self::Fm1 => Some(ClassSubset::fm1()),
            Self::Fm2 => Some(ClassSubset::fm2()),
        }
    }
}

/// How a network is trained: what is left out is the program's default.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainingArgs {
    /// Passes over the training images
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Images a step [default: 128]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Step size of the optimizer [default: 0.001]
    #[arg(long, allow_negative_numbers = true)]
    pub learning_rate: Option<f64>,
    /// The optimizer; SGD with momentum 0.9
    #[arg(long)]
    pub optimizer: Option<Optimizer>,
}

impl TrainingArgs {
    /// `base` with the settings that were given.
    pub fn config(&self, base: FitConfig) -> FitConfig {
        FitConfig {
            epochs: self.epochs.unwrap_or(base.epochs),
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            learning_rate: self.learning_rate.unwrap_or(base.learning_rate),
            optimizer: self.optimizer.map_or(base.optimizer, Into::into),
            ..base
        }
    }
}

/// A fraction of the training images: `0.05` or `5%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fraction(pub f64);

impl std::str::FromStr for Fraction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.trim().strip_suffix('%') {
            Some(percent) => (percent, 100.0),
            None => (text, 1.0),
        };
        let fraction = number.trim().parse::<f64>().map_err(|e| e.to_string())? / unit;
        match fraction > 0.0 && fraction <= 1.0 {
            true => Ok(Self(fraction)),
            false => {
                Err("a fraction is above 0 and at most 1, or above 0 % and at most 100%".into())
            }
        }
    }
}

/// The optimizers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum Optimizer {
    /// Adam
    Adam,
    /// Stochastic gradient descent with momentum 0.9
    Sgd,
    /// RMSprop without momentum
    RmsProp,
}

impl From<Optimizer> for OptimizerConfig {
    fn from(optimizer: Optimizer) -> Self {
        match optimizer {
            Optimizer::Adam => Self::adam(),
            Optimizer::Sgd => Self::sgd(0.9),
            Optimizer::RmsProp => Self::rms_prop(0.0),
        }
    }
}

/// How pixels are normalized, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Normalization {
    /// As they are, 0 to 255
    Raw,
    /// Divided by 255
    Unit,
    /// Mean 0 and standard deviation 1
    Standardized,
}

impl From<Normalization> for NormalizationKind {
    fn from(normalization: Normalization) -> Self {
        match normalization {
            Normalization::Raw => Self::Raw,
            Normalization::Unit => Self::Unit,
            Normalization::Standardized => Self::Standardized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_read_as_numbers_and_as_percentages() {
        assert_eq!("0.05".parse(), Ok(Fraction(0.05)));
        assert_eq!("100%".parse(), Ok(Fraction(1.0)));
        assert_eq!(" 25 % ".parse(), Ok(Fraction(0.25)));
        for wrong in ["0", "-0.1", "1.5", "5", "nan", "101%", "x", ""] {
            assert!(wrong.parse::<Fraction>().is_err(), "{wrong}");
        }
    }
}
