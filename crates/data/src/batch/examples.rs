use std::sync::Arc;

use rayon::prelude::*;

use crate::error::Repr;
use crate::{DataError, SplitMix64};

/// Batches of at least this many values are put together by several threads; below it, handing work
/// to other threads costs more than it saves.
pub(super) const PARALLEL_VALUES: usize = 1 << 20;

/// A thread gets at least this many examples at once.
pub(super) const EXAMPLES_PER_THREAD: usize = 64;

/// Keeps the random decisions about examples apart from whatever else is drawn from the same seed
/// ("example").
const EXAMPLE: u64 = 0x0065_7861_6D70_6C65;

/// Where the random decisions of one epoch come from: a generator for each position, which is a
/// function of seed, epoch and position alone. Thus neither the order of the examples, nor the batch
/// size, nor the number of threads changes what is drawn for one of them.
///
/// ```
/// use selvedge_data::EpochSeed;
///
/// let draws = EpochSeed { seed: 1, epoch: 3 };
/// assert_eq!(draws.rng(7), draws.rng(7));
/// assert_ne!(draws.rng(7), draws.rng(8));
/// assert_ne!(draws.rng(7), EpochSeed { epoch: 4, ..draws }.rng(7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochSeed {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: usize,
}

impl EpochSeed {
    /// The generator of the example at a position.
    pub fn rng(self, position: usize) -> SplitMix64 {
        let epoch = SplitMix64::stream(self.seed ^ EXAMPLE, self.epoch as u64).next_u64();
        SplitMix64::stream(epoch, position as u64)
    }
}

/// Labelled examples at the positions `0..len()`, each of which can be written as values of one shape.
/// A [`BatchLoader`](super::BatchLoader) cuts them into batches.
///
/// [`ImageExamples`](super::ImageExamples) are the images of a view. A program that keeps its examples
/// otherwise implements [`len`](Self::len), [`shape`](Self::shape), [`classes`](Self::classes),
/// [`label`](Self::label) and [`write`](Self::write):
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{BatchLoader, DataError, Examples, SplitMix64};
///
/// /// Measured curves of 16 values, to which a little noise is added in every epoch.
/// struct Curves {
///     values: Vec<[f32; 16]>,
///     labels: Vec<u16>,
///     classes: Vec<String>,
/// }
///
/// impl Examples for Curves {
///     fn len(&self) -> usize {
///         self.labels.len()
///     }
///
///     fn shape(&self) -> [usize; 3] {
///         [1, 1, 16]
///     }
///
///     fn classes(&self) -> &[String] {
///         &self.classes
///     }
///
///     fn label(&self, position: usize) -> u16 {
///         self.labels[position]
///     }
///
///     fn write(
///         &self,
///         position: usize,
///         rng: &mut SplitMix64,
///         values: &mut [f32],
///     ) -> Result<(), DataError> {
///         for (value, measured) in values.iter_mut().zip(self.values[position]) {
///             *value = measured + 0.01 * rng.unit() as f32;
///         }
///         Ok(())
///     }
/// }
///
/// let classes = vec!["flat".to_owned(), "steep".to_owned()];
/// let curves = Curves { values: vec![[0.5; 16]; 10], labels: vec![0; 10], classes };
/// let loader = BatchLoader::of(curves, 4, &Device::flex())?.with_shuffle(1);
/// let batch = loader.gather(&[0, 9])?;
/// assert_eq!(batch.images.dims(), [2, 1, 1, 16]);
/// # Ok::<(), DataError>(())
/// ```
///
/// # Soft targets
///
/// Examples that belong to several classes at once say so by
/// [`has_soft_targets`](Self::has_soft_targets), and write the probabilities in
/// [`soft_target`](Self::soft_target).
pub trait Examples: Send + Sync {
    /// Number of examples.
    fn len(&self) -> usize;

    /// Whether there is no example.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one example: `[channels, height, width]`; `[n, 1, 1]` for `n` values without a
    /// place.
    fn shape(&self) -> [usize; 3];

    /// The names of the classes; a label is a position among them.
    fn classes(&self) -> &[String];

    /// The class of the example at a position below [`len`](Self::len). Not asked for where there are
    /// soft targets.
    fn label(&self, position: usize) -> u16;

    /// Writes the values of one example, `[channel, row, column]` row-major. `values` has room for
    /// exactly one, and holds zeros. Random decisions come from `rng` alone.
    ///
    /// # Errors
    ///
    /// If there is no such example to be had, as of a damaged picture; [`DataError::other`] takes a
    /// message.
    fn write(
        &self,
        position: usize,
        rng: &mut SplitMix64,
        values: &mut [f32],
    ) -> Result<(), DataError>;

    /// Whether each example belongs to every class with some probability, given by
    /// [`soft_target`](Self::soft_target), rather than to one class, given by [`label`](Self::label).
    fn has_soft_targets(&self) -> bool {
        false
    }

    /// Writes the probability of each class, which are 1 in all, where there are
    /// [soft targets](Self::has_soft_targets). `rng` is in the state in which [`write`](Self::write)
    /// gets it, so that both can make the same decisions: which other image is mixed in, and how much of
    /// it.
    ///
    /// The class of [`label`](Self::label) has probability 1 unless another is written.
    fn soft_target(&self, position: usize, rng: &mut SplitMix64, probabilities: &mut [f32]) {
        let _ = rng;
        if let Some(probability) = probabilities.get_mut(usize::from(self.label(position))) {
            *probability = 1.0;
        }
    }

    /// The values of the examples at some positions, one after the other: what [`write`](Self::write)
    /// writes of each with the generator of `draws`, on several threads where there is much to write.
    ///
    /// To be replaced only where it can be done faster, as where all values lie in memory already.
    ///
    /// # Errors
    ///
    /// That of the first example that cannot be written.
    fn gather(&self, positions: &[usize], draws: EpochSeed) -> Result<Vec<f32>, DataError> {
        let size = self.shape().iter().product::<usize>();
        let mut values = vec![0.0; positions.len() * size];
        if size == 0 {
            return Ok(values);
        }
        let write = |(example, &position): (&mut [f32], &usize)| {
            self.write(position, &mut draws.rng(position), example).err()
        };
        let failed = if parallel(values.len()) {
            values
                .par_chunks_mut(size)
                .zip(positions)
                .with_min_len(EXAMPLES_PER_THREAD)
                .find_map_first(write)
        } else {
            values.chunks_mut(size).zip(positions).find_map(write)
        };
        failed.map_or(Ok(values), Err)
    }
}

/// Whether so many values are worth several threads.
pub(super) fn parallel(values: usize) -> bool {
    values >= PARALLEL_VALUES && rayon::current_num_threads() > 1
}

/// The class of each example.
///
/// # Errors
///
/// If one is not below the number of classes: a loss would look for it in vain.
pub(super) fn labels<E: Examples + ?Sized>(
    examples: &E,
    positions: &[usize],
) -> Result<Vec<u16>, DataError> {
    let classes = examples.classes().len();
    let labels: Vec<u16> = positions.iter().map(|&p| examples.label(p)).collect();
    match labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(i) => Err(Repr::Label {
            name: "examples".to_owned(),
            index: positions[i],
            classes,
            found: labels[i],
        }
        .into()),
        None => Ok(labels),
    }
}

/// The probabilities of the examples' classes, `[example, class]`.
pub(super) fn soft_targets<E: Examples + ?Sized>(
    examples: &E,
    positions: &[usize],
    draws: EpochSeed,
) -> Vec<f32> {
    let classes = examples.classes().len();
    let mut probabilities = vec![0.0; positions.len() * classes];
    for (row, &position) in probabilities.chunks_mut(classes.max(1)).zip(positions) {
        examples.soft_target(position, &mut draws.rng(position), row);
    }
    probabilities
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<E: Examples + ?Sized> Examples for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }

            fn shape(&self) -> [usize; 3] {
                (**self).shape()
            }

            fn classes(&self) -> &[String] {
                (**self).classes()
            }

            fn label(&self, position: usize) -> u16 {
                (**self).label(position)
            }

            fn write(
                &self,
                position: usize,
                rng: &mut SplitMix64,
                values: &mut [f32],
            ) -> Result<(), DataError> {
                (**self).write(position, rng, values)
            }

            fn has_soft_targets(&self) -> bool {
                (**self).has_soft_targets()
            }

            fn soft_target(
                &self,
                position: usize,
                rng: &mut SplitMix64,
                probabilities: &mut [f32],
            ) {
                (**self).soft_target(position, rng, probabilities);
            }

            fn gather(&self, positions: &[usize], draws: EpochSeed) -> Result<Vec<f32>, DataError> {
                (**self).gather(positions, draws)
            }
        }
    )*};
}

forward!(&E, Box<E>, Arc<E>);
