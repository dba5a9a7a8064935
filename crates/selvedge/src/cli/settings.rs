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

/// A flag of programs that take a while: a short look at whether everything works.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct QuickArgs {
    /// 1 epoch of a fiftieth of the images: a check that everything works, which measures nothing
    #[arg(long)]
    pub quick: bool,
}

impl QuickArgs {
    /// As many epochs as usual, or 1.
    pub fn epochs(self, usual: usize) -> usize {
        if self.quick { 1 } else { usual }
    }

    /// All images, or a fiftieth of each part, the classes in the same shares.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if a part has no images.
    pub fn split(self, mut split: Split) -> Result<Split, Error> {
        if self.quick {
            let parts = [&mut split.train, &mut split.validation];
            for view in parts.into_iter().chain(&mut split.test) {
                *view = view.stratified_fraction(0.02, 0)?;
            }
        }
        Ok(split)
    }
}

/// The names that there are, from the table itself.
fn dataset_help() -> String {
    let names: Vec<_> = SETS.iter().map(|set| set.name).collect();
    format!("A published data set: {}", names.join(", "))
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
    use selvedge_data::{ImageDataset, View};

    use super::*;

    #[test]
    fn the_help_names_every_data_set_of_the_table() {
        let help = dataset_help();
        assert!(help.starts_with("A published data set: fashion_mnist, mnist, "), "{help}");
        assert!(SETS.iter().all(|set| help.contains(set.name)), "{help}");
    }

    #[test]
    fn a_quick_look_has_a_fiftieth_of_each_part_with_all_classes() {
        let labels = (0..1000).map(|i| i % 2).collect();
        let classes = vec!["even".into(), "odd".into()];
        let pixels = (0..1000u16).flat_map(u16::to_le_bytes).collect();
        let images = ImageDataset::new("t", pixels, [1, 1, 2], labels, classes).unwrap();
        let split = images.view().split_stratified_three([0.5, 0.3, 0.2], 1).unwrap();
        let counts = |quick| {
            let args = QuickArgs { quick };
            let split = args.split(split.clone()).unwrap();
            let parts = [&split.train, &split.validation, split.test().unwrap()];
            (args.epochs(30), parts.map(View::class_counts))
        };
        assert_eq!(counts(true), (1, [vec![5, 5], vec![3, 3], vec![2, 2]]));
        assert_eq!(counts(false), (30, [vec![250, 250], vec![150, 150], vec![100, 100]]));
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
