//! The generator behind every shuffle and every random subset.
//!
//! Results of a study must not change when a dependency is upgraded, so the algorithm is fixed
//! here rather than borrowed: SplitMix64 (G. Steele, D. Lea, C. Flood, *Fast splittable
//! pseudorandom number generators*, OOPSLA 2014), bounded by multiplication with rejection
//! (D. Lemire, *Fast random integer generation in an interval*, TOMACS 2019), and the
//! Fisher–Yates shuffle. The same seed gives the same order on every platform and in every
//! version of this crate.

/// A small, fast, seedable generator with a fixed algorithm.
///
/// ```
/// use selvedge_data::SplitMix64;
///
/// let mut order: Vec<u32> = (0..5).collect();
/// SplitMix64::new(7).shuffle(&mut order);
/// let mut again: Vec<u32> = (0..5).collect();
/// SplitMix64::new(7).shuffle(&mut again);
/// assert_eq!(order, again);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator started from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator for one of many independent purposes of one seed, such as one per epoch or one
    /// per class.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let start = Self::new(seed).next_u64().wrapping_add(stream);
        Self::new(Self::new(start).next_u64())
    }

    /// The next 64 uniformly distributed bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A value from 0 to below 1, uniformly distributed: one of the 2^53 multiples of 2^-53.
    pub fn unit(&mut self) -> f64 {
        // 53 bits fit the mantissa exactly.
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// An integer from 0 to `bound - 1`, each equally likely.
    ///
    /// # Panics
    ///
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "below: expected a bound of at least 1, got 0");
        // Of the 2^64 products' low halves, the first 2^64 mod bound would favour some integers.
        let rejected = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= rejected {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts the items into an order drawn uniformly from all orders (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: the first three outputs for seed 0 of S. Vigna's reference implementation,
    // https://prng.di.unimi.it/splitmix64.c
    #[test]
    fn outputs_equal_the_reference_implementation() {
        let mut rng = SplitMix64::new(0);
        assert_eq!(rng.next_u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.next_u64(), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(rng.next_u64(), 0x06C4_5D18_8009_454F);
    }

    // Expected: floor(0xE220A8397B1DCDAF / 2^11) / 2^53, of the first output above, by Python.
    #[test]
    fn unit_values_are_the_upper_53_bits() {
        let mut rng = SplitMix64::new(0);
        assert_eq!(rng.unit(), 0.883_310_808_213_642_6);
        let values: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 1e4;
        // The standard deviation of the mean is 0.0029; the bound is four of them.
        assert!((mean - 0.5).abs() < 0.0116, "{mean}");
    }

    #[test]
    fn every_order_of_four_items_is_about_equally_frequent() {
        let mut counts = std::collections::HashMap::new();
        let mut rng = SplitMix64::new(1);
        for _ in 0..24_000 {
            let mut items = [0u8, 1, 2, 3];
            rng.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 24);
        // 1000 each on average; one standard deviation is 31, the bound is six of them.
        assert!(counts.values().all(|c| (814..=1186).contains(c)), "{counts:?}");
    }

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let first = |stream| SplitMix64::stream(3, stream).next_u64();
        assert_eq!(first(0), first(0));
        assert_ne!(first(0), first(1));
        assert_ne!(SplitMix64::stream(4, 0).next_u64(), first(0));
    }

    #[test]
    #[should_panic(expected = "expected a bound of at least 1, got 0")]
    fn below_zero_is_a_callers_mistake() {
        SplitMix64::new(0).below(0);
    }
}
