//! Values as TensorBoard's histogram.

use std::sync::LazyLock;

use super::proto::Histogram;

/// The largest value of each bucket, not included, in ascending order: powers of 1.1 from 1e-12 to
/// 1e20, the same with a minus, and 0 between them, as in TensorFlow's `histogram.cc`.
static LIMITS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let positive: Vec<f64> =
        std::iter::successors(Some(1e-12), |limit| Some(limit * 1.1).filter(|next| *next < 1e20))
            .chain([f64::MAX])
            .collect();
    let negative = positive.iter().rev().map(|limit| -limit);
    negative.chain([0.0]).chain(positive.iter().copied()).collect()
});

impl Histogram {
    /// Values that are not finite are left out. Empty buckets that follow each other are one.
    pub(super) fn of(values: impl Iterator<Item = f32>) -> Self {
        let limits = &LIMITS[..];
        let mut counts = vec![0u64; limits.len()];
        let mut total = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Self::default() };
        for value in values.filter(|value| value.is_finite()).map(f64::from) {
            counts[limits.partition_point(|&limit| limit <= value)] += 1;
            total.min = total.min.min(value);
            total.max = total.max.max(value);
            total.num += 1.0;
            total.sum += value;
            total.sum_squares += value * value;
        }
        if total.num == 0.0 {
            return Self::default();
        }
        // Without the empty ones at the ends. PyTorch writes one on the left, to say where the next one
        // begins; but TensorBoard begins the first at `min`, and would draw that one backwards.
        let filled = |count: &u64| *count > 0;
        let first = counts.iter().position(filled).unwrap_or(0);
        let last = counts.iter().rposition(filled).unwrap_or(0);
        for i in first..=last {
            if counts[i] == 0 && i > first && counts[i - 1] == 0 {
                total.bucket_limit.pop();
                total.bucket.pop();
            }
            total.bucket_limit.push(limits[i]);
            total.bucket.push(counts[i] as f64);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_pytorch_with_empty_neighbours_made_one() {
        // import numpy as np
        // from torch.utils.tensorboard.summary import make_histogram
        // from torch.utils.tensorboard import SummaryWriter
        // bins = SummaryWriter("/tmp/x").default_bins
        // h = make_histogram(np.array([-2.5, -2.5, 0, 0.125, 0.13, 3], dtype=np.float32).astype(float), bins)
        // print(h.min, h.max, h.num, h.sum, h.sum_squares, sum(h.bucket))
        // print([(l, b) for l, b in zip(h.bucket_limit, h.bucket) if b])
        let values = [-2.5, -2.5, 0.0, 0.125, 0.13, 3.0];
        let found = Histogram::of(values.into_iter());
        let filled: Vec<_> = std::iter::zip(&found.bucket_limit, &found.bucket)
            .filter(|(_, count)| **count > 0.0)
            .map(|(limit, count)| (*limit, *count))
            .collect();
        let expected = [
            (-2.379100905625872, 2.0),
            (1e-12, 1.0),
            (0.13634283105891729, 2.0),
            (3.1665833053880363, 1.0),
        ];
        assert_eq!(filled, expected);
        assert_eq!([found.min, found.max, found.num], [-2.5, 3.0, 6.0]);
        assert_eq!([found.sum, found.sum_squares], [-1.7450000047683716, 21.532524998760223]);
        // One empty bucket between each two of them: its limit is where the second begins.
        assert_eq!(found.bucket, [2.0, 0.0, 1.0, 0.0, 2.0, 0.0, 1.0]);
        assert_eq!(found.bucket_limit[1], 0.0);
    }

    #[test]
    fn every_finite_value_has_a_bucket_and_no_other() {
        let values = [f32::MAX, f32::MIN, 0.0, -0.0, 1e-30, f32::NAN, f32::INFINITY];
        let found = Histogram::of(values.into_iter());
        assert_eq!((found.num, found.bucket.iter().sum()), (5.0, 5.0));
        assert_eq!((found.min, found.max), (f64::from(f32::MIN), f64::from(f32::MAX)));
        assert_eq!(found.bucket_limit.last(), Some(&f64::MAX));
        assert!(found.bucket_limit.is_sorted());
    }

    #[test]
    fn without_finite_values_there_is_no_bucket() {
        assert_eq!(Histogram::of([f32::NAN].into_iter()), Histogram::default());
        assert_eq!(Histogram::of(std::iter::empty()), Histogram::default());
    }
}
