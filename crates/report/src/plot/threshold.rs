//! Each class against the rest, by the threshold of its probability.

use kuva::plot::legend::LegendEntry;
use selvedge_train::{Average, PrecisionRecallCurve, Predictions, RocCurve};

use super::page::compose;
use super::panel::Line;
use super::picture::Picture;
use super::square::{MOST_LINES, Square, black, entry, line, reference};

/// Where the curves of good classifiers lie, shown enlarged.
const CORNER: f64 = 0.2;

/// Draws the ROC curve of each class against the rest, with its area in the legend: on the left whole,
/// on the right its upper left corner. In black, the decisions about all classes taken together.
///
/// Of more than twelve classes, those of the smallest areas are drawn. A class without an image, or with
/// all of them, has no curve. The picture is 1600 pixels wide and about 1000 high.
pub fn roc(title: &str, predictions: &Predictions) -> Picture {
    let curves = |class| {
        let curve = predictions.roc(class).ok()?;
        Some((curve.area(), roc_points(&curve)))
    };
    let micro = predictions.roc_micro();
    let all = (micro.area(), roc_points(&micro));
    let mut shown = Shown::new(predictions, curves, all);
    let chance = reference(vec![(0.0, 0.0), (1.0, 1.0)]);
    shown.legend.push(entry("chance".into(), &chance));
    shown.lines.insert(0, chance);
    let square = |x, y, y_label| Square { x_label: "false positive rate", y_label, x, y };
    let mean = predictions.roc_auc(Average::Macro);
    let subtitle = shown.subtitle("Area under the curve", mean);
    let whole = square((0.0, 1.0), (0.0, 1.0), "true positive rate (recall)");
    let corner = square((0.0, CORNER), (1.0 - CORNER, 1.0), "true positive rate, corner enlarged");
    shown.picture(title, &subtitle, [whole, corner])
}

/// Draws the precision-recall curve of each class against the rest, with its average precision in the
/// legend: on the left whole, on the right its upper right corner. In black, the decisions about all
/// classes taken together.
///
/// A step of the curve is drawn as one, as it counts in the average precision. Of more than twelve
/// classes, those of the smallest average precision are drawn. A class without an image has no curve.
/// The picture is 1600 pixels wide and about 1000 high.
pub fn precision_recall(title: &str, predictions: &Predictions) -> Picture {
    let curves = |class| {
        let curve = predictions.precision_recall(class).ok()?;
        // Without an image of the class, the curve says nothing.
        let exists = predictions.labels().iter().any(|&label| usize::from(label) == class);
        exists.then(|| (curve.average_precision(), precision_points(&curve)))
    };
    let micro = predictions.precision_recall_micro();
    let all = (micro.average_precision(), precision_points(&micro));
    let shown = Shown::new(predictions, curves, all);
    let square = |x, y, y_label| Square { x_label: "recall", y_label, x, y };
    let mean = predictions.average_precision(Average::Macro);
    let subtitle = shown.subtitle("Average precision", mean);
    let end = (1.0 - CORNER, 1.0);
    let whole = square((0.0, 1.0), (0.0, 1.0), "precision");
    let corner = square(end, end, "precision, corner enlarged");
    shown.picture(title, &subtitle, [whole, corner])
}

fn roc_points(curve: &RocCurve) -> Vec<(f64, f64)> {
    let rates = curve.false_positive_rate.iter().zip(&curve.true_positive_rate);
    rates.map(|(x, y)| (*x, *y)).collect()
}

/// By rising recall; the precision of a step holds from the recall before it.
fn precision_points(curve: &PrecisionRecallCurve) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut before = 0.0;
    let rising = curve.recall.iter().zip(&curve.precision).rev().skip(1);
    for (&recall, &precision) in rising {
        if recall > before {
            points.extend([(before, precision), (recall, precision)]);
        }
        before = recall;
    }
    points
}

/// The lines of a picture and what stands above them.
struct Shown {
    lines: Vec<Line>,
    legend: Vec<LegendEntry>,
    /// Classes that have a curve.
    classes: usize,
    /// Of the decisions taken together.
    micro: f64,
}

impl Shown {
    fn new(
        predictions: &Predictions,
        curve: impl Fn(usize) -> Option<(f64, Vec<(f64, f64)>)>,
        (micro, all): (f64, Vec<(f64, f64)>),
    ) -> Self {
        // The least areas first, as far as they are drawn; then in the order of the classes.
        let areas =
            (0..predictions.classes().len()).filter_map(|class| Some((class, curve(class)?.0)));
        let mut areas: Vec<(usize, f64)> = areas.filter(|(_, area)| area.is_finite()).collect();
        let classes = areas.len();
        areas.sort_by(|a, b| a.1.total_cmp(&b.1));
        areas.truncate(MOST_LINES);
        areas.sort_by_key(|(class, _)| *class);
        let mut shown = Self { lines: Vec::new(), legend: Vec::new(), classes, micro };
        for (index, (class, area)) in areas.into_iter().enumerate() {
            let points = curve(class).map(|(_, points)| points).unwrap_or_default();
            let line = line(index, points);
            let name = &predictions.classes()[class];
            // The number first: a long name is cut at its end.
            shown.legend.push(entry(format!("{area:.4} {name}"), &line));
            shown.lines.push(line);
        }
        let line = black(all);
        shown.legend.push(entry(format!("{micro:.4} all decisions (micro)"), &line));
        shown.lines.push(line);
        shown
    }

    fn subtitle(&self, what: &str, mean: f64) -> String {
        let mean = match mean.is_finite() {
            true => format!("macro {mean:.4}"),
            false => "macro undefined, since a class has no curve".into(),
        };
        let most = match self.classes > MOST_LINES {
            true => format!("; the {MOST_LINES} lowest of {} classes are drawn", self.classes),
            false => String::new(),
        };
        format!("{what} of each class against the rest: {mean}, micro {:.4}{most}", self.micro)
    }

    fn picture(self, title: &str, subtitle: &str, squares: [Square; 2]) -> Picture {
        let parts = squares.iter().map(|square| square.scene(&self.lines).0).collect();
        compose(title, Some(subtitle), self.legend, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::series;
    use crate::plot::testing::Pixels;

    /// Images of `classes` classes, of which every fifth is taken for another.
    fn predictions(classes: usize, name: &str) -> Predictions {
        let labels: Vec<u16> = (0..200).map(|i| (i % classes) as u16).collect();
        let mut logits = Vec::new();
        for (i, &label) in labels.iter().enumerate() {
            let taken = if i % 5 == 0 { (i / 5) % classes } else { usize::from(label) };
            let logit = |class: usize| ((i * 7 + class * 5) % 11) as f32 / 5.0;
            logits.extend((0..classes).map(|c| logit(c) + if c == taken { 3.0 } else { 0.0 }));
        }
        let names: Vec<String> = (0..classes).map(|class| format!("{name} {class}")).collect();
        Predictions::new(&names, labels, logits).unwrap()
    }

    #[test]
    fn every_class_has_its_color_in_the_legend_and_in_the_panel() {
        let found = predictions(3, "class");
        for picture in [roc("ROC", &found), precision_recall("PR", &found)] {
            let pixels = Pixels::new(&picture);
            for class in 0..3 {
                let places = pixels.find(series(class), 0..1600);
                let legend = places.iter().filter(|at| at.1 < 160).count();
                let panel = places.iter().filter(|at| at.1 > 200 && at.0 < 800).count();
                assert!(legend > 50 && panel > 200, "class {class}: {legend} {panel}");
            }
        }
    }

    #[test]
    fn the_legend_names_the_areas() {
        let found = predictions(3, "class");
        let svg = roc("", &found).to_svg();
        for class in 0..3 {
            let area = found.roc(class).unwrap().area();
            assert!(svg.contains(&format!(">{area:.4} class {class}<")), "{class}");
        }
        let svg = precision_recall("", &found).to_svg();
        let mean = found.average_precision(Average::Macro);
        assert!(svg.contains(&format!(
            "Average precision of each class against the rest: macro {mean:.4}"
        )));
    }

    #[test]
    fn of_many_classes_the_worst_twelve_are_drawn() {
        let svg = roc("", &predictions(40, "kind")).to_svg();
        // The line is broken somewhere.
        assert!(svg.contains("the 12 lowest of 40"));
        assert_eq!(svg.matches(" kind ").count(), 12);
    }

    #[test]
    fn a_step_of_precision_reaches_back_to_the_recall_before() {
        let scores = [0.9, 0.8, 0.7, 0.6];
        let curve = PrecisionRecallCurve::new(&scores, &[true, false, true, false]).unwrap();
        let two_thirds = 2.0 / 3.0;
        let steps = [(0.0, 1.0), (0.5, 1.0), (0.5, two_thirds), (1.0, two_thirds)];
        assert_eq!(precision_points(&curve), steps);
    }

    #[test]
    fn nothing_is_clipped_whatever_the_classes() {
        let long = "a name that is longer than any legend of ten classes should have to bear";
        let alone = Predictions::new(&["a".into()], vec![0], vec![1.0]).unwrap();
        let absent = ["a", "b", "c"].map(String::from);
        let absent = Predictions::new(&absent, vec![0, 1], vec![1.0, 0.0, 0.5, 2.0, 3.0, 0.0]);
        for found in [predictions(12, long), alone, absent.unwrap()] {
            assert!(Pixels::new(&roc("Title ".repeat(30).trim(), &found)).border_is_clear());
            assert!(Pixels::new(&precision_recall("", &found)).border_is_clear());
        }
    }
}
