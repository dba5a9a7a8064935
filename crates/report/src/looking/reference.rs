use selvedge_data::transform::Corruption;
use selvedge_data::{Normalization, View};
use selvedge_models::{Bundle, ModelError};
use selvedge_train::{Context, TrainError, robustness};

use super::names::require_same;
use super::{Alike, LookError, Seen, alike};

/// Neighbours of an image.
const NEIGHBORS: usize = 6;

/// A data set of the classes that a network knows: its training images are searched for those that the network takes for
/// alike, and its test images are corrupted.
#[derive(Clone, Debug)]
pub struct Reference {
    name: String,
    train: View,
    test: View,
    normalization: Normalization,
}

impl Reference {
    /// The first `among` training and test images of the data set that is called `name`. Whether they can be compared with
    /// the classifier is known before anything is computed.
    ///
    /// # Errors
    ///
    /// [`LookError::Classes`] for classes of other names than the network's, or in another order; [`LookError::Train`] for
    /// images of another shape; [`LookError::Model`] if `among` is below 4, and for a network of a single layer.
    pub fn new(
        bundle: &Bundle,
        name: impl Into<String>,
        (train, test): (&View, &View),
        among: usize,
    ) -> Result<Self, LookError> {
        let name = name.into();
        for view in [train, test] {
            require_same(bundle, &name, view.classes())?;
            let architecture = bundle.network().architecture();
            let (model, takes) = (architecture.name.clone(), architecture.input);
            let given = view.shape();
            if takes != given {
                return Err(TrainError::ImageShape { model, takes, given }.into());
            }
        }
        if among < alike::LEAST_ON_MAP {
            let (value, expected) =
                (among.to_string(), format!("at least {}", alike::LEAST_ON_MAP).into());
            let name = "the number of images of a data set";
            return Err(ModelError::Setting { name, value, expected }.into());
        }
        alike::trunk(bundle.network())?;
        let first = |view: &View| view.range(0..view.len().min(among));
        let (mean, std) = (bundle.mean().to_vec(), bundle.std().to_vec());
        let normalization = Normalization { mean, std };
        Ok(Self { name, train: first(train)?, test: first(test)?, normalization })
    }
}

impl Seen<'_> {
    /// The same with the training images of a data set that the network takes for alike, and with its accuracy on test
    /// images with every corruption.
    ///
    /// # Errors
    ///
    /// As [`Alike::search`] and [`robustness`](fn@robustness).
    pub fn compared(self, data: &Reference, context: &Context) -> Result<Self, LookError> {
        let (train, test) = (&data.train, &data.test);
        let normalization = &data.normalization;
        let alike = Alike::search(self.bundle, &self, (train, normalization), NEIGHBORS, context)?;
        let searched = format!("{} training images of {}", train.len(), data.name);
        let network = self.bundle.network();
        let table = robustness(network, test, normalization, (Corruption::ALL, 0), context)?;
        let measured = format!("{} test images of {}", test.len(), data.name);
        Ok(self.with_alike(alike.with_source(searched)).with_robustness(table, measured))
    }
}
