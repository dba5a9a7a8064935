//! A batch before it is on a device.

use burn::tensor::{Device, Tensor, TensorData};

use super::Batch;
use super::examples::{self, EpochSeed, Examples};
use crate::error::Repr;
use crate::{DataError, SplitMix64};

/// The values and targets of a batch, in the memory of the host.
#[derive(Debug)]
pub(super) struct HostBatch {
    pub values: Vec<f32>,
    /// `[batch, channels, height, width]`
    pub shape: [usize; 4],
    pub targets: HostTargets,
    /// The values before noise was added.
    pub clean: Option<Vec<f32>>,
}

#[derive(Debug)]
pub(super) enum HostTargets {
    Labels(Vec<u16>),
    Probabilities { values: Vec<f32>, classes: usize },
}

/// Which examples a batch has.
#[derive(Clone, Copy)]
pub(super) struct Picked<'a> {
    pub positions: &'a [usize],
    /// How often each one came before in the epoch; none, and none did.
    pub before: &'a [u32],
}

/// Keeps the random decisions about an example that comes again apart from those of the first time
/// ("again").
const AGAIN: u64 = 0x0061_6761_696E;

impl HostBatch {
    /// Reads the examples.
    ///
    /// # Errors
    ///
    /// If an example cannot be had, or has no class.
    pub fn read<E: Examples>(
        examples: &E,
        picked: Picked,
        draws: EpochSeed,
    ) -> Result<Self, DataError> {
        let positions = picked.positions;
        let [channels, height, width] = examples.shape();
        let size = channels * height * width;
        let values = rows(picked, draws, size, |positions, draws| {
            let values = examples.gather(positions, draws)?;
            let expected = positions.len() * size;
            match values.len() == expected {
                true => Ok(values),
                false => {
                    let found = values.len();
                    Err(Repr::BatchTargets { what: "values", expected, found }.into())
                }
            }
        })?;
        let targets = match examples.has_soft_targets() {
            true => {
                let classes = examples.classes().len();
                let of = |positions: &[usize], draws| {
                    Ok(examples::soft_targets(examples, positions, draws))
                };
                HostTargets::Probabilities { values: rows(picked, draws, classes, of)?, classes }
            }
            false => HostTargets::Labels(examples::labels(examples, positions)?),
        };
        Ok(Self { values, shape: [positions.len(), channels, height, width], targets, clean: None })
    }

    /// Puts the batch on a device.
    ///
    /// # Errors
    ///
    /// If a soft target is not a distribution.
    pub fn on(self, device: &Device) -> Result<Batch, DataError> {
        let tensor = |values| Tensor::from_data(TensorData::new(values, self.shape), device);
        let images = tensor(self.values);
        let clean = self.clean.map(tensor);
        let batch = match self.targets {
            HostTargets::Labels(labels) => Batch::hard(images, labels)?,
            HostTargets::Probabilities { values, classes } => Batch::soft(images, values, classes)?,
        };
        Ok(Batch { clean, ..batch })
    }

    /// Keeps the values as they are now, beside those that are changed from here on.
    pub fn keep_clean(&mut self) {
        self.clean = Some(self.values.clone());
    }

    /// Adds uniform noise of at most `amount` to each value.
    pub fn add_noise(&mut self, amount: f64, mut rng: SplitMix64) {
        for value in &mut self.values {
            *value += (amount * (2.0 * rng.unit() - 1.0)) as f32;
        }
    }
}

/// What `read` gives for the examples, `size` values each, where those that come again in an epoch have
/// draws of their own.
fn rows(
    picked: Picked,
    draws: EpochSeed,
    size: usize,
    read: impl Fn(&[usize], EpochSeed) -> Result<Vec<f32>, DataError>,
) -> Result<Vec<f32>, DataError> {
    let Picked { positions, before } = picked;
    let most = before.iter().copied().max().unwrap_or(0);
    if most == 0 || size == 0 {
        return read(positions, draws);
    }
    let mut values = vec![0.0; positions.len() * size];
    for times in 0..=most {
        let places: Vec<usize> = (0..positions.len()).filter(|i| before[*i] == times).collect();
        let part: Vec<usize> = places.iter().map(|&place| positions[place]).collect();
        if part.is_empty() {
            continue;
        }
        let seed = match times {
            0 => draws.seed,
            _ => SplitMix64::stream(draws.seed ^ AGAIN, times.into()).next_u64(),
        };
        let read = read(&part, EpochSeed { seed, ..draws })?;
        for (place, row) in places.into_iter().zip(read.chunks_exact(size)) {
            values[place * size..][..size].copy_from_slice(row);
        }
    }
    Ok(values)
}
