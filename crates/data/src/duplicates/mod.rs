//! Test images that are nearly the same as a training image.

mod features;

use std::fmt;

use rayon::prelude::*;

use crate::transform::require;
use crate::{DataError, View};
use features::{Features, LANES, TESTS, correlations};

/// A test image, and the training image that is most similar to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DuplicatePair {
    /// The test image's position in its view.
    pub test: usize,
    /// The training image's position in its view; the first of equally similar ones.
    pub train: usize,
    /// Their correlation, at least the threshold and at most 1.
    pub similarity: f64,
    /// How many training images are at least as similar as the threshold says.
    pub matches: usize,
}

/// The test images that are nearly the same as a training image; [`near_duplicates`] finds them.
#[derive(Debug, Clone, PartialEq)]
pub struct NearDuplicates {
    /// The least correlation that counts.
    pub threshold: f64,
    /// Test images that were looked at.
    pub test_images: usize,
    /// One for each test image that has a near-duplicate, in the order of the test images.
    pub pairs: Vec<DuplicatePair>,
}

impl NearDuplicates {
    /// The positions of the test images that have a near-duplicate, in ascending order.
    pub fn positions(&self) -> Vec<usize> {
        self.pairs.iter().map(|pair| pair.test).collect()
    }

    /// The test images that have none, to measure a model on.
    ///
    /// # Errors
    ///
    /// If these are not as many test images as were looked at.
    pub fn without(&self, test: &View) -> Result<View, DataError> {
        self.check(test)?;
        let mut duplicates = self.pairs.iter().map(|pair| pair.test).peekable();
        let others = (0..test.len()).filter(|&i| duplicates.next_if_eq(&i).is_none());
        test.take(&others.collect::<Vec<_>>())
    }

    /// The test images that have one.
    ///
    /// # Errors
    ///
    /// If these are not as many test images as were looked at.
    pub fn only(&self, test: &View) -> Result<View, DataError> {
        self.check(test)?;
        test.take(&self.positions())
    }

    /// The pairs whose images are of different classes, which a study should know.
    ///
    /// # Panics
    ///
    /// If a position is beyond one of the views: they are those that were compared.
    pub fn of_different_classes(&self, train: &View, test: &View) -> Vec<DuplicatePair> {
        let differ = |pair: &&DuplicatePair| train.label(pair.train) != test.label(pair.test);
        self.pairs.iter().filter(differ).copied().collect()
    }

    fn check(&self, test: &View) -> Result<(), DataError> {
        let expected = format!("the {} that were compared", self.test_images);
        require(test.len() == self.test_images, "test images", &expected, test.len())
    }
}

impl fmt::Display for NearDuplicates {
    /// One line: how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100.0 * self.pairs.len() as f64 / self.test_images.max(1) as f64;
        let (count, all, threshold) = (self.pairs.len(), self.test_images, self.threshold);
        write!(
            f,
            "{count} of {all} test images ({share:.2} %) have a training image with a correlation of at least {threshold}"
        )
    }
}

/// Finds the test images that are nearly the same as a training image: those with a correlation of their
/// bytes (Pearson's) of at least `threshold`, so that brightness and contrast do not matter. Exact copies
/// have 1; images of one even value are similar to copies alone.
///
/// Every pair is compared: first the means of 8 × 8 parts and what they leave, which bound the correlation
/// from above, so that none is missed; then all bytes of those that may reach the threshold. Fashion-MNIST's
/// 60,000 × 10,000 pairs take seconds; a low threshold, which many pairs reach, takes longer.
///
/// ```
/// use selvedge_data::{ImageDataset, near_duplicates};
///
/// let view = |pixels: Vec<u8>| {
///     let labels = vec![0; pixels.len() / 4];
///     ImageDataset::new("t", pixels, [1, 2, 2], labels, vec!["c".into()]).map(|data| data.view())
/// };
/// let train = view(vec![9, 0, 0, 9, 10, 60, 110, 160])?;
/// let test = view(vec![20, 70, 121, 170, 0, 9, 0, 0])?;
/// let found = near_duplicates(&train, &test, 0.99)?;
/// assert_eq!((found.positions(), found.pairs[0].train), (vec![0], 1));
/// assert_eq!(found.without(&test)?.len(), 1);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
///
/// # Errors
///
/// If the images are of different shapes, or the threshold is not above 0 and at most 1.
pub fn near_duplicates(
    train: &View,
    test: &View,
    threshold: f64,
) -> Result<NearDuplicates, DataError> {
    let holds = threshold > 0.0 && threshold <= 1.0;
    let expected = "a correlation above 0 and at most 1";
    require(holds, "threshold of near-duplicates", expected, threshold)?;
    let shapes = format!("{:?} and {:?}", train.shape(), test.shape());
    let same = train.shape() == test.shape();
    require(same, "near-duplicates", "training and test images of one shape", shapes)?;

    let (of_train, of_test) = (Features::of(train), Features::of(test));
    let search = Search { train, test, of_train: &of_train, of_test: &of_test, threshold };
    let pairs: Vec<DuplicatePair> = (0..test.len())
        .into_par_iter()
        .step_by(BLOCK)
        .flat_map_iter(|first| search.block(first))
        .collect();
    Ok(NearDuplicates { threshold, test_images: test.len(), pairs })
}

/// So many test images are compared at once: their means stay in the fastest cache.
const BLOCK: usize = 16 * TESTS;

/// By how much the bound, in f32, may be too low.
const MARGIN: f64 = 1e-4;

struct Search<'a> {
    train: &'a View,
    test: &'a View,
    of_train: &'a Features,
    of_test: &'a Features,
    threshold: f64,
}

impl Search<'_> {
    /// The pairs of [`BLOCK`] test images from one on.
    fn block(&self, first: usize) -> impl Iterator<Item = DuplicatePair> {
        let end = (first + BLOCK).min(self.test.len());
        let mut found: Vec<Option<DuplicatePair>> = vec![None; end - first];
        let least = (self.threshold - MARGIN) as f32;
        let mut bounds = [[0.0; LANES]; TESTS];
        for group in 0..self.train.len().div_ceil(LANES) {
            for tests in (first..end).step_by(TESTS) {
                correlations(self.of_train.group(group), self.of_test.rows(tests), &mut bounds);
                for (test, bounds) in (tests..end).zip(&bounds) {
                    if bounds.iter().all(|bound| *bound < least) {
                        continue;
                    }
                    for (train, bound) in (group * LANES..self.train.len()).zip(bounds) {
                        if *bound >= least {
                            self.compare(test, train, &mut found[test - first]);
                        }
                    }
                }
            }
        }
        for test in (first..end).filter(|&test| self.of_test.is_even(test)) {
            for train in (0..self.train.len()).filter(|&train| self.of_train.is_even(train)) {
                if self.train.image(train) == self.test.image(test) {
                    add(&mut found[test - first], [test, train], 1.0);
                }
            }
        }
        found.into_iter().flatten()
    }

    fn compare(&self, test: usize, train: usize, found: &mut Option<DuplicatePair>) {
        let product = features::product(self.test.image(test), self.train.image(train));
        let similarity = self.of_test.correlation(test, self.of_train, train, product);
        if similarity >= self.threshold {
            add(found, [test, train], similarity);
        }
    }
}

/// Training images come in their order, so that the first of equals stays.
fn add(found: &mut Option<DuplicatePair>, [test, train]: [usize; 2], similarity: f64) {
    let before = found.map_or(0, |pair| pair.matches);
    let best = match *found {
        Some(pair) if pair.similarity >= similarity => pair,
        _ => DuplicatePair { test, train, similarity, matches: 0 },
    };
    *found = Some(DuplicatePair { matches: before + 1, ..best });
}

#[cfg(test)]
mod tests;
