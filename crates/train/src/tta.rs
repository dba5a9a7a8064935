use selvedge_data::transform::{RandomHorizontalFlip, Shift};
use selvedge_data::{BatchLoader, ImageExamples, Normalization, Transforms, View};
use selvedge_models::Model;

use crate::error::require;
use crate::{Context, Evaluation, Predictions, TrainError, predictions_on};

/// Test-time augmentation: each image is shown in several variants, and the probabilities are averaged.
///
/// The variants are weighed equally. Those that are random draw from a seed of their own each, so that the
/// same transform may stand several times.
///
/// It helps with variants like those that the model learned from. One that never saw a mirrored image takes
/// mirrored shoes for something else: averaged over flips it is worse by far.
///
/// ```
/// use selvedge_train::Tta;
///
/// assert_eq!(Tta::flips().len(), 2);
/// // As it is and shifted by a pixel in four directions, each of them mirrored as well.
/// assert_eq!(Tta::shifts(1).with_flips().len(), 10);
/// ```
#[derive(Clone, Debug)]
pub struct Tta {
    variants: Vec<Transforms>,
    seed: u64,
}

impl Tta {
    /// These variants. An image as it is, [`Transforms::new`], is one of them only if it is named.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there is none.
    pub fn new(variants: Vec<Transforms>) -> Result<Self, TrainError> {
        require(!variants.is_empty(), "the number of variants", variants.len(), "at least 1")?;
        Ok(Self { variants, seed: 0 })
    }

    /// Each image as it is and mirrored left and right.
    pub fn flips() -> Self {
        Self { variants: vec![Transforms::new()], seed: 0 }.with_flips()
    }

    /// Each image as it is and moved by so many pixels up, down, left and right, with zeros coming in.
    pub fn shifts(pixels: u16) -> Self {
        let by = i32::from(pixels);
        let moved = [(-by, 0), (by, 0), (0, -by), (0, by)]
            .map(|(down, right)| Transforms::new().with(Shift::new(down, right)));
        Self { variants: [Transforms::new()].into_iter().chain(moved).collect(), seed: 0 }
    }

    /// The same, and every variant mirrored left and right.
    #[must_use]
    pub fn with_flips(mut self) -> Self {
        let mirrored =
            self.variants.iter().map(|v| v.clone().with(RandomHorizontalFlip { p: 1.0 }));
        let mirrored: Vec<_> = mirrored.collect();
        self.variants.extend(mirrored);
        self
    }

    /// The same, with whatever is random about the variants drawn from a seed, otherwise from 0.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Number of variants.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one variant")]
    pub fn len(&self) -> usize {
        self.variants.len()
    }

    /// Whether every variant takes images of `[channels, height, width]` and leaves them that large.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] for one that does not.
    pub fn check(&self, shape: [usize; 3]) -> Result<(), TrainError> {
        for variant in &self.variants {
            variant.require_same_shape(shape)?;
        }
        Ok(())
    }

    /// What a classifier gives for every image of `view`, in its order, as
    /// [`predictions`](crate::predictions()) does, the probabilities averaged over the variants: the logits
    /// are the logarithms of these means.
    ///
    /// # Errors
    ///
    /// As [`predictions`](crate::predictions()), also where a variant does not fit the images.
    pub fn predictions<M: Model>(
        &self,
        model: &M,
        view: &View,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Predictions, TrainError> {
        let mut sums: Vec<f64> = Vec::new();
        for (seed, variant) in (self.seed..).zip(&self.variants) {
            let examples = ImageExamples::transformed(view.clone(), variant, normalization)?;
            let loader = BatchLoader::of(examples, model.inference_batch(), &context.device)?;
            let found = predictions_on(model, &loader.with_seed(seed))?;
            add_log_probabilities(&mut sums, &found);
        }
        let count = (self.variants.len() as f64).ln();
        let logits = sums.into_iter().map(|sum| (sum - count) as f32).collect();
        Predictions::new(view.classes(), view.labels().to_vec(), logits)
    }

    /// Loss, accuracy and confusion matrix of the averaged probabilities.
    ///
    /// # Errors
    ///
    /// As [`predictions`](Self::predictions).
    pub fn evaluate<M: Model>(
        &self,
        model: &M,
        view: &View,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Evaluation, TrainError> {
        let found = self.predictions(model, view, normalization, context)?;
        Ok(Evaluation { metrics: found.metrics(), confusion: found.confusion() })
    }
}

/// Adds probabilities to others, all by their logarithms, so that none is too small for a number.
fn add_log_probabilities(sums: &mut Vec<f64>, found: &Predictions) {
    let width = found.classes().len();
    let logs = (0..found.len())
        .flat_map(|image| (0..width).map(move |class| found.log_probability(image, class)));
    if sums.is_empty() {
        sums.extend(logs);
        return;
    }
    for (sum, log) in sums.iter_mut().zip(logs) {
        let (most, least) = (sum.max(log), sum.min(log));
        *sum = most + (least - most).exp().ln_1p();
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use selvedge_data::ImageDataset;
    use selvedge_data::transform::{RandomCrop, RandomShift};
    use selvedge_models::{Architecture, Initialization, Network};

    use super::*;
    use crate::predictions;

    fn view() -> View {
        let pixels = (0..12 * 16).map(|i| (i * 53 % 251) as u8).collect();
        let labels = (0..12).map(|i| i % 3).collect();
        let classes = ["a", "b", "c"].map(String::from).to_vec();
        ImageDataset::new("t", pixels, [1, 4, 4], labels, classes).unwrap().view()
    }

    fn network() -> Network {
        let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 3);
        network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
    }

    #[test]
    fn probabilities_are_the_means_of_those_of_the_variants() {
        let (view, unit) = (view(), Normalization::unit());
        let context = Context::new(&Device::flex());
        // The variants as data sets of their own.
        let mirrored: Vec<u8> = (0..view.len())
            .flat_map(|i| view.image(i).chunks(4).flat_map(|row| row.iter().rev().copied()))
            .collect();
        let mirrored = ImageDataset::new(
            "m",
            mirrored,
            [1, 4, 4],
            view.labels().to_vec(),
            view.classes().to_vec(),
        )
        .unwrap()
        .view();
        let both =
            [&view, &mirrored].map(|view| predictions(&network(), view, &unit, &context).unwrap());
        let found = Tta::flips().predictions(&network(), &view, &unit, &context).unwrap();
        assert_eq!(found.labels(), view.labels());
        for i in 0..view.len() {
            for class in 0..3 {
                let mean = both.iter().map(|p| p.probability(i, class)).sum::<f64>() / 2.0;
                assert!((found.probability(i, class) - mean).abs() < 1e-6);
            }
        }
        let measured = Tta::flips().evaluate(&network(), &view, &unit, &context).unwrap();
        assert_eq!(measured.metrics, found.metrics());
    }

    #[test]
    fn one_variant_that_changes_nothing_gives_the_usual_probabilities() {
        let (view, unit) = (view(), Normalization::unit());
        let context = Context::new(&Device::flex());
        let usual = predictions(&network(), &view, &unit, &context).unwrap();
        let tta = Tta::new(vec![Transforms::new()]).unwrap();
        let found = tta.predictions(&network(), &view, &unit, &context).unwrap();
        for i in 0..view.len() {
            for (a, b) in usual.probabilities(i).into_iter().zip(found.probabilities(i)) {
                assert!((a - b).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn random_variants_follow_the_seed_and_differ_from_one_another() {
        let (view, unit) = (view(), Normalization::unit());
        let context = Context::new(&Device::flex());
        let variants = |count| vec![Transforms::new().with(RandomShift::new(2)); count];
        let logits = |count, seed| {
            let tta = Tta::new(variants(count)).unwrap().with_seed(seed);
            tta.predictions(&network(), &view, &unit, &context).unwrap().logits().to_vec()
        };
        assert_eq!(logits(2, 1), logits(2, 1));
        assert_ne!(logits(2, 1), logits(2, 5));
        assert_ne!(logits(2, 1), logits(1, 1));
    }

    #[test]
    fn no_variant_and_variants_that_do_not_fit_are_refused() {
        let error = Tta::new(Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "the number of variants is 0, but must be at least 1");
        let context = Context::new(&Device::flex());
        let message = |tta: Tta| {
            let found = tta.evaluate(&network(), &view(), &Normalization::unit(), &context);
            found.unwrap_err().to_string()
        };
        assert!(message(Tta::shifts(4)).starts_with("shift: expected fewer rows"));
        let smaller = Tta::new(vec![Transforms::new().with(RandomCrop::new([3, 3], 0))]).unwrap();
        assert!(message(smaller).contains("takes images of 1 × 4 × 4"));
    }
}
