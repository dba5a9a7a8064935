use std::fmt;

use crate::ConfusionMatrix;

/// How the values of the classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Average {
    /// The mean over the classes, each counted alike.
    Macro,
    /// The mean over the classes, each counted by its images.
    Weighted,
    /// One value for the decisions about all classes taken together.
    Micro,
}

/// How well a class is told from all others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// Share of the images predicted as the class that are of it; 0 if none was.
    pub precision: f64,
    /// Share of the images of the class that were predicted as it; 0 if there is none.
    pub recall: f64,
    /// Harmonic mean of the two; 0 if the class is neither in the truth nor predicted.
    pub f1: f64,
    /// Number of images of the class.
    pub support: u64,
}

/// One class against all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryCounts {
    /// Of another class, and predicted as another.
    pub true_negatives: u64,
    /// Of another class, but predicted as this one.
    pub false_positives: u64,
    /// Of this class, but predicted as another.
    pub false_negatives: u64,
    /// Of this class, and predicted as it.
    pub true_positives: u64,
}

impl BinaryCounts {
    fn scores(&self) -> ClassScores {
        let [right, wrong, missed] =
            [self.true_positives, self.false_positives, self.false_negatives].map(|n| n as f64);
        ClassScores {
            precision: share(right, right + wrong),
            recall: share(right, right + missed),
            f1: share(2.0 * right, 2.0 * right + wrong + missed),
            support: self.true_positives + self.false_negatives,
        }
    }
}

/// Images of one class that were taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfusedPair {
    /// Their class.
    pub truth: usize,
    /// The class they were taken for.
    pub predicted: usize,
    /// How many.
    pub count: u64,
}

impl ConfusionMatrix {
    /// Each class against all others, as scikit-learn's `multilabel_confusion_matrix`.
    pub fn one_vs_rest(&self) -> Vec<BinaryCounts> {
        let (truths, predicted, total) = (self.supports(), self.predicted_counts(), self.total());
        let counts = |class: usize| {
            let right = self.counts[class][class];
            BinaryCounts {
                true_negatives: total + right - truths[class] - predicted[class],
                false_positives: predicted[class] - right,
                false_negatives: truths[class] - right,
                true_positives: right,
            }
        };
        (0..self.counts.len()).map(counts).collect()
    }

    /// Precision, recall and F1 of each class, as scikit-learn's `precision_recall_fscore_support`
    /// with `zero_division=0`.
    ///
    /// ```
    /// use selvedge_train::ConfusionMatrix;
    ///
    /// let matrix = ConfusionMatrix {
    ///     classes: vec!["cat".into(), "dog".into()],
    ///     counts: vec![vec![8, 2], vec![0, 10]],
    /// };
    /// let cat = matrix.class_scores()[0];
    /// assert_eq!((cat.precision, cat.recall, cat.support), (1.0, 0.8, 10));
    /// ```
    pub fn class_scores(&self) -> Vec<ClassScores> {
        self.one_vs_rest().iter().map(BinaryCounts::scores).collect()
    }

    /// Precision, recall and F1 over all classes. Classes without an image count in the macro average
    /// with their zeros, as in scikit-learn if all `labels` are named.
    pub fn average(&self, average: Average) -> ClassScores {
        let classes = self.class_scores();
        let total = self.total();
        let mean = |value: fn(&ClassScores) -> f64| match average {
            Average::Macro => share(classes.iter().map(value).sum(), classes.len() as f64),
            Average::Weighted => {
                let weighted = classes.iter().map(|class| value(class) * class.support as f64);
                share(weighted.sum(), total as f64)
            }
            // Every wrong prediction is a false positive of one class and a false negative of another.
            Average::Micro => self.accuracy(),
        };
        ClassScores {
            precision: mean(|class| class.precision),
            recall: mean(|class| class.recall),
            f1: mean(|class| class.f1),
            support: total,
        }
    }

    /// Mean recall of the classes that have images, as scikit-learn's `balanced_accuracy_score`; 0
    /// without images.
    pub fn balanced_accuracy(&self) -> f64 {
        let mut recalls: Vec<f64> = Vec::new();
        recalls.extend(self.class_scores().iter().filter(|c| c.support > 0).map(|c| c.recall));
        share(recalls.iter().sum(), recalls.len() as f64)
    }

    /// Agreement beyond that of chance, between -1 and 1 (Cohen, *A coefficient of agreement for nominal
    /// scales*, 1960), as scikit-learn's `cohen_kappa_score`. Not a number where chance alone agrees
    /// wholly: all images are of one class and predicted as it, or there are none.
    pub fn cohen_kappa(&self) -> f64 {
        let total = self.total() as f64;
        let chance = products(&self.supports(), &self.predicted_counts()) / total;
        1.0 - (total - self.right() as f64) / (total - chance)
    }

    /// Correlation of truth and prediction, between -1 and 1 (Gorodkin, *Comparing two K-category
    /// assignments by a K-category correlation coefficient*, 2004), as scikit-learn's
    /// `matthews_corrcoef`; 0 where truth or prediction is always the same class.
    pub fn matthews(&self) -> f64 {
        let (truths, predicted) = (self.supports(), self.predicted_counts());
        let total = self.total() as f64;
        let covariance = self.right() as f64 * total - products(&truths, &predicted);
        let spread = |sums: &[u64]| total * total - products(sums, sums);
        share(covariance, (spread(&truths) * spread(&predicted)).sqrt())
    }

    /// The pairs of classes that were confused most often, the most frequent first, at most `n`. Of
    /// equal ones the lower true class comes first, then the lower predicted one.
    pub fn most_confused(&self, n: usize) -> Vec<ConfusedPair> {
        let mut pairs = Vec::new();
        for (truth, row) in self.counts.iter().enumerate() {
            for (predicted, &count) in row.iter().enumerate() {
                if truth != predicted && count > 0 {
                    pairs.push(ConfusedPair { truth, predicted, count });
                }
            }
        }
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs.truncate(n);
        pairs
    }

    /// The table of all classes and their averages.
    pub fn report(&self) -> ClassificationReport<'_> {
        ClassificationReport { matrix: self }
    }

    /// Number of images of each class.
    fn supports(&self) -> Vec<u64> {
        self.counts.iter().map(|row| row.iter().sum()).collect()
    }

    /// How often each class was predicted.
    fn predicted_counts(&self) -> Vec<u64> {
        let column = |class: usize| self.counts.iter().map(|row| row[class]).sum();
        (0..self.counts.len()).map(column).collect()
    }

    fn right(&self) -> u64 {
        (0..self.counts.len()).map(|class| self.counts[class][class]).sum()
    }
}

/// Precision, recall, F1 and support of every class and their averages, printed exactly as
/// scikit-learn's `classification_report` prints them with `target_names` and `zero_division=0`.
///
/// `{}` prints two digits as scikit-learn does by default, `{:.4}` four.
///
/// ```
/// use selvedge_train::ConfusionMatrix;
///
/// let matrix = ConfusionMatrix {
///     classes: vec!["cat".into(), "dog".into()],
///     counts: vec![vec![8, 2], vec![0, 10]],
/// };
/// println!("{:.3}", matrix.report());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClassificationReport<'a> {
    matrix: &'a ConfusionMatrix,
}

impl ClassificationReport<'_> {
    /// The table with two digits.
    pub fn classification(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ClassificationReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AVERAGES: [(&str, Average); 2] =
            [("macro avg", Average::Macro), ("weighted avg", Average::Weighted)];
        let digits = f.precision().unwrap_or(2);
        let matrix = self.matrix;
        let names = matrix.classes.iter().map(|name| name.chars().count());
        let width = names.max().unwrap_or(0).max("weighted avg".len()).max(digits);
        let row = |f: &mut fmt::Formatter<'_>, name: &str, scores: &ClassScores| {
            write!(f, "{name:>width$} ")?;
            for value in [scores.precision, scores.recall, scores.f1] {
                write!(f, " {value:>9.digits$}")?;
            }
            writeln!(f, " {:>9}", scores.support)
        };
        write!(f, "{:>width$} ", "")?;
        for heading in ["precision", "recall", "f1-score", "support"] {
            write!(f, " {heading:>9}")?;
        }
        write!(f, "\n\n")?;
        for (name, scores) in matrix.classes.iter().zip(matrix.class_scores()) {
            row(f, name, &scores)?;
        }
        writeln!(f)?;
        let accuracy = matrix.accuracy();
        let (blank, total) = ("", matrix.total());
        writeln!(
            f,
            "{:>width$}  {blank:>9} {blank:>9} {accuracy:>9.digits$} {total:>9}",
            "accuracy"
        )?;
        for (name, average) in AVERAGES {
            row(f, name, &matrix.average(average))?;
        }
        Ok(())
    }
}

/// The quotient, or 0 where it has none.
fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

fn products(a: &[u64], b: &[u64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| *a as f64 * *b as f64).sum()
}
