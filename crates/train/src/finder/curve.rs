use serde::{Deserialize, Serialize};

/// The loss by the learning rate, found by [`find_learning_rate`](crate::find_learning_rate).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LearningRateCurve {
    /// In the order of the steps, and of the rates.
    pub points: Vec<LearningRatePoint>,
    /// Whether the search ended early because the loss grew too large, or was not finite after the last
    /// point.
    pub diverged: bool,
}

/// One step of a search for a learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningRatePoint {
    /// The rate of the step.
    pub learning_rate: f64,
    /// The mean loss of its batch, before the step.
    pub loss: f64,
    /// The average of the losses so far, later ones counting more.
    pub smoothed: f64,
}

/// The last points are left out of suggestions: there the loss already rises.
const LAST: usize = 5;

impl LearningRateCurve {
    /// The rate that fastai's `lr_find` suggests: the middle of the longest valley, which is the longest
    /// run of losses that fall from one to the next, points in between that do not being passed over.
    ///
    /// The first tenth of the points and the last five are left out. `None` if that leaves fewer than
    /// three, or the loss never falls.
    pub fn valley(&self) -> Option<f64> {
        let points = self.considered()?;
        // The length of the longest falling run that ends at each point.
        let mut lengths = vec![1usize; points.len()];
        for i in 1..points.len() {
            let before = (0..i).filter(|&j| points[j].smoothed > points[i].smoothed);
            lengths[i] = 1 + before.map(|j| lengths[j]).max().unwrap_or(0);
        }
        let length = *lengths.iter().max()?;
        let end = lengths.iter().position(|&l| l == length)?;
        if length < 2 {
            return None;
        }
        // As fastai counts: the valley is as long as its run, and its middle one and a half thirds from
        // its start, each rounded down.
        let middle = (end + length / 3 + length / 6).saturating_sub(length);
        Some(points[middle].learning_rate)
    }

    /// The rate at which the smoothed loss falls fastest by the logarithm of the rate, of the points of
    /// [`valley`](Self::valley) up to the lowest: later the loss jumps up, and falls from there. `None` as
    /// there.
    pub fn steepest(&self) -> Option<f64> {
        let slope = |pair: &[LearningRatePoint]| {
            let distance = pair[1].learning_rate.ln() - pair[0].learning_rate.ln();
            (pair[1].smoothed - pair[0].smoothed) / distance
        };
        let points = self.considered()?;
        let smoothed = |i: &usize| points[*i].smoothed;
        let lowest = (0..points.len()).min_by(|a, b| smoothed(a).total_cmp(&smoothed(b)))?;
        let pairs = points[..=lowest].windows(2);
        let least = pairs.min_by(|a, b| slope(a).total_cmp(&slope(b)))?;
        (slope(least) < 0.0).then_some(least[0].learning_rate)
    }

    fn considered(&self) -> Option<&[LearningRatePoint]> {
        let end = self.points.len().checked_sub(LAST)?;
        let points = self.points.get(self.points.len() / 10..end)?;
        (points.len() >= 3).then_some(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates 10^-6, 10^-5.9, …
    fn curve(losses: impl IntoIterator<Item = f64>) -> LearningRateCurve {
        let point = |(i, loss): (usize, f64)| LearningRatePoint {
            learning_rate: 10f64.powf(i as f64 / 10.0 - 6.0),
            loss,
            smoothed: loss,
        };
        let points = losses.into_iter().enumerate().map(point).collect();
        LearningRateCurve { points, diverged: false }
    }

    fn index(rate: Option<f64>) -> i64 {
        (10.0 * (rate.unwrap().log10() + 6.0)).round() as i64
    }

    /// Flat, then down, then up: what a search finds, with a little noise.
    fn usual() -> Vec<f64> {
        let noise = |i: usize| 0.02 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
        let shape =
            |x: f64| 2.3 - 1.5 / (1.0 + (-(x - 35.0) / 4.0).exp()) + ((x - 62.0) / 2.0).exp();
        (0..70).map(|i| shape(i as f64) + noise(i)).collect()
    }

    // Expected: fastai's rules in Python, of the losses of `usual` without the first tenth and the last
    // five: a dynamic program for the longest falling subsequence, (start + int(n/3) + int(n/3/2)); and
    // numpy's argmin of diff(losses) / diff(log(rates)), which lies before the lowest loss.
    #[test]
    fn suggestions_are_those_of_fastais_rules() {
        let curve = curve(usual());
        assert_eq!([index(curve.valley()), index(curve.steepest())], [32, 34]);
    }

    #[test]
    fn a_fall_amid_noise_is_one_valley() {
        // 40 points down by 1 each, every fifth one out of line.
        let losses = (0..40).map(|i| if i % 5 == 4 { 90.0 } else { 50.0 - f64::from(i) });
        // Expected: as above.
        assert_eq!(index(curve(losses).valley()), 20);
    }

    #[test]
    fn the_fall_after_a_jump_is_not_the_steepest_descent() {
        let falling = (0..30).map(|i| 50.0 - f64::from(i) - if i > 14 { 1.0 } else { 0.0 });
        let losses = falling.chain((0..20).map(|i| if i % 2 == 0 { 500.0 } else { 100.0 }));
        assert_eq!(index(curve(losses).steepest()), 14);
    }

    #[test]
    fn too_few_points_or_a_loss_that_never_falls_suggest_nothing() {
        for losses in [vec![], vec![3.0], vec![3.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2], vec![1.0; 50]] {
            let curve = curve(losses);
            assert_eq!((curve.valley(), curve.steepest()), (None, None));
        }
        let rising = curve((0..50).map(f64::from));
        assert_eq!((rising.valley(), rising.steepest()), (None, None));
        let few = curve((0..8).map(|i| -f64::from(i)));
        assert!(few.valley().is_some() && few.steepest().is_some());
    }
}
