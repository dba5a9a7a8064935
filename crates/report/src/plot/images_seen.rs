//! Loss and error by the number of training images that a run has seen.

use kuva::plot::legend::{LegendEntry, LegendShape};
use selvedge_train::Metrics;

use super::page::compose;
use super::panel::{Line, Panel, XAxis, extent, room};
use super::picture::Picture;
use super::style::{css, marker, series};

/// Draws loss and error, in per cent, by the number of training images seen: training as a line, validation as
/// markers.
///
/// A place is `(images, what was measured there)`, in rising order: of training what
/// [`StepLog`](crate::StepLog) keeps, of validation usually the ends of epochs, and 0 for what an untrained
/// network does. Values that are not finite are left out; the line has a gap there. The picture is 1600 pixels
/// wide and about 700 high.
///
/// ```
/// use selvedge_report::plot;
/// use selvedge_train::Metrics;
///
/// let at = |loss, accuracy| Metrics { loss, accuracy, macro_f1: accuracy };
/// let training = [(1280, at(1.8, 0.4)), (2560, at(0.9, 0.7))];
/// let validation = [(0, at(2.3, 0.1)), (2560, at(0.8, 0.72))];
/// let picture = plot::images_seen("How fast does it learn?", Some("a network"), &training, &validation);
/// # assert_eq!(picture.size().0, 1600);
/// ```
pub fn images_seen(
    title: &str,
    subtitle: Option<&str>,
    training: &[(usize, Metrics)],
    validation: &[(usize, Metrics)],
) -> Picture {
    let places: Vec<f64> =
        training.iter().chain(validation).map(|(images, _)| *images as f64).collect();
    let (low, high) = extent(&places).unwrap_or((0.0, 1.0));
    let room = room(low, high, 0.03);
    let x = XAxis {
        label: "training images seen".into(),
        ends: (low - room, high + room),
        logarithmic: false,
        step: None,
    };
    let entry = |(i, label, shape): (usize, &str, LegendShape)| LegendEntry {
        label: label.into(),
        color: css(series(i)),
        shape,
        dasharray: None,
    };
    let training_entry = (0, "training, since the point before", LegendShape::Line);
    let validation_entry = (1, "validation", LegendShape::Marker(marker(1)));
    let legend = [training_entry, validation_entry].map(entry).to_vec();
    let panels = panels(training, validation);
    compose(title, subtitle, legend, panels.iter().map(|panel| panel.scene(&x)).collect())
}

fn panels(training: &[(usize, Metrics)], validation: &[(usize, Metrics)]) -> [Panel; 2] {
    let panel = |y_label, limits, value: fn(&Metrics) -> f64| Panel {
        y_label,
        limits,
        lines: lines(training, validation, value),
    };
    [
        panel("loss (nats per image)", (0.0, f64::INFINITY), |m| m.loss),
        panel("error (%)", (0.0, 100.0), |m| 100.0 * (1.0 - m.accuracy)),
    ]
}

fn lines(
    training: &[(usize, Metrics)],
    validation: &[(usize, Metrics)],
    value: fn(&Metrics) -> f64,
) -> Vec<Line> {
    let point = |(images, metrics): &(usize, Metrics)| (*images as f64, value(metrics));
    let line = |i: usize, points: Vec<(f64, f64)>, marker| Line {
        points,
        band: Vec::new(),
        color: series(i),
        width: 2.0,
        dashes: None,
        marker,
        best: None,
    };
    // Nobody measured what lies between two epochs: a gap after each, and no line through them.
    let apart = validation.iter().flat_map(|place| [point(place), (f64::NAN, f64::NAN)]);
    vec![
        line(0, training.iter().map(point).collect(), None),
        line(1, apart.collect(), Some(marker(1))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::style::series;
    use crate::plot::testing::Pixels;

    fn at(loss: f64, accuracy: f64) -> Metrics {
        Metrics { loss, accuracy, macro_f1: 0.0 }
    }

    #[test]
    fn the_error_is_what_is_not_right_in_per_cent() {
        let [loss, error] = panels(&[(64, at(0.5, 0.75))], &[(0, at(2.25, 0.0))]);
        let points = |panel: &Panel| -> Vec<_> {
            let all = panel.lines.iter().flat_map(|line| line.points.clone());
            all.filter(|point| point.0.is_finite()).collect()
        };
        assert_eq!(points(&loss), [(64.0, 0.5), (0.0, 2.25)]);
        assert_eq!(points(&error), [(64.0, 25.0), (0.0, 100.0)]);
    }

    #[test]
    fn both_are_drawn_in_both_panels_without_a_line_through_the_validation() {
        let training: Vec<_> = (1..40).map(|i| (1280 * i, at(2.0 / i as f64, 0.9))).collect();
        let validation = [(0, at(2.3, 0.1)), (50_000, at(0.4, 0.9))];
        let pixels = Pixels::new(&images_seen("Fast?", None, &training, &validation));
        for columns in [0..800, 800..1600] {
            let below = |i| {
                let found = pixels.find(series(i), columns.clone()).into_iter();
                found.filter(|at| at.1 > 150).count()
            };
            assert!(below(0) > 500);
            // Two squares of a side of twenty pixels.
            assert!((700..900).contains(&below(1)), "{}", below(1));
        }
        assert!(pixels.border_is_clear());
    }

    #[test]
    fn a_run_of_nothing_or_of_nan_is_drawn_empty() {
        let odd = [(0, at(f64::NAN, f64::NAN)), (usize::MAX, at(f64::INFINITY, 1.0))];
        for places in [&[][..], &odd] {
            let pixels = Pixels::new(&images_seen("", Some("odd"), places, places));
            assert_eq!(pixels.size.0, 1600);
            assert!(pixels.border_is_clear());
        }
    }
}
