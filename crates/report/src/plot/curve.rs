//! Loss and accuracy by the share of training images.

use kuva::plot::legend::{LegendEntry, LegendShape};
use selvedge_train::Metrics;

use super::page::compose;
use super::panel::{Line, Panel, XAxis, drawable, extent, room};
use super::picture::Picture;
use super::style::{MUTED, css, marker, series};

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

/// Draws test loss and test accuracy by the share of training images, one colour and marker a series.
///
/// The line joins the means over the seeds. The band around it is one sample standard deviation
/// (divided by n - 1) to each side, cut where a loss would be negative or an accuracy outside 0 to
/// 100 %; there is none for a single seed. Values that are not finite are left out. The x axis is
/// linear or logarithmic, whichever keeps the fractions further apart; a logarithmic one says so.
/// The picture is 1600 pixels wide and about 700 high; it grows with its title and legend.
pub fn curve(title: &str, subtitle: Option<&str>, series: &[CurveSeries]) -> Picture {
    let (panels, x) = (panels(series), axis(series));
    compose(title, subtitle, legend(series), panels.iter().map(|panel| panel.scene(&x)).collect())
}

fn panels(all: &[CurveSeries]) -> [Panel; 2] {
    let panel = |y_label, limits, value: fn(&Metrics) -> f64| Panel {
        y_label,
        limits,
        lines: all.iter().enumerate().map(|(i, s)| line(i, s, limits, value)).collect(),
    };
    [
        panel("test loss (nats per image)", (0.0, f64::INFINITY), |m| m.loss),
        panel("test accuracy (%)", (0.0, 100.0), |m| 100.0 * m.accuracy),
    ]
}

/// The fraction in per cent, without the rounding error of the multiplication.
fn percent(point: &CurvePoint) -> f64 {
    let percent = 100.0 * point.fraction;
    if drawable(percent) { (percent * 1e9).round() / 1e9 } else { percent }
}

fn axis(all: &[CurveSeries]) -> XAxis {
    let percents = all.iter().flat_map(|s| &s.points).map(percent).collect();
    let (ends, logarithmic) = spread(percents).unwrap_or(((-2.5, 102.5), false));
    let scale = if logarithmic { ", logarithmic" } else { "" };
    XAxis { label: format!("training images (%{scale})"), ends, logarithmic, step: None }
}

/// The ends of a horizontal axis for these values, and whether it is logarithmic: whichever keeps them further apart.
/// `None` without values that can be drawn.
pub(super) fn spread(mut values: Vec<f64>) -> Option<((f64, f64), bool)> {
    values.retain(|value| drawable(*value));
    values.sort_by(f64::total_cmp);
    values.dedup();
    let logarithms: Vec<f64> = values.iter().map(|value| value.log10()).collect();
    let (low, high) = extent(&values)?;
    // A logarithmic axis has its ticks at 1, 2 and 5 times a power of ten: two of them lie between
    // values whose ratio is 5, or none.
    let logarithmic = low > 0.0 && high >= 5.0 * low && closest(&logarithms) > closest(&values);
    let ends = match logarithmic {
        true => {
            let factor = 10f64.powf(room(low.log10(), high.log10(), 0.025));
            (low / factor, high * factor)
        }
        false => {
            let room = room(low, high, 0.025);
            (low - room, high + room)
        }
    };
    Some((ends, logarithmic))
}

/// The least distance of neighbours, as a share of the whole; `values` in rising order.
fn closest(values: &[f64]) -> f64 {
    let whole = values.last().unwrap_or(&0.0) - values.first().unwrap_or(&0.0);
    let gaps = values.windows(2).map(|pair| (pair[1] - pair[0]) / whole);
    gaps.fold(f64::INFINITY, f64::min)
}

fn line(
    index: usize,
    series_: &CurveSeries,
    limits: (f64, f64),
    value: fn(&Metrics) -> f64,
) -> Line {
    let mut points = Vec::new();
    let mut band = Vec::new();
    let mut deviates = false;
    let mut ordered: Vec<&CurvePoint> = series_.points.iter().collect();
    ordered.sort_by(|a, b| a.fraction.total_cmp(&b.fraction));
    for point in ordered {
        let values: Vec<f64> = point.values.iter().map(value).filter(|v| drawable(*v)).collect();
        let x = percent(point);
        if values.is_empty() || !drawable(x) {
            continue;
        }
        let (mean, low, high) = mean_and_band(&values, limits);
        points.push((x, mean));
        band.push((x, low, high));
        deviates |= values.len() > 1;
    }
    if !deviates {
        band.clear();
    }
    let marker = Some(marker(index));
    Line { points, band, color: series(index), width: 2.0, dashes: None, marker, best: None }
}

/// The mean, and the ends of its band: one sample standard deviation (0 for a single value) to each side, cut where it
/// would leave `limits`.
pub(super) fn mean_and_band(values: &[f64], limits: (f64, f64)) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (squares / (count - 1.0).max(1.0)).sqrt();
    let (low, high) = (mean - deviation, mean + deviation);
    (mean, low.max(limits.0.min(mean)), high.min(limits.1.max(mean)))
}

fn legend(all: &[CurveSeries]) -> Vec<LegendEntry> {
    let entry = |label: &str, color, shape| LegendEntry {
        label: label.into(),
        color: css(color),
        shape,
        dasharray: None,
    };
    let mut entries: Vec<LegendEntry> = Vec::new();
    for (i, s) in all.iter().enumerate() {
        entries.push(entry(&s.label, series(i), LegendShape::Marker(marker(i))));
    }
    let has_band = |panel: Panel| panel.lines.iter().any(|line| !line.band.is_empty());
    if panels(all).into_iter().any(has_band) {
        let label = format!("± 1 standard deviation, {}", seeds(all));
        entries.push(LegendEntry { color: BAND.into(), ..entry(&label, MUTED, LegendShape::Rect) });
    }
    entries
}

/// What a band looks like, in no colour in particular.
const BAND: &str = "#dedede";

/// "3 seeds", or the least and the largest number of them.
fn seeds(all: &[CurveSeries]) -> String {
    let counts = all.iter().flat_map(|s| &s.points).map(|point| point.values.len());
    let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
    if least == most { format!("{most} seeds") } else { format!("{least} to {most} seeds") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn point(fraction: f64, values: &[(f64, f64)]) -> CurvePoint {
        let values = values
            .iter()
            .map(|&(loss, accuracy)| Metrics { loss, accuracy, macro_f1: accuracy })
            .collect();
        CurvePoint { fraction, values }
    }

    fn named(label: &str, points: Vec<CurvePoint>) -> CurveSeries {
        CurveSeries { label: label.into(), points }
    }

    fn labels(all: &[CurveSeries]) -> Vec<String> {
        legend(all).into_iter().map(|entry| entry.label).collect()
    }

    #[test]
    fn the_line_is_the_mean_and_the_band_one_sample_deviation() {
        // 1, 2 and 3 have the mean 2 and the deviation sqrt((1 + 0 + 1) / 2) = 1.
        let all = [named("a", vec![point(0.1, &[(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)])])];
        let line = &panels(&all)[0].lines[0];
        assert_eq!(line.points, [(10.0, 2.0)]);
        assert_eq!(line.band, [(10.0, 1.0, 3.0)]);
        assert_eq!(labels(&all), ["a", "± 1 standard deviation, 3 seeds"]);
    }

    #[test]
    fn one_seed_has_no_band() {
        let all = [named("a", vec![point(0.1, &[(1.0, 0.5)]), point(0.2, &[(0.5, 0.6)])])];
        assert!(panels(&all).iter().all(|panel| panel.lines[0].band.is_empty()));
        assert_eq!(labels(&all), ["a"]);
    }

    #[test]
    fn a_band_does_not_leave_what_is_possible() {
        let all = [named("a", vec![point(0.5, &[(0.0, 1.0), (0.3, 0.99)])])];
        let [loss, accuracy] = panels(&all);
        assert_eq!(loss.lines[0].band[0].1, 0.0);
        assert_eq!(accuracy.lines[0].band[0].2, 100.0);
    }

    #[test]
    fn the_band_is_on_the_picture() {
        let at = |fraction| point(fraction, &[(1.0, 0.5), (2.0, 0.6), (3.0, 0.7)]);
        let pixels = Pixels::new(&curve("", None, &[named("a", vec![at(0.1), at(0.2)])]));
        // A fifth of (0, 114, 178) on white is about (204, 227, 240).
        let tinted = |y: u32| {
            let (red, green, blue) = pixels.at(450, y);
            red.abs_diff(204) < 4 && green.abs_diff(227) < 4 && blue.abs_diff(240) < 4
        };
        assert!((0..pixels.size.1).filter(|y| tinted(*y)).count() > 150);
    }

    #[test]
    fn the_better_series_is_drawn_lower_in_loss_and_higher_in_accuracy() {
        let good = named("good", vec![point(0.1, &[(0.5, 0.8)]), point(1.0, &[(0.4, 0.9)])]);
        let poor = named("poor", vec![point(0.1, &[(0.9, 0.6)]), point(1.0, &[(0.8, 0.7)])]);
        let pixels = Pixels::new(&curve("", None, &[good, poor]));
        let height = |index, columns: std::ops::Range<u32>| {
            let found = pixels.find(series(index), columns);
            let rows: Vec<u32> = found.iter().map(|at| at.1).filter(|y| *y > 100).collect();
            rows.iter().sum::<u32>() / rows.len() as u32
        };
        assert!(height(0, 0..800) > height(1, 0..800));
        assert!(height(0, 800..1600) < height(1, 800..1600));
    }

    #[test]
    fn the_order_of_the_points_does_not_matter() {
        let mut points: Vec<_> = [0.05, 0.1, 0.25].map(|f| point(f, &[(1.0 - f, f)])).into();
        let forward = curve("", None, &[named("a", points.clone())]).to_svg();
        points.reverse();
        assert_eq!(curve("", None, &[named("a", points)]).to_svg(), forward);
    }

    #[test]
    fn a_logarithmic_axis_says_so() {
        let at = |fractions: &[f64]| {
            let points = fractions.iter().map(|f| point(*f, &[(1.0, 0.5)])).collect();
            axis(&[named("a", points)]).label
        };
        assert_eq!(at(&[0.05, 0.1, 0.25, 0.5, 1.0]), "training images (%, logarithmic)");
        assert_eq!(at(&[0.25, 0.5, 0.75, 1.0]), "training images (%)");
        assert_eq!(at(&[0.0, 0.01, 1.0]), "training images (%)");
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let all = [named("a", vec![point(0.1, &[(f64::NAN, 0.5), (1.0, 0.5)]), point(0.2, &[])])];
        let line = &panels(&all)[0].lines[0];
        assert_eq!(line.points, [(10.0, 1.0)]);
        assert!(line.band.is_empty());
    }

    #[test]
    fn nothing_is_clipped_whatever_the_series() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e99, 1e300, 1e-320];
        let points = odd.iter().map(|x| point(*x, &[(*x, *x), (1.0, 2.0)])).collect();
        let many =
            (0..60).map(|i| named(&"name ".repeat(i), vec![point(0.5, &[(1.0, 0.5)])])).collect();
        for all in [vec![], vec![named("", vec![])], vec![named("odd", points)], many] {
            let picture = curve(&"Does it help? ".repeat(15), Some("subtitle"), &all);
            let pixels = Pixels::new(&picture);
            assert_eq!(pixels.size, picture.size());
            assert_eq!(pixels.size.0, 1600);
            assert!(pixels.border_is_clear());
        }
    }

    #[test]
    fn the_same_series_give_the_same_bytes_whatever_was_drawn_before() {
        let all =
            [named("a", vec![point(0.1, &[(1.0, 0.5), (1.1, 0.6)]), point(0.2, &[(0.5, 0.6)])])];
        let picture = || curve("title", None, &all);
        let (svg, png) = (picture().to_svg(), picture().to_png().unwrap());
        curve("another", None, &[]);
        assert_eq!(picture().to_svg(), svg);
        assert_eq!(picture().to_png().unwrap(), png);
    }
}
