//! Settings that several programs take.

use crate::Error;
use selvedge_data::published::SETS;
use selvedge_data::{
    ClassSubset, DataError, FASHION_MNIST, NormalizationKind, PublishedSet, Source, Split,
};

/// Which images: arguments for a published data set and its classes.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArgs {
    /// The name of a published data set, see [`PublishedSet`].
    #[arg(long, default_value = "fashion_mnist", value_name = "NAME", help = dataset_help())]
    pub dataset: String,
    /// Its classes [default: all of them, unless the program says otherwise]
    #[arg(long)]
    pub classes: Option<Classes>,
}

impl DataArgs {
    /// The same, with these classes of Fashion-MNIST where none were given.
    #[must_use]
    pub fn or_classes(&self, classes: Classes) -> Self {
        let usual = (self.dataset == FASHION_MNIST.name).then_some(classes);
        Self { classes: self.classes.or(usual), ..self.clone() }
    }

    /// The shape of its images, `[channels, height, width]`, before they are read.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for an unknown name.
    pub fn shape(&self) -> Result<[usize; 3], Error> {
        Ok(PublishedSet::named(&self.dataset)?.shape)
    }

    /// The official split of the data set, looked for where `source` says, of these classes alone; of all
    /// where none were given.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for an unknown name, a data set that is not found or damaged, or one that lacks
    /// the classes.
    pub fn split(&self, source: &Source) -> Result<Split, Error> {
        let set = PublishedSet::named(&self.dataset)?;
        let subset = self.classes.and_then(Classes::subset);
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

/// The names that there are, from the table itself.
fn dataset_help() -> String {
    let names: Vec<_> = SETS.iter().map(|set| set.name).collect();
    format!("A published data set: {}", names.join(", "))
}

/// How many batches to prepare ahead for this device: none for a CPU, which computes meanwhile.
pub fn prefetch(device: &str) -> usize {
    if crate::device::is_cpu(device) { 0 } else { 2 }
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
    fn the_help_names_every_data_set_of_the_table() {
        let help = dataset_help();
        assert!(help.starts_with("A published data set: fashion_mnist, mnist, "), "{help}");
        assert!(SETS.iter().all(|set| help.contains(set.name)), "{help}");
    }

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
