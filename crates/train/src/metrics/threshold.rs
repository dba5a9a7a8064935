//! Curves over the threshold from which on an image counts as of a class.

use crate::error::require;
use crate::{Average, Predictions, TrainError};

/// How many of the positives are found (true positive rate) at the cost of how many of the negatives
/// (false positive rate), for every threshold: scikit-learn's `roc_curve(…, drop_intermediate=False)`.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// Share of the negatives whose score is at least the threshold, rising from 0 to 1; not a number
    /// if there are none.
    pub false_positive_rate: Vec<f64>,
    /// Share of the positives whose score is at least the threshold, rising from 0 to 1; not a number if
    /// there are none.
    pub true_positive_rate: Vec<f64>,
    /// Infinity, then the scores without their repetitions, falling.
    pub thresholds: Vec<f64>,
}

impl RocCurve {
    /// The curve of examples with a score each that are positive or not. Equal scores are one point.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there is no example, not one score for each, or a score that is not
    /// finite.
    pub fn new(scores: &[f64], positive: &[bool]) -> Result<Self, TrainError> {
        check(scores, positive)?;
        Ok(Self::of(&Counts::new(scores, positive)))
    }

    fn of(counts: &Counts) -> Self {
        let rate = |found: &[u64]| {
            // 0 of 0 is not a number, as in scikit-learn.
            let all = found.last().map_or(0.0, |&all| all as f64);
            let points = [0].iter().chain(found);
            points.map(|&found| found as f64 / all).collect()
        };
        Self {
            false_positive_rate: rate(&counts.false_positives),
            true_positive_rate: rate(&counts.true_positives),
            thresholds: [f64::INFINITY].iter().chain(&counts.thresholds).copied().collect(),
        }
    }

    /// Area under the curve, by trapezoids: the probability that a positive has a higher score than a
    /// negative, ties counted half. As `roc_auc_score`; not a number without positives or negatives.
    pub fn area(&self) -> f64 {
        let points = || self.false_positive_rate.iter().zip(&self.true_positive_rate);
        let pairs = points().zip(points().skip(1));
        pairs.map(|((x0, y0), (x1, y1))| (x1 - x0) * (y0 + y1) / 2.0).sum()
    }
}

/// Which share of what is found is right (precision) when which share of the positives is found
/// (recall), for every threshold: scikit-learn's `precision_recall_curve`.
#[derive(Clone, Debug, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Share of positives among the examples whose score is at least the threshold; then a 1.
    pub precision: Vec<f64>,
    /// Share of the positives whose score is at least the threshold, falling; then a 0. Without
    /// positives it is 1 at all thresholds.
    pub recall: Vec<f64>,
    /// The scores without their repetitions, rising: one less than there are points.
    pub thresholds: Vec<f64>,
}

impl PrecisionRecallCurve {
    /// The curve of examples with a score each that are positive or not. Equal scores are one point.
    ///
    /// # Errors
    ///
    /// As [`RocCurve::new`].
    pub fn new(scores: &[f64], positive: &[bool]) -> Result<Self, TrainError> {
        check(scores, positive)?;
        Ok(Self::of(&Counts::new(scores, positive)))
    }

    fn of(counts: &Counts) -> Self {
        let positives = counts.true_positives.last().copied().unwrap_or(0);
        let mut curve = Self { precision: Vec::new(), recall: Vec::new(), thresholds: Vec::new() };
        for i in (0..counts.thresholds.len()).rev() {
            let right = counts.true_positives[i] as f64;
            let wrong = counts.false_positives[i] as f64;
            curve.precision.push(right / (right + wrong));
            curve.recall.push(if positives == 0 { 1.0 } else { right / positives as f64 });
            curve.thresholds.push(counts.thresholds[i]);
        }
        curve.precision.push(1.0);
        curve.recall.push(0.0);
        curve
    }

    /// Sum of the precisions, each times the recall it adds, as `average_precision_score`: the area
    /// under the curve drawn in steps. 0 without positives.
    pub fn average_precision(&self) -> f64 {
        let steps = self.recall.windows(2).zip(&self.precision);
        steps.map(|(recall, precision)| (recall[0] - recall[1]) * precision).sum()
    }
}

impl Predictions {
    /// The curve of one class against all others, by the probability of the class.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there is no such class.
    pub fn roc(&self, class: usize) -> Result<RocCurve, TrainError> {
        Ok(RocCurve::of(&self.against_rest(class)?))
    }

    /// The curve of the decisions about all classes taken together.
    pub fn roc_micro(&self) -> RocCurve {
        RocCurve::of(&self.all_decisions())
    }

    /// Area under the ROC curves of the classes against the rest, as scikit-learn's
    /// `roc_auc_score(…, multi_class="ovr", average=…)`. Not a number if a class has no image, or all
    /// of them, except for [`Average::Micro`]; [`roc`](Self::roc) gives the areas of the other classes.
    pub fn roc_auc(&self, average: Average) -> f64 {
        self.over_classes(average, |counts| RocCurve::of(counts).area())
    }

    /// The precision-recall curve of one class against all others, by the probability of the class.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there is no such class.
    pub fn precision_recall(&self, class: usize) -> Result<PrecisionRecallCurve, TrainError> {
        Ok(PrecisionRecallCurve::of(&self.against_rest(class)?))
    }

    /// The precision-recall curve of the decisions about all classes taken together.
    pub fn precision_recall_micro(&self) -> PrecisionRecallCurve {
        PrecisionRecallCurve::of(&self.all_decisions())
    }

    /// Average precision over the classes against the rest, as scikit-learn's
    /// `average_precision_score(…, average=…)` of the truth as indicators. A class without an image
    /// counts as 0.
    pub fn average_precision(&self, average: Average) -> f64 {
        self.over_classes(average, |counts| PrecisionRecallCurve::of(counts).average_precision())
    }

    fn over_classes(&self, average: Average, area: fn(&Counts) -> f64) -> f64 {
        if average == Average::Micro {
            return area(&self.all_decisions());
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for class in 0..self.classes().len() {
            let counts = self.counts(class);
            let positives = counts.true_positives.last().map_or(0.0, |&count| count as f64);
            let weight = if average == Average::Weighted { positives } else { 1.0 };
            sum += weight * area(&counts);
            weights += weight;
        }
        sum / weights
    }

    fn against_rest(&self, class: usize) -> Result<Counts, TrainError> {
        let exists = class < self.classes().len();
        require(exists, "the class", class, "below the number of classes")?;
        Ok(self.counts(class))
    }

    fn counts(&self, class: usize) -> Counts {
        let scores: Vec<f64> = (0..self.len()).map(|i| self.probability(i, class)).collect();
        let positive: Vec<bool> =
            self.labels().iter().map(|&label| usize::from(label) == class).collect();
        Counts::new(&scores, &positive)
    }

    fn all_decisions(&self) -> Counts {
        let (mut scores, mut positive) = (Vec::new(), Vec::new());
        for (i, &label) in self.labels().iter().enumerate() {
            scores.extend(self.probabilities(i));
            positive.extend((0..self.classes().len()).map(|class| class == usize::from(label)));
        }
        Counts::new(&scores, &positive)
    }
}

/// What is found at each threshold.
struct Counts {
    /// The scores without their repetitions, falling.
    thresholds: Vec<f64>,
    true_positives: Vec<u64>,
    false_positives: Vec<u64>,
}

impl Counts {
    fn new(scores: &[f64], positive: &[bool]) -> Self {
        let mut sorted: Vec<(f64, bool)> =
            scores.iter().copied().zip(positive.iter().copied()).collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut right, mut wrong) = (0, 0);
        let mut counts = Self {
            thresholds: Vec::new(),
            true_positives: Vec::new(),
            false_positives: Vec::new(),
        };
        for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
            let positives = equal.iter().filter(|(_, positive)| *positive).count();
            right += positives as u64;
            wrong += (equal.len() - positives) as u64;
            counts.thresholds.push(equal[0].0);
            counts.true_positives.push(right);
            counts.false_positives.push(wrong);
        }
        counts
    }
}

fn check(scores: &[f64], positive: &[bool]) -> Result<(), TrainError> {
    require(!positive.is_empty(), "the number of examples", 0, "at least 1")?;
    let same = scores.len() == positive.len();
    require(same, "the number of scores", scores.len(), "the number of examples")?;
    match scores.iter().find(|score| !score.is_finite()) {
        Some(score) => require(false, "a score", score, "finite"),
        None => Ok(()),
    }
}
