use crate::error::require;
use crate::{Predictions, TrainError};

/// Whether a classifier is right as often as it is sure to be: its images by their confidence, the
/// probability of the predicted class (Guo, Pleiss, Sun, Weinberger, *On calibration of modern neural
/// networks*, 2017).
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Bins of equal width over 0 to 1, empty ones included.
    pub bins: Vec<CalibrationBin>,
}

/// The images whose confidence is between two bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Lower bound, itself not in the bin but for 0.
    pub lower: f64,
    /// Upper bound, itself in the bin.
    pub upper: f64,
    /// Number of images.
    pub images: usize,
    /// Their mean confidence; 0 if there are none.
    pub confidence: f64,
    /// The share of them that was predicted rightly; 0 if there are none.
    pub accuracy: f64,
}

impl Calibration {
    /// Mean distance of accuracy and confidence, each bin counted by its images: the expected
    /// calibration error (ECE), between 0 and 1.
    pub fn expected_error(&self) -> f64 {
        self.mean(|bin| (bin.accuracy - bin.confidence).abs())
    }

    /// The greatest distance of accuracy and confidence in any bin (MCE), between 0 and 1.
    pub fn greatest_error(&self) -> f64 {
        let used = self.bins.iter().filter(|bin| bin.images > 0);
        used.map(|bin| (bin.accuracy - bin.confidence).abs()).fold(0.0, f64::max)
    }

    /// Mean confidence of all images.
    pub fn confidence(&self) -> f64 {
        self.mean(|bin| bin.confidence)
    }

    /// The share of all images that was predicted rightly.
    pub fn accuracy(&self) -> f64 {
        self.mean(|bin| bin.accuracy)
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.bins.iter().map(|bin| bin.images).sum()
    }

    fn mean(&self, value: impl Fn(&CalibrationBin) -> f64) -> f64 {
        let sum: f64 = self.bins.iter().map(|bin| bin.images as f64 * value(bin)).sum();
        sum / self.images().max(1) as f64
    }
}

impl Predictions {
    /// The images by their confidence, in so many bins; 15 are usual. The bins are those of
    /// scikit-learn's `calibration_curve(right, confidence, n_bins=…)`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there are no bins, or more than a million.
    pub fn calibration(&self, bins: usize) -> Result<Calibration, TrainError> {
        let possible = (1..=1_000_000).contains(&bins);
        require(possible, "the number of bins", bins, "between 1 and 1000000")?;
        let width = 1.0 / bins as f64;
        let bound = |i: usize| if i == bins { 1.0 } else { i as f64 * width };
        let bin = |i| CalibrationBin { lower: bound(i), upper: bound(i + 1), ..Default::default() };
        let mut all: Vec<CalibrationBin> = (0..bins).map(bin).collect();
        // Sums first, means afterwards.
        for verdict in self.verdicts() {
            // A probability may exceed 1 by its rounding.
            let at = all.partition_point(|bin| bin.upper < verdict.confidence).min(bins - 1);
            all[at].images += 1;
            all[at].confidence += verdict.confidence;
            all[at].accuracy += f64::from(u8::from(verdict.predicted == verdict.truth));
        }
        for bin in &mut all {
            let images = bin.images.max(1) as f64;
            bin.confidence /= images;
            bin.accuracy /= images;
        }
        Ok(Calibration { bins: all })
    }

    /// The temperature by which the logits are to be divided so that the [log loss](Self::log_loss) is
    /// the least (Guo et al., 2017, section 4.2): above 1 if the classifier is too sure, below 1 if it is
    /// not sure enough. To be found on validation images and used on others, by
    /// [`with_temperature`](Self::with_temperature).
    ///
    /// ```
    /// use selvedge_train::Predictions;
    ///
    /// // Nine of ten are right; the logits say 98 %.
    /// let classes = ["a", "b"].map(String::from);
    /// let labels = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    /// let sure = Predictions::new(&classes, labels, [4.0, 0.0].repeat(10))?;
    /// let temperature = sure.best_temperature()?;
    /// let calibrated = sure.with_temperature(temperature)?;
    /// assert!((calibrated.probability(0, 0) - 0.9).abs() < 1e-6);
    /// # Ok::<(), selvedge_train::TrainError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if no temperature is best: every image has its class at the highest logit,
    /// so that the loss falls for ever towards 0; or the logits are no better than chance, so that it
    /// falls towards infinity.
    pub fn best_temperature(&self) -> Result<f64, TrainError> {
        const NAME: &str = "the best temperature";
        const EXPECTED: &str = "above 0 and finite";
        let highest = |row: &[f32]| row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut pairs = self.rows().zip(self.labels());
        let missed = pairs.any(|(row, &label)| row[usize::from(label)] < highest(row));
        require(missed, NAME, "0 (every image has its class at the highest logit)", EXPECTED)?;
        let better = self.slope(0.0).0 < 0.0;
        require(better, NAME, "infinite (the logits are no better than chance)", EXPECTED)?;
        Ok(1.0 / self.best_scale())
    }

    /// The factor of the logits at which the log loss, which is convex in it, has its minimum: by
    /// Newton's method, kept between two bounds of the root of the slope.
    fn best_scale(&self) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        while self.slope(high).0 < 0.0 && high < 1e200 {
            (low, high) = (high, 2.0 * high);
        }
        let mut scale = 0.5 * (low + high);
        for _ in 0..200 {
            let (slope, curvature) = self.slope(scale);
            if slope < 0.0 {
                low = scale;
            } else {
                high = scale;
            }
            let newton = scale - slope / curvature;
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            let moved = (next - scale).abs();
            scale = next;
            if moved <= 1e-14 * scale {
                break;
            }
        }
        scale
    }

    /// First and second derivative of the log loss by a factor of the logits: mean and variance of the
    /// logits under the softmax, averaged over the images.
    fn slope(&self, scale: f64) -> (f64, f64) {
        let (mut slope, mut curvature) = (0.0, 0.0);
        for (row, &label) in self.rows().zip(self.labels()) {
            let most = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
            for &logit in row {
                // Measured from the highest one, so that nothing overflows or cancels.
                let below = f64::from(logit) - most;
                let weight = (scale * below).exp();
                sum += weight;
                first += weight * below;
                second += weight * below * below;
            }
            let mean = first / sum;
            slope += mean - (f64::from(row[usize::from(label)]) - most);
            curvature += second / sum - mean * mean;
        }
        (slope / self.len() as f64, curvature / self.len() as f64)
    }

    /// The same with all logits divided by a temperature. The predicted classes stay; logits that f32
    /// can no longer tell apart become equal.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if the temperature is not above 0 and finite, or so small that a logit
    /// overflows.
    pub fn with_temperature(&self, temperature: f64) -> Result<Self, TrainError> {
        let possible = temperature > 0.0 && temperature.is_finite();
        require(possible, "the temperature", temperature, "above 0 and finite")?;
        let scaled = |&logit: &f32| (f64::from(logit) / temperature) as f32;
        let logits = self.logits().iter().map(scaled).collect();
        Self::new(self.classes(), self.labels().to_vec(), logits)
    }
}
