use serde::{Deserialize, Serialize};

use super::Examples;
use crate::{DataError, DataErrorKind, SplitMix64};

/// Which examples an epoch has, and in which order.
///
/// Where some classes are rare, an epoch can be drawn with replacement instead, as by PyTorch's
/// `WeightedRandomSampler`: as many examples as there are, some of them several times, some not at all.
/// An example that comes again in an epoch is transformed anew. What is drawn is a function of seed and
/// epoch alone.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{BatchLoader, ImageDataset, Normalization, Sampling};
///
/// // One image in fifty is of class 1.
/// let labels: Vec<u16> = (0..100).map(|i| u16::from(i % 50 == 0)).collect();
/// let classes = vec!["usual".to_owned(), "rare".to_owned()];
/// let view = ImageDataset::new("t", vec![0; 100], [1, 1, 1], labels, classes)?.view();
/// let loader = BatchLoader::new(view, 100, &Normalization::unit(), &Device::flex())?;
/// let loader = loader.with_sampling(&Sampling::Balanced {}, 1)?;
/// let batch = loader.epoch(0).next().unwrap()?;
/// let rare = batch.labels.iter().filter(|&&label| label == 1).count();
/// assert!((35..65).contains(&rare));
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", deny_unknown_fields)]
pub enum Sampling {
    /// Every example once, in a new random order.
    // Braces, because settings that do not exist are refused of a variant that could have some.
    Shuffle {},
    /// With replacement; every class that has examples is equally likely.
    Balanced {},
    /// With replacement; a class is as likely as its weight says, however many examples it has.
    Classes {
        /// One for each class, at least 0; not all of those that have examples 0.
        weights: Vec<f64>,
    },
    /// With replacement; an example is as likely as its weight says.
    Weighted {
        /// One for each example, at least 0, not all 0.
        weights: Vec<f64>,
    },
}

impl Default for Sampling {
    /// [`Shuffle`](Self::Shuffle).
    fn default() -> Self {
        Self::Shuffle {}
    }
}

impl Sampling {
    /// The sums of the weights up to each example; `None` if nothing is weighted.
    pub(super) fn sums(&self, examples: &impl Examples) -> Result<Option<Vec<f64>>, DataError> {
        let len = examples.len();
        let weights = match self {
            Self::Shuffle {} => return Ok(None),
            Self::Balanced {} => by_class(examples, None)?,
            Self::Classes { weights } => by_class(examples, Some(weights))?,
            Self::Weighted { weights } if weights.len() == len => weights.clone(),
            Self::Weighted { weights } => {
                return Err(refused(format!(
                    "{len} weights, one an image, found {}",
                    weights.len()
                )));
            }
        };
        if let Some(wrong) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0))
        {
            return Err(refused(format!("weights of at least 0, found {wrong}")));
        }
        let mut sum = 0.0;
        let sums: Vec<f64> = weights
            .iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        // Shares of a smaller sum would be rounded up to the whole of it, and beyond the last example.
        match sum >= SMALLEST && sum.is_finite() {
            true => Ok(Some(sums)),
            false if sum > 0.0 && sum < SMALLEST => {
                Err(refused(format!("weights with a sum of at least {SMALLEST:e}, found {sum:e}")))
            }
            false => Err(refused(format!("weights with a sum above 0, found {sum}"))),
        }
    }
}

/// Each example's share of the weight of its class; without weights, every class has the same.
fn by_class(examples: &impl Examples, weights: Option<&[f64]>) -> Result<Vec<f64>, DataError> {
    if examples.has_soft_targets() {
        return Err(refused("images of one class each, found soft targets".to_owned()));
    }
    let classes = examples.classes().len();
    if let Some(weights) = weights.filter(|weights| weights.len() != classes) {
        return Err(refused(format!("{classes} weights, one a class, found {}", weights.len())));
    }
    let positions: Vec<usize> = (0..examples.len()).collect();
    let labels = super::examples::labels(examples, &positions)?;
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let share = |label: usize| weights.map_or(1.0, |weights| weights[label]) / counts[label] as f64;
    Ok(labels.iter().map(|&label| share(usize::from(label))).collect())
}

fn refused(expected_and_found: String) -> DataError {
    DataError::new(DataErrorKind::InvalidInput, format!("sampling: expected {expected_and_found}"))
}

/// Sums of weights are at least this.
const SMALLEST: f64 = 1e-300;

/// Keeps what is drawn with replacement apart from whatever else is drawn from the same seed
/// ("sample").
const SAMPLE: u64 = 0x7361_6D70_6C65;

/// As many positions as there are sums, each drawn by its weight; and how often each position came
/// before in this epoch.
pub(super) fn draw(sums: &[f64], seed: u64, epoch: usize) -> (Vec<usize>, Vec<u32>) {
    let mut rng = SplitMix64::stream(seed ^ SAMPLE, epoch as u64);
    let whole = sums.last().copied().unwrap_or_default();
    let mut seen = vec![0u32; sums.len()];
    let mut one = || {
        // Below the whole sum, so that there is an example whose sum is above it, and its weight, too.
        let at = rng.unit() * whole;
        let position = sums.partition_point(|sum| *sum <= at);
        let before = seen[position];
        seen[position] += 1;
        (position, before)
    };
    (0..sums.len()).map(|_| one()).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: a Python program of `SplitMix64::stream` and of the sums, bisect.bisect_right of them.
    #[test]
    fn a_seed_draws_as_ever() {
        let (positions, before) = draw(&[1.0, 1.0, 3.0, 7.0], 3, 2);
        assert_eq!(positions, [3, 2, 2, 2]);
        for (i, position) in positions.iter().enumerate() {
            let count = positions[..i].iter().filter(|other| *other == position).count();
            assert_eq!(before[i] as usize, count);
        }
    }

    #[test]
    fn examples_are_drawn_as_often_as_their_weights_say_and_those_of_weight_0_never() {
        let sums: Vec<f64> = (0..40_000)
            .scan(0.0, |sum, i| {
                *sum += [0.0, 1.0, 3.0, 0.0][i % 4];
                Some(*sum)
            })
            .collect();
        let mut counts = [0; 4];
        draw(&sums, 1, 0).0.iter().for_each(|position| counts[position % 4] += 1);
        assert_eq!((counts[0], counts[3]), (0, 0));
        // A quarter of 40,000; the standard deviation is 87, the bound is six of them.
        assert!((9_480..=10_520).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn samplings_are_read_as_they_are_written_and_unknown_settings_are_refused() {
        let read = |text: &str| serde_json::from_str::<Sampling>(text);
        for sampling in [
            Sampling::Shuffle {},
            Sampling::Balanced {},
            Sampling::Classes { weights: vec![1.0, 0.5] },
            Sampling::Weighted { weights: vec![0.0, 2.0] },
        ] {
            let text = serde_json::to_string(&sampling).unwrap();
            assert_eq!(read(&text).unwrap(), sampling, "{text}");
        }
        let error = read(r#"{"name": "balanced", "weights": [1.0]}"#).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}
