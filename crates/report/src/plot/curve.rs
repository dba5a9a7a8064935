//! Loss and accuracy by the share of training images.

use std::path::Path;

use super::PlotError;
use super::axis::{Axis, drawable};
use super::canvas::{Marker, Stroke};
use super::figure::Figure;
use super::legend::{Entry, Sample};
use super::palette::{MUTED, series};
use super::panel::{Line, Panel};
use selvedge_train::Metrics;

/// One way to train, over several shares of the training images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurveSeries {
    /// Its name in the legend.
    pub label: String,
    /// In any order.
    pub points: Vec<CurvePoint>,
}

/// What came out at one share of the training images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurvePoint {
    /// Share of the training images, between 0 and 1.
    pub fraction: f64,
    /// On the test images, one for each seed.
    pub values: Vec<Metrics>,
}

/// Draws test loss and test accuracy by the share of training images, one colour a series.
///
/// The line joins the means over the seeds. The band around it is one sample standard deviation
/// (divided by n - 1) to each side, cut where a loss would be negative or an accuracy outside 0 to
/// 100 %; there is none for a single seed. Values that are not finite are left out. The x axis is
/// linear or logarithmic, whichever keeps the fractions further apart; a logarithmic one says so.
/// The picture is 1600 pixels wide and about 700 high; it grows with its title and legend.
///
/// # Errors
///
/// [`PlotError::Write`] if the file cannot be written.
pub fn curve(
    path: &Path,
    title: &str,
    subtitle: Option<&str>,
    series: &[CurveSeries],
) -> Result<(), PlotError> {
    figure(title, subtitle, series).save(path)
}

fn figure(title: &str, subtitle: Option<&str>, all: &[CurveSeries]) -> Figure {
    let percents: Vec<f64> = all.iter().flat_map(|s| &s.points).map(percent).collect();
    let x = Axis::percents(&percents);
    let panel = |y_label: &str, limits, value: fn(&Metrics) -> f64| Panel {
        y_label: y_label.into(),
        limits,
        lines: all.iter().enumerate().map(|(i, s)| line(i, s, limits, value)).collect(),
    };
    let panels = [
        panel("test loss (nats per image)", (0.0, f64::INFINITY), |m| m.loss),
        panel("test accuracy (%)", (0.0, 100.0), |m| 100.0 * m.accuracy),
    ];
    let scale = if x.is_logarithmic() { ", logarithmic" } else { "" };
    let spread = panels.iter().flat_map(|panel| &panel.lines).any(|line| !line.spread.is_empty());
    Figure {
        title: title.into(),
        subtitle: subtitle.map(Into::into),
        legend: legend(all, spread),
        x_label: format!("training images (%{scale})"),
        x,
        panels,
    }
}

/// The fraction in per cent, without the rounding error of the multiplication.
fn percent(point: &CurvePoint) -> f64 {
    let percent = 100.0 * point.fraction;
    if drawable(percent) { (percent * 1e9).round() / 1e9 } else { percent }
}

fn stroke(index: usize) -> Stroke {
    Stroke { color: series(index), width: 3.5, dashed: false }
}

fn line(
    index: usize,
    series: &CurveSeries,
    limits: (f64, f64),
    value: fn(&Metrics) -> f64,
) -> Line {
    let mut points = Vec::new();
    let mut spread = Vec::new();
    let mut deviates = false;
    let mut ordered: Vec<&CurvePoint> = series.points.iter().collect();
    ordered.sort_by(|a, b| a.fraction.total_cmp(&b.fraction));
    for point in ordered {
        let values: Vec<f64> = point.values.iter().map(value).filter(|v| drawable(*v)).collect();
        let x = percent(point);
        if values.is_empty() || !drawable(x) {
            continue;
        }
        let (mean, deviation) = mean_and_deviation(&values);
        points.push((x, mean));
        let (low, high) = (mean - deviation, mean + deviation);
        spread.push((x, low.max(limits.0.min(mean)), high.min(limits.1.max(mean))));
        deviates |= values.len() > 1;
    }
    if !deviates {
        spread.clear();
    }
    Line { points, spread, stroke: stroke(index), marker: Some(Marker::series(index)), best: None }
}

/// The mean and the sample standard deviation, which is 0 for a single value.
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

fn legend(all: &[CurveSeries], spread: bool) -> Vec<Entry> {
    let sample = |i| Sample::Line(stroke(i), Some(Marker::series(i)));
    let entry = |(i, s): (usize, &CurveSeries)| Entry { sample: sample(i), label: s.label.clone() };
    let mut entries: Vec<Entry> = all.iter().enumerate().map(entry).collect();
    if spread {
        let label = seeds(all) + ": mean ± 1 standard deviation";
        entries.push(Entry { sample: Sample::Band(MUTED), label });
    }
    entries
}

/// "3 seeds", or the least and the largest number of them.
fn seeds(all: &[CurveSeries]) -> String {
    let counts = all.iter().flat_map(|s| &s.points).map(|point| point.values.len());
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if least == most { format!("{most} seeds") } else { format!("{least} to {most} seeds") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::png_size;

    fn point(fraction: f64, values: &[(f64, f64)]) -> CurvePoint {
        let values = values.iter().map(|&(loss, accuracy)| Metrics { loss, accuracy }).collect();
        CurvePoint { fraction, values }
    }

    fn named(label: &str, points: Vec<CurvePoint>) -> CurveSeries {
        CurveSeries { label: label.into(), points }
    }

    fn labels(figure: &Figure) -> Vec<&str> {
        figure.legend.iter().map(|entry| entry.label.as_str()).collect()
    }

    #[test]
    fn the_line_is_the_mean_and_the_band_one_sample_deviation() {
        // 1, 2 and 3 have the mean 2 and the deviation sqrt((1 + 0 + 1) / 2) = 1.
        let all = [named("a", vec![point(0.1, &[(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)])])];
        let figure = figure("", None, &all);
        let line = &figure.panels[0].lines[0];
        assert_eq!(line.points, [(10.0, 2.0)]);
        assert_eq!(line.spread, [(10.0, 1.0, 3.0)]);
        assert_eq!(labels(&figure), ["a", "3 seeds: mean ± 1 standard deviation"]);
    }

    #[test]
    fn one_seed_has_no_band() {
        let all = [named("a", vec![point(0.1, &[(1.0, 0.5)]), point(0.2, &[(0.5, 0.6)])])];
        let figure = figure("", None, &all);
        assert!(figure.panels.iter().all(|panel| panel.lines[0].spread.is_empty()));
        assert_eq!(labels(&figure), ["a"]);
    }

    #[test]
    fn a_band_does_not_leave_what_is_possible() {
        let all = [named("a", vec![point(0.5, &[(0.0, 1.0), (0.3, 0.99)])])];
        let [loss, accuracy] = figure("", None, &all).panels;
        assert_eq!(loss.lines[0].spread[0].1, 0.0);
        assert_eq!(accuracy.lines[0].spread[0].2, 100.0);
    }

    #[test]
    fn the_band_is_on_the_picture() {
        let at = |fraction| point(fraction, &[(1.0, 0.5), (2.0, 0.6), (3.0, 0.7)]);
        let picture = figure("", None, &[named("a", vec![at(0.1), at(0.2)])]).pixels();
        // A fifth of (0, 114, 178) on white is about (204, 227, 240).
        let tinted = |&(x, y): &(u32, u32)| {
            let color = picture.at(x, y);
            color.0.abs_diff(204) < 4 && color.1.abs_diff(227) < 4 && color.2.abs_diff(240) < 4
        };
        let column: Vec<(u32, u32)> = (0..picture.size.1).map(|y| (450, y)).collect();
        assert!(column.iter().filter(|at| tinted(at)).count() > 150);
    }

    #[test]
    fn the_better_series_is_drawn_lower_in_loss_and_higher_in_accuracy() {
        let good = named("good", vec![point(0.1, &[(0.5, 0.8)]), point(1.0, &[(0.4, 0.9)])]);
        let poor = named("poor", vec![point(0.1, &[(0.9, 0.6)]), point(1.0, &[(0.8, 0.7)])]);
        let picture = figure("", None, &[good, poor]).pixels();
        let height = |index, columns: std::ops::Range<u32>| {
            let found = picture.find(series(index), columns);
            let rows: Vec<u32> = found.iter().map(|at| at.1).filter(|y| *y > 100).collect();
            rows.iter().sum::<u32>() / rows.len() as u32
        };
        assert!(height(0, 0..800) > height(1, 0..800));
        assert!(height(0, 800..1600) < height(1, 800..1600));
    }

    #[test]
    fn the_order_of_the_points_does_not_matter() {
        let mut points: Vec<_> = [0.05, 0.1, 0.25].map(|f| point(f, &[(1.0 - f, f)])).into();
        let forward = figure("", None, &[named("a", points.clone())]);
        points.reverse();
        let backward = figure("", None, &[named("a", points)]);
        assert_eq!(forward.panels[0].lines[0].points, backward.panels[0].lines[0].points);
    }

    #[test]
    fn a_logarithmic_axis_says_so() {
        let at = |fractions: &[f64]| {
            let points = fractions.iter().map(|f| point(*f, &[(1.0, 0.5)])).collect();
            figure("", None, &[named("a", points)]).x_label
        };
        assert_eq!(at(&[0.05, 0.1, 0.25, 0.5, 1.0]), "training images (%, logarithmic)");
        assert_eq!(at(&[0.25, 0.5, 0.75, 1.0]), "training images (%)");
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let all = [named("a", vec![point(0.1, &[(f64::NAN, 0.5), (1.0, 0.5)]), point(0.2, &[])])];
        let line = &figure("", None, &all).panels[0].lines[0];
        assert_eq!(line.points, [(10.0, 1.0)]);
        assert!(line.spread.is_empty());
    }

    #[test]
    fn any_series_makes_a_file_of_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.png");
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e99, 1e300, 1e-320];
        let points = odd.iter().map(|x| point(*x, &[(*x, *x), (1.0, 2.0)])).collect();
        let many =
            (0..60).map(|i| named(&"name ".repeat(i), vec![point(0.5, &[(1.0, 0.5)])])).collect();
        for all in [vec![], vec![named("", vec![])], vec![named("odd", points)], many] {
            curve(&path, "title", Some("subtitle"), &all).unwrap();
            let picture = figure("title", Some("subtitle"), &all).pixels();
            assert_eq!(png_size(&path), picture.size);
            assert!(picture.border_is_clear());
        }
    }
}
