use crate::error::require;
use crate::metrics::predictions as highest;
use crate::{ConfusionMatrix, Metrics, Totals, TrainError};

/// What a classifier gave for each of a set of images, on the host: everything that is measured of
/// classes and probabilities is computed from it, in f64.
///
/// [`predictions`](crate::predictions()) makes it of a model and a view; [`new`](Self::new) of logits from
/// anywhere.
///
/// ```
/// use selvedge_train::Predictions;
///
/// let classes = ["cat", "dog"].map(String::from);
/// // Three images: a sure cat, an unsure dog, a dog that is taken for a cat.
/// let logits = vec![4.0, 0.0, 0.1, 0.3, 1.0, 0.0];
/// let found = Predictions::new(&classes, vec![0, 1, 1], logits)?;
/// assert_eq!(found.predicted(), [0, 1, 0]);
/// assert_eq!(found.worst(1)[0].position, 2);
/// println!("{}", found.confusion().report());
/// # Ok::<(), selvedge_train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    classes: Vec<String>,
    labels: Vec<u16>,
    logits: Vec<f32>,
    /// log of the sum of exp(logit) of each image.
    normalizers: Vec<f64>,
}

/// One image, and what a classifier made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The image's position among those that were looked at.
    pub position: usize,
    /// Its class.
    pub truth: usize,
    /// The class that was predicted.
    pub predicted: usize,
    /// Probability of the predicted class, between 0 and 1.
    pub confidence: f64,
    /// Cross-entropy in nats: -log of the probability of the true class.
    pub loss: f64,
}

impl Predictions {
    /// `logits` are `[image, class]`, row by row; `labels` has a position in `classes` for each image.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there is no image, not one logit for each image and class, or a logit
    /// that is infinite or not a number; [`TrainError::Label`] for a label without a class.
    pub fn new(classes: &[String], labels: Vec<u16>, logits: Vec<f32>) -> Result<Self, TrainError> {
        let width = classes.len();
        require(!labels.is_empty(), "the number of images", labels.len(), "at least 1")?;
        if let Some(&label) = labels.iter().find(|&&label| usize::from(label) >= width) {
            return Err(TrainError::Label { label: label.into(), classes: width });
        }
        let whole = labels.len().checked_mul(width) == Some(logits.len());
        let expected = "the number of images times the number of classes";
        require(whole, "the number of logits", logits.len(), expected)?;
        if let Some(i) = logits.iter().position(|logit| !logit.is_finite()) {
            let value = format!("{} (image {}, class {})", logits[i], i / width, i % width);
            require(false, "a logit", value, "finite")?;
        }
        let normalizers = logits.chunks_exact(width).map(log_sum_exp).collect();
        Ok(Self { classes: classes.to_vec(), labels, logits, normalizers })
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The class of each image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// `[image, class]`, row by row.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Number of images, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one image")]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The logits of each image.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.logits.chunks_exact(self.classes.len())
    }

    /// The softmax of the logits of one image, one probability for each class.
    ///
    /// # Panics
    ///
    /// Panics if `position` is not below [`len`](Self::len).
    pub fn probabilities(&self, position: usize) -> Vec<f64> {
        let width = self.classes.len();
        (0..width).map(|class| self.probability(position, class)).collect()
    }

    /// The probability that an image is of a class.
    ///
    /// # Panics
    ///
    /// Panics if `position` is not below [`len`](Self::len), or `class` not below the number of classes.
    pub fn probability(&self, position: usize, class: usize) -> f64 {
        self.log_probability(position, class).exp()
    }

    /// The logarithm of [`probability`](Self::probability).
    pub(crate) fn log_probability(&self, position: usize, class: usize) -> f64 {
        assert!(class < self.classes.len(), "there is no class {class}");
        let logit = self.logits[position * self.classes.len() + class];
        f64::from(logit) - self.normalizers[position]
    }

    /// The class of highest logit of each image; the first of equal ones, as PyTorch's `argmax`.
    pub fn predicted(&self) -> Vec<usize> {
        highest(&self.logits, self.classes.len()).collect()
    }

    /// Which class was taken for which.
    pub fn confusion(&self) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(&self.classes);
        for (predicted, label) in self.predicted().into_iter().zip(&self.labels) {
            matrix.add(usize::from(*label), predicted);
        }
        matrix
    }

    /// Loss and accuracy. The loss is computed in f64, and differs from that of
    /// [`evaluate`](crate::evaluate) by the rounding of f32.
    pub fn metrics(&self) -> Metrics {
        let mut totals = Totals::default();
        totals.add_labels(&self.labels, self.len() as f64, 0.0, &self.predicted());
        Metrics { loss: self.log_loss(), ..totals.metrics() }
    }

    /// The cross-entropy of each image in nats: -log of the probability of its class.
    pub fn losses(&self) -> Vec<f64> {
        let loss = |(i, &label): (usize, &u16)| -self.log_probability(i, label.into());
        self.labels.iter().enumerate().map(loss).collect()
    }

    /// Mean cross-entropy per image, in nats: scikit-learn's `log_loss`, without its clipping of
    /// probabilities that are 0 in f64.
    pub fn log_loss(&self) -> f64 {
        self.losses().iter().sum::<f64>() / self.len() as f64
    }

    /// Mean over the images of the summed squared differences between probabilities and truth, between
    /// 0 and 2 (Brier, *Verification of forecasts expressed in terms of probability*, 1950).
    ///
    /// It is scikit-learn's `brier_score_loss(…, scale_by_half=False)`, which is its default for three
    /// classes and more. Of two classes its default is half of this.
    pub fn brier(&self) -> f64 {
        let mut sum = 0.0;
        for (i, &label) in self.labels.iter().enumerate() {
            for (class, p) in self.probabilities(i).into_iter().enumerate() {
                let truth = if class == usize::from(label) { 1.0 } else { 0.0 };
                sum += (p - truth) * (p - truth);
            }
        }
        sum / self.len() as f64
    }

    /// Share of images whose class is among the `k` of highest logit, between 0 and 1; 1 if there are no
    /// more than `k` classes.
    ///
    /// Of equal logits the first class is the higher, so that `top_k(1)` is the accuracy. Without equal
    /// logits it is scikit-learn's `top_k_accuracy_score`, which takes the last of equal ones.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if `k` is 0.
    pub fn top_k(&self, k: usize) -> Result<f64, TrainError> {
        require(k > 0, "k of the top-k accuracy", k, "at least 1")?;
        let among = |(row, &label): (&[f32], &u16)| {
            let label = usize::from(label);
            let before = |(class, logit): (usize, &f32)| {
                *logit > row[label] || (*logit == row[label] && class < label)
            };
            row.iter().enumerate().filter(|entry| before(*entry)).count() < k
        };
        let right = self.rows().zip(&self.labels).filter(|pair| among(*pair)).count();
        Ok(right as f64 / self.len() as f64)
    }

    /// What was made of each image, in their order.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let all = self.predicted().into_iter().zip(self.losses()).zip(&self.labels).enumerate();
        let verdict = |(position, ((predicted, loss), &label))| Verdict {
            position,
            truth: usize::from(label),
            predicted,
            confidence: self.probability(position, predicted),
            loss,
        };
        all.map(verdict).collect()
    }

    /// The `n` images of greatest loss, the greatest first; the earlier of equal ones.
    pub fn worst(&self, n: usize) -> Vec<Verdict> {
        let mut all = self.verdicts();
        all.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        all.truncate(n);
        all
    }
}

/// log(sum(exp(values))), without overflow.
fn log_sum_exp(values: &[f32]) -> f64 {
    let most = f64::from(values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    most + values.iter().map(|&value| (f64::from(value) - most).exp()).sum::<f64>().ln()
}
