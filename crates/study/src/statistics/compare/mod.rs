//! Many variants beside one of them, paired by seed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Interval, Superiority, bca_interval, holm, mean, paired_superiority, sign_flip_p, step_down_p,
};

#[cfg(test)]
mod tests;

/// A difference whose p, adjusted for the number of comparisons, is below this is more than chance.
const ALPHA: f64 = 0.05;

/// Which way the metric goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better, as of accuracy.
    Higher,
    /// Less is better, as of a loss.
    Lower,
}

/// What was measured of one way to do it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// The seeds that it was tried with and the metric of each, in any order. A run that failed is left out.
    pub values: Vec<(u64, f64)>,
}

/// One variant beside the reference, over the seeds that both were tried with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The variant's place among those given.
    pub variant: usize,
    /// The number of seeds that both were tried with.
    pub n: usize,
    /// The mean of the variant's metric less the reference's, in the metric's unit.
    pub difference: f64,
    /// The 95 % BCa bootstrap interval of it.
    pub interval: Interval,
    /// The two-sided p of the exact sign-flip test ([`sign_flip_p`]).
    pub p: f64,
    /// The same after Holm's correction for the number of comparisons ([`holm`]).
    pub p_holm: f64,
    /// The same adjusted by the step-down maximum, which few seeds are enough for ([`step_down_p`]).
    pub p_step_down: f64,
    /// How often the variant is *better* than the reference.
    pub superiority: Superiority,
}

impl Comparison {
    /// Whether chance alone explains the difference: [`p_step_down`](Self::p_step_down) is 0.05 or more.
    pub fn is_chance(&self) -> bool {
        self.p_step_down >= ALPHA
    }
}

/// Variants that cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// There is no variant of that place.
    #[error("there is no variant {index} to compare with: there are {variants}, counted from 0")]
    NoVariant {
        /// The place.
        index: usize,
        /// How many there are.
        variants: usize,
    },
    /// A metric is infinite or NaN.
    #[error("`{}` is {value} with seed {seed}: leave out runs that failed", shown(variant))]
    NotFinite {
        /// The variant's name.
        variant: String,
        /// The seed.
        seed: u64,
        /// The metric.
        value: f64,
    },
    /// A variant has two values of one seed.
    #[error("`{}` has seed {seed} twice", shown(variant))]
    RepeatedSeed {
        /// The variant's name.
        variant: String,
        /// The seed.
        seed: u64,
    },
    /// Fewer than two pairs leave nothing to say.
    #[error(
        "`{}` and `{}` have {common} seeds in common: a comparison takes at least 2",
        shown(variant),
        shown(reference)
    )]
    TooFewSeeds {
        /// The variant's name.
        variant: String,
        /// The name of what it is compared with.
        reference: String,
        /// How many seeds both have.
        common: usize,
    },
}

/// A name as it can be printed: short, and without control characters.
fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = name.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The place of the variant of the best mean, of equal ones the first; `None` without any values.
///
/// # Errors
///
/// [`StatisticsError::NotFinite`] and [`StatisticsError::RepeatedSeed`].
pub fn best(variants: &[Variant], better: Better) -> Result<Option<usize>, StatisticsError> {
    let mut found: Option<(usize, f64)> = None;
    for (index, variant) in variants.iter().enumerate() {
        let values: Vec<f64> = by_seed(variant)?.into_values().collect();
        let Some(mean) = mean(&values).map(|mean| better.sign() * mean) else { continue };
        if found.is_none_or(|(_, before)| mean > before) {
            found = Some((index, mean));
        }
    }
    Ok(found.map(|(index, _)| index))
}

/// Each variant but the one at `reference` beside that one, over the seeds that both have: in the order of
/// `variants`. The intervals are drawn from `seed`.
///
/// The reference is best a baseline that was named before anything was measured. The [`best`] of many was
/// chosen by the very values that it is compared by, and is a little worse than it looks: the question
/// that such a comparison answers is which others chance cannot tell from it, not by how much it wins.
///
/// ```
/// use selvedge_study::statistics::{Better, Variant, compare};
///
/// let variant = |name: &str, values: [f64; 6]| Variant { name: name.into(), values: (0..).zip(values).collect() };
/// let plain = variant("plain", [0.900, 0.910, 0.905, 0.890, 0.900, 0.910]);
/// let wide = variant("wide", [0.921, 0.930, 0.920, 0.915, 0.922, 0.928]);
/// let found = &compare(&[plain, wide], 0, Better::Higher, 1)?[0];
/// assert_eq!((found.variant, found.n, found.p), (1, 6, 2.0 / 64.0));
/// assert!(!found.is_chance() && found.interval.low > 0.01);
/// # Ok::<(), selvedge_study::statistics::StatisticsError>(())
/// ```
///
/// # Errors
///
/// [`StatisticsError`] if there is no `reference`, a value is not finite, a seed comes twice, or a variant has
/// fewer than two seeds in common with the reference.
pub fn compare(
    variants: &[Variant],
    reference: usize,
    better: Better,
    seed: u64,
) -> Result<Vec<Comparison>, StatisticsError> {
    let count = variants.len();
    let base = variants
        .get(reference)
        .ok_or(StatisticsError::NoVariant { index: reference, variants: count })?;
    let base_values = by_seed(base)?;
    let mut compared = Vec::new();
    let mut pairs = Vec::new();
    for (index, variant) in variants.iter().enumerate().filter(|(index, _)| *index != reference) {
        let values = by_seed(variant)?;
        let differences: Vec<Option<f64>> =
            base_values.iter().map(|(seed, base)| Some(values.get(seed)? - base)).collect();
        compared.push(alone(index, variant, base, &differences, (better, seed))?);
        pairs.push(differences);
    }
    let alone: Vec<Option<f64>> = compared.iter().map(|c| Some(c.p)).collect();
    let adjusted = holm(&alone).into_iter().zip(step_down_p(&pairs));
    for (comparison, (holm, step_down)) in compared.iter_mut().zip(adjusted) {
        comparison.p_holm = holm.unwrap_or(1.0);
        comparison.p_step_down = step_down.unwrap_or(1.0);
    }
    Ok(compared)
}

/// A comparison as if there were no other.
fn alone(
    index: usize,
    variant: &Variant,
    base: &Variant,
    pairs: &[Option<f64>],
    (better, seed): (Better, u64),
) -> Result<Comparison, StatisticsError> {
    let given: Vec<f64> = pairs.iter().flatten().copied().collect();
    let wins: Vec<f64> = given.iter().map(|difference| better.sign() * difference).collect();
    let (Some(difference), Some(interval), Some(p), Some(superiority)) = (
        mean(&given),
        bca_interval(&given, 0.95, seed),
        sign_flip_p(&given),
        paired_superiority(&wins, seed),
    ) else {
        return Err(StatisticsError::TooFewSeeds {
            variant: variant.name.clone(),
            reference: base.name.clone(),
            common: given.len(),
        });
    };
    let n = given.len();
    Ok(Comparison {
        variant: index,
        n,
        difference,
        interval,
        p,
        p_holm: p,
        p_step_down: p,
        superiority,
    })
}

impl Better {
    fn sign(self) -> f64 {
        match self {
            Self::Higher => 1.0,
            Self::Lower => -1.0,
        }
    }
}

/// The values in the order of their seeds.
fn by_seed(variant: &Variant) -> Result<BTreeMap<u64, f64>, StatisticsError> {
    let mut values = BTreeMap::new();
    for &(seed, value) in &variant.values {
        let variant = || variant.name.clone();
        if !value.is_finite() {
            return Err(StatisticsError::NotFinite { variant: variant(), seed, value });
        }
        if values.insert(seed, value).is_some() {
            return Err(StatisticsError::RepeatedSeed { variant: variant(), seed });
        }
    }
    Ok(values)
}
