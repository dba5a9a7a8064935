//! The figures of the page, and the same as files.

use selvedge_files::Output;
use selvedge_report::html::{Block, Figure, Section};
use selvedge_report::plot::{
    self, Emphasis, IntervalRow, Intervals, MeanCurve, MeanCurves, Picture, Places, ValueAxis,
};
use selvedge_train::ConfusionMatrix;

use super::super::unit::Unit;
use super::inside::Inside;
use super::text;
use super::{Report, VariantResults};
use crate::StudyError;
use crate::config::Part;
use crate::trial::{Ending, TrialRecord};

/// Matrices of more classes could not be read.
pub(super) const MOST_CLASSES: usize = 30;
/// Rows of the figure of intervals.
const MOST_ROWS: usize = 25;
/// Curves of a figure.
pub(super) const MOST_CURVES: usize = 10;

impl Report<'_> {
    /// Writes each figure as SVG and as PNG.
    pub(super) fn draw(&self, inside: Inside, output: &Output) -> Result<(), StudyError> {
        let save = |name: &str, picture: Picture| -> Result<(), StudyError> {
            Ok(picture.save_as(output.folder(), name)?)
        };
        if let Some(intervals) = self.intervals() {
            save("variants", intervals.picture())?;
        }
        for (at, column) in self.curve_columns().into_iter().enumerate() {
            if let Some(curves) = self.epoch_curves(&column) {
                let name = if at == 0 { "curves".into() } else { format!("curves_{column}") };
                save(&name, curves.picture())?;
            }
        }
        for ((part, column), name) in
            self.setting_columns().into_iter().zip(["setting", "setting_test"])
        {
            if let Some((curves, _)) = self.setting_curves(part, &column) {
                save(name, curves.picture())?;
            }
        }
        if let Some((part, matrix, seeds)) = self.confusion()
            && matrix.classes.len() <= plot::MOST_CLASSES
        {
            let best = self.best().map_or("", |best| &best.variant.name);
            let title = format!(
                "Which classes does {best} take for one another? {:.2} % of the {} images of {} are right",
                100.0 * matrix.accuracy(),
                part.name(),
                text::count(seeds, "seed")
            );
            save("confusion", plot::confusion(&title, &matrix)?)?;
        }
        inside.into_pictures().try_for_each(|(name, picture)| save(name, picture))
    }

    fn intervals(&self) -> Option<Intervals> {
        let Unit { factor, limits, .. } = self.unit;
        let row = |(at, row): (usize, &super::Row)| {
            let summary = row.metric?;
            let values = self.results.variants[row.variant].values(&self.results.study);
            Some(IntervalRow {
                label: row.name.clone(),
                mean: factor * summary.mean,
                interval: summary.interval.map(|ends| (factor * ends.low, factor * ends.high)),
                values: values.into_iter().flatten().map(|value| factor * value).collect(),
                emphasis: match at {
                    0 => Emphasis::Best,
                    at if self.is_tied(at) => Emphasis::Tied,
                    _ => Emphasis::Plain,
                },
            })
        };
        let rows = self.table.rows.iter().take(MOST_ROWS).enumerate();
        let rows: Vec<IntervalRow> = rows.filter_map(row).collect();
        let axis = ValueAxis { label: self.unit.label(&self.table.metric), limits };
        let title = format!("{} {}", self.results.study.question, self.table.answer());
        (!rows.is_empty()).then(|| Intervals { title: title.trim().into(), axis, rows })
    }

    pub(super) fn interval_figure(&self) -> Option<Figure> {
        let intervals = self.intervals()?;
        let what = match self.table.seeds {
            1 => "one seed each",
            _ => "mean, 95 % interval of the mean, and the value of each seed (small dots)",
        };
        let which = match self.table.rows.len() {
            n if n > MOST_ROWS => format!("the best {MOST_ROWS} of {n} variants"),
            n => text::count(n, "variant"),
        };
        let tied = match (0..self.table.rows.len()).any(|at| self.is_tied(at)) {
            true => " Blue rings: chance alone explains how they differ from the best.",
            false => "",
        };
        let caption = format!(
            "{} of {which}: {what}. The best is the filled disc, and the dashed line.{tied}",
            capital(&self.table.metric)
        );
        let means: Vec<String> = intervals
            .rows
            .iter()
            .take(5)
            .map(|row| format!("{} {:.*}", row.label, self.unit.digits, row.mean))
            .collect();
        let alternative = format!(
            "Dot plot of the {}, from the best down: {}.",
            intervals.axis.label,
            means.join("; ")
        );
        Some(Figure::new(&intervals.bare(), caption, alternative))
    }

    /// The curves of the metric, and of loss or accuracy, whichever it is not.
    pub(super) fn curves(&self) -> Section {
        let mut section = Section::new("How they learn");
        for column in self.curve_columns() {
            let Some(curves) = self.epoch_curves(&column) else { continue };
            let which = match (curves.curves.len(), self.table.rows.len()) {
                (drawn, all) if drawn < all => format!("The best {drawn} of {all} variants"),
                _ => "Each variant".into(),
            };
            let band = if self.table.seeds > 1 {
                ": mean over the seeds; the band is one sample standard deviation to each side"
            } else {
                ""
            };
            let cut = if curves.is_cut() {
                " Values far beyond those of the best variant are left out."
            } else {
                ""
            };
            let caption =
                format!("{}, epoch by epoch. {which}{band}.{cut}", capital(&curves.axis.label));
            let ends: Vec<String> =
                curves.curves.iter().take(3).map(|curve| curve.label.clone()).collect();
            let alternative = format!(
                "{} of the {} by epoch; the best are {}.",
                text::count(curves.curves.len(), "line"),
                curves.axis.label,
                text::listed(&ends)
            );
            section = section.with(Figure::of_curves(&curves, caption, alternative));
        }
        match section.is_empty() {
            true => section,
            false => section.with(Block::Note(
                "A variant is judged by its best epoch in each run, which a curve of means need not show.".into(),
            )),
        }
    }

    /// The columns that curves are drawn of.
    fn curve_columns(&self) -> Vec<String> {
        let own = self.results.study.metric.column();
        let known =
            self.results.trials().next().map(|trial| trial.columns.clone()).unwrap_or_default();
        let other = if own == "accuracy" { "loss" } else { "accuracy" };
        let other = known.into_iter().filter(|column| column == other && column != own);
        [own.to_owned()].into_iter().chain(other).collect()
    }

    fn epoch_curves(&self, column: &str) -> Option<MeanCurves> {
        let part = self.results.study.metric.part();
        let Unit { factor, limits, .. } = Unit::of(column);
        let curve = |row: &super::Row| {
            let runs = runs(&self.results.variants[row.variant], part, column);
            let scaled = |run: Vec<f64>| run.into_iter().map(|value| factor * value).collect();
            let runs: Vec<Vec<f64>> = runs.into_iter().map(scaled).collect();
            (!runs.is_empty()).then(|| MeanCurve::of_epochs(&row.name, &runs))
        };
        let curves: Vec<MeanCurve> =
            self.table.rows.iter().filter_map(curve).take(MOST_CURVES).collect();
        let name = format!("{} {}", part.name(), column);
        let axis = ValueAxis { label: Unit::of(column).label(&name), limits };
        let title = format!(
            "How fast does each variant learn? {}, mean over the seeds ± one standard deviation",
            capital(&axis.label)
        );
        (!curves.is_empty()).then_some(MeanCurves { title, places: Places::Epochs, axis, curves })
    }

    /// The matrix of the best variant, summed over its seeds: of the test images if there are some. Also the
    /// images that it is of, and the number of seeds.
    pub(super) fn confusion(&self) -> Option<(Part, ConfusionMatrix, usize)> {
        let best = self.best()?;
        [Part::Test, Part::Validation].into_iter().find_map(|part| {
            let complete = best.trials.iter().flatten().filter(|t| is_complete(t));
            let matrices: Vec<&ConfusionMatrix> =
                complete.filter_map(|t| t.confusion.get(&part)).collect();
            Some((part, sum(&matrices)?, matrices.len()))
        })
    }
}

pub(super) fn is_complete(trial: &TrialRecord) -> bool {
    matches!(trial.ending, Ending::Complete {})
}

/// The values of the complete runs by epoch; if there is none, of those that diverged.
pub(in super::super) fn runs(results: &VariantResults, part: Part, column: &str) -> Vec<Vec<f64>> {
    let of = |complete: bool| -> Vec<Vec<f64>> {
        let trials = results.trials.iter().flatten().filter(|t| is_complete(t) == complete);
        trials.filter_map(|trial| trial.curve(part, column)).filter(|run| !run.is_empty()).collect()
    };
    let complete = of(true);
    if complete.is_empty() { of(false) } else { complete }
}

/// The sum of matrices of the same classes; `None` of none, or of others.
pub(in super::super) fn sum(matrices: &[&ConfusionMatrix]) -> Option<ConfusionMatrix> {
    let mut sum = ConfusionMatrix::new(&matrices.first()?.classes);
    for matrix in matrices {
        let square = matrix.counts.iter().all(|row| row.len() == sum.classes.len());
        if matrix.classes != sum.classes || matrix.counts.len() != sum.classes.len() || !square {
            return None;
        }
        for (row, counts) in sum.counts.iter_mut().zip(&matrix.counts) {
            row.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
        }
    }
    // Whoever adds them up again is safe.
    sum.counts.iter().flatten().try_fold(0_u64, |total, count| total.checked_add(*count))?;
    Some(sum)
}

/// The classes that are taken most often for one another: "cat for dog (3 of 100)".
pub(in super::super) fn mistakes(matrix: &ConfusionMatrix, most: usize) -> Vec<String> {
    let pairs = matrix.most_confused(most).into_iter().map(|pair| {
        let [truth, taken] = [pair.truth, pair.predicted].map(|class| &matrix.classes[class]);
        let all: u64 = matrix.counts[pair.truth].iter().sum();
        format!("{truth} for {taken} ({} of {all})", pair.count)
    });
    pairs.collect()
}

/// With a capital first letter.
pub(in super::super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_of_the_same_classes_add_up() {
        let matrix = |classes: [&str; 2], counts: [[u64; 2]; 2]| ConfusionMatrix {
            classes: classes.map(Into::into).to_vec(),
            counts: counts.map(|row| row.to_vec()).to_vec(),
        };
        let (a, b) =
            (matrix(["x", "y"], [[1, 2], [3, 4]]), matrix(["x", "y"], [[10, 20], [30, 40]]));
        assert_eq!(sum(&[&a, &b]).unwrap().counts, [[11, 22], [33, 44]]);
        assert_eq!(sum(&[&a, &matrix(["x", "z"], [[0, 0], [0, 0]])]), None);
        assert_eq!(sum(&[]), None);
        // A file can say any number.
        let many = matrix(["x", "y"], [[i64::MAX as u64; 2], [i64::MAX as u64, 0]]);
        assert_eq!(sum(&[&many]), None);
    }
}
