//! Loss by learning rate.

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::scatter::MarkerShape;
use selvedge_train::{LearningRateCurve, LearningRatePoint};

use super::page::compose;
use super::panel::{Line, Panel, XAxis, extent, room};
use super::picture::Picture;
use super::style::{MUTED, css, series};

/// Draws the loss by the learning rate: that of every batch in grey, its average in colour, with a
/// diamond at the rate that is suggested ([`LearningRateCurve::valley`]) and a square where the average
/// falls fastest ([`LearningRateCurve::steepest`]).
///
/// The x axis is logarithmic, and ends where the average is far above where it began; batches far above
/// that are left out. The title gives the suggestion, if there is one, and under it stand the numbers. The
/// picture is 828 pixels wide and about 880 high.
///
/// ```
/// use selvedge_report::plot;
/// use selvedge_train::{LearningRateCurve, LearningRatePoint};
///
/// let point = |i: i32| {
///     let learning_rate = 10f64.powf(f64::from(i) / 10.0 - 5.0);
///     let smoothed = 2.3 / (1.0 + 20.0 * learning_rate);
///     LearningRatePoint { learning_rate, loss: smoothed, smoothed }
/// };
/// let curve = LearningRateCurve { points: (0..50).map(point).collect(), diverged: false };
/// let picture = plot::learning_rate(&curve);
/// # assert!(picture.to_svg().contains("Which learning rate"));
/// ```
pub fn learning_rate(curve: &LearningRateCurve) -> Picture {
    let (valley, steepest) = (curve.valley(), curve.steepest());
    let answer = match valley {
        Some(rate) => format!("About {}.", number(rate)),
        None => "The loss does not fall, or too few steps were taken.".to_owned(),
    };
    let mut subtitle = format!("{} steps", curve.points.len());
    if let (Some(valley), Some(steepest)) = (valley, steepest) {
        let (valley, steepest) = (number(valley), number(steepest));
        subtitle += &format!("; middle of the valley {valley}, steepest descent {steepest}");
    }
    if curve.diverged {
        subtitle += "; ended early, because the loss rose";
    }
    let panel = panel(curve);
    let scene = panel.scene(&axis(&panel));
    let title = format!("Which learning rate to begin with? {answer}");
    compose(&title, Some(&subtitle), legend(curve), vec![scene])
}

/// Two digits, as people write rates: 0.0032 or 3.2e-7.
fn number(rate: f64) -> String {
    if (1e-4..1e4).contains(&rate) {
        // Rounded to two digits, then without the zeros of a fixed number of them.
        let unit = 10f64.powf(rate.log10().floor() - 1.0);
        let digits = (-unit.log10()).round().max(0.0) as usize;
        let text = format!("{:.digits$}", (rate / unit).round() * unit);
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    format!("{rate:.1e}")
}

fn panel(curve: &LearningRateCurve) -> Panel {
    let on_axis = |point: &&LearningRatePoint| has_place(point.learning_rate);
    let mut points: Vec<&LearningRatePoint> = curve.points.iter().filter(on_axis).collect();
    let smoothed = |point: &LearningRatePoint| (point.learning_rate, point.smoothed);
    // What is far above the beginning would press all that matters to the ground.
    let first = points.first().map_or(0.0, |point| point.smoothed);
    let least = points.iter().map(|point| point.smoothed).fold(first, f64::min);
    let highest = first + 0.5 * (first - least).max(0.1 * first.abs());
    if let Some(end) = points.iter().position(|point| point.smoothed > highest) {
        points.truncate(end + 1);
    }
    let shown = |(rate, loss): (f64, f64)| (rate, if loss <= highest { loss } else { f64::NAN });
    let plain = Line {
        points: Vec::new(),
        band: Vec::new(),
        color: MUTED,
        width: 1.0,
        dashes: None,
        marker: None,
        best: None,
    };
    let at = |rate: Option<f64>| {
        let rate = rate?;
        points.iter().find(|point| point.learning_rate == rate).map(|point| smoothed(point))
    };
    let losses = points.iter().map(|point| shown((point.learning_rate, point.loss)));
    let average = points.iter().map(|point| (point.learning_rate, point.smoothed.min(highest)));
    let batches = Line { points: losses.collect(), ..plain.clone() };
    let steepest = Line {
        points: at(curve.steepest()).into_iter().collect(),
        color: series(1),
        marker: Some(MarkerShape::Square),
        ..plain.clone()
    };
    let average = Line {
        points: average.collect(),
        color: series(0),
        width: 2.5,
        best: at(curve.valley()),
        ..plain
    };
    let y_label = "loss of a batch, and its average";
    Panel { y_label, limits: (0.0, f64::INFINITY), lines: vec![batches, average, steepest] }
}

/// Whether a rate is one that an axis can show.
fn has_place(rate: f64) -> bool {
    (1e-30..1e30).contains(&rate)
}

fn axis(panel: &Panel) -> XAxis {
    let rates: Vec<f64> =
        panel.lines.iter().flat_map(|line| &line.points).map(|point| point.0).collect();
    let (low, high) = extent(&rates).unwrap_or((1e-4, 1.0));
    let factor = 10f64.powf(room(low.log10(), high.log10(), 0.025));
    let ends = (low / factor, high * factor);
    XAxis { label: "learning rate (logarithmic)".into(), ends, logarithmic: true, step: None }
}

fn legend(curve: &LearningRateCurve) -> Vec<LegendEntry> {
    let entry = |label: &str, color, shape| LegendEntry {
        label: label.into(),
        color: css(color),
        shape,
        dasharray: None,
    };
    let mut entries = vec![
        entry("each batch", MUTED, LegendShape::Line),
        entry("average", series(0), LegendShape::Line),
    ];
    if curve.valley().is_some() {
        let diamond = LegendShape::Marker(MarkerShape::Diamond);
        entries.push(entry("middle of the valley", series(0), diamond));
    }
    if curve.steepest().is_some() {
        let square = LegendShape::Marker(MarkerShape::Square);
        entries.push(entry("steepest descent", series(1), square));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    /// Flat, then down, then up.
    fn usual() -> LearningRateCurve {
        let shape =
            |x: f64| 2.3 - 1.6 / (1.0 + (-(x - 45.0) / 5.0).exp()) + ((x - 68.0) / 3.0).exp();
        let noise = |i: usize| 0.3 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
        let point = |i: usize| LearningRatePoint {
            learning_rate: 10f64.powf(i as f64 * 0.08 - 7.0),
            loss: shape(i as f64) + noise(i),
            smoothed: shape(i as f64),
        };
        LearningRateCurve { points: (0..75).map(point).collect(), diverged: true }
    }

    #[test]
    fn the_title_answers_with_the_rate_that_is_suggested() {
        let curve = usual();
        let svg = learning_rate(&curve).to_svg();
        assert!(svg.contains(&number(curve.valley().unwrap())) && svg.contains("ended early"));
        let flat = LearningRateCurve { points: vec![curve.points[0]; 40], diverged: false };
        let svg = learning_rate(&flat).to_svg();
        assert!(svg.contains("does not fall") && !svg.contains("steepest"));
    }

    #[test]
    fn both_suggestions_are_on_the_picture() {
        let pixels = Pixels::new(&learning_rate(&usual()));
        assert!(pixels.border_is_clear());
        let area = pixels.find(series(1), 0..pixels.size.0).into_iter().filter(|at| at.1 > 170);
        assert!(area.count() > 100);
        let curve = panel(&usual());
        assert_eq!(curve.lines[1].best.unwrap().0, usual().valley().unwrap());
    }

    #[test]
    fn rates_have_two_digits() {
        let texts = [0.00316, 0.1, 0.25, 1.0, 12.5, 1234.0, 3.2e-7, 9.99e-3].map(number);
        assert_eq!(texts, ["0.0032", "0.1", "0.25", "1", "13", "1200", "3.2e-7", "0.01"]);
    }

    #[test]
    fn odd_curves_are_drawn_all_the_same() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-8, 1e300, 3.0, 1e-320];
        let point = |x: f64| LearningRatePoint { learning_rate: x, loss: x, smoothed: -x };
        let points: Vec<_> = odd.map(point).into_iter().cycle().take(40).collect();
        for points in [vec![], vec![point(0.1)], points] {
            let picture = learning_rate(&LearningRateCurve { points, diverged: false });
            let pixels = Pixels::new(&picture);
            assert!(pixels.border_is_clear());
        }
    }
}
