//! Whether a classifier is right as often as it is sure to be.

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::render::color::Color;
use kuva::render::layout::ComputedLayout;
use kuva::render::render::{Primitive, Scene};
use selvedge_train::{Calibration, CalibrationBin};

use super::page::compose;
use super::picture::{Picture, PlotError};
use super::square::{Square, entry, reference};
use super::style::{INK, PAPER, Rgb, css, series};

/// Most bins that can be told apart.
const MOST_BINS: usize = 100;

/// Draws the reliability diagram (Guo et al., *On calibration of modern neural networks*, 2017): on the
/// left the accuracy of the images by their confidence, and how far it is from the confidence; on the
/// right how many images there are.
///
/// The picture is 1600 pixels wide and about 1000 high. Its subtitle gives the expected calibration error.
///
/// # Errors
///
/// [`PlotError::Data`] if there are no bins, more than 100, or bounds and shares that are not between 0
/// and 1.
pub fn reliability(title: &str, calibration: &Calibration) -> Result<Picture, PlotError> {
    let bins = &calibration.bins;
    check(bins).map_err(|reason| PlotError::Data { picture: "reliability diagram", reason })?;
    let perfect = reference(vec![(0.0, 0.0), (1.0, 1.0)]);
    let legend = vec![
        block("accuracy (black line)", ACCURACY),
        block("too sure", TOO_SURE),
        block("not sure enough", UNSURE),
        entry("as sure as right".into(), &perfect),
    ];
    let left = Square {
        x_label: "confidence (probability of the predicted class)",
        y_label: "accuracy",
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    let (mut accuracies, place) = left.scene(&[]);
    for bin in bins.iter().filter(|bin| bin.images > 0) {
        bars(&mut accuracies, &place, bin);
    }
    // Above the bars, on white that sets it off from them.
    let ends = [(0.0, 0.0), (1.0, 1.0)].map(|(x, y)| (place.map_x(x), place.map_y(y)));
    accuracies.add(stroke(ends, PAPER, 2.0 * perfect.width, None));
    accuracies.add(stroke(ends, perfect.color, perfect.width, perfect.dashes));
    frame(&mut accuracies, &place, 1.0);
    let subtitle = format!(
        "Expected calibration error {:.4} in {} bins of {} images: accuracy {:.4}, mean confidence {:.4}",
        calibration.expected_error(),
        bins.len(),
        calibration.images(),
        calibration.accuracy(),
        calibration.confidence(),
    );
    Ok(compose(title, Some(&subtitle), legend, vec![accuracies, shares(calibration)]))
}

const ACCURACY: Rgb = (0, 114, 178);
const TOO_SURE: Rgb = (230, 159, 0);
const UNSURE: Rgb = (204, 121, 167);

fn check(bins: &[CalibrationBin]) -> Result<(), String> {
    if !(1..=MOST_BINS).contains(&bins.len()) {
        return Err(format!("expected 1 to {MOST_BINS} bins, got {}", bins.len()));
    }
    let share = |value: f64| (0.0..=1.0 + 1e-9).contains(&value);
    let possible = |bin: &CalibrationBin| {
        [bin.lower, bin.upper, bin.confidence, bin.accuracy].into_iter().all(share)
    };
    match bins.iter().position(|bin| !possible(bin)) {
        Some(i) => Err(format!("bin {i} has a value that is not between 0 and 1")),
        None => Ok(()),
    }
}

/// The accuracy of a bin, and what lies between it and the confidence.
fn bars(scene: &mut Scene, place: &ComputedLayout, bin: &CalibrationBin) {
    let ends = (bin.lower, bin.upper);
    scene.add(bar(place, ends, (0.0, bin.accuracy), ACCURACY));
    let color = if bin.confidence > bin.accuracy { TOO_SURE } else { UNSURE };
    let gap = (bin.accuracy.min(bin.confidence), bin.accuracy.max(bin.confidence));
    scene.add(bar(place, ends, gap, color));
    let level = place.map_y(bin.accuracy);
    let line = [(place.map_x(bin.lower), level), (place.map_x(bin.upper), level)];
    scene.add(stroke(line, INK, 2.0, None));
}

/// The share of the images in each bin.
fn shares(calibration: &Calibration) -> Scene {
    let total = calibration.images().max(1) as f64;
    let share = |bin: &CalibrationBin| bin.images as f64 / total;
    let most = calibration.bins.iter().map(share).fold(0.0, f64::max);
    let top = if most > 0.0 { (1.08 * most).min(1.0) } else { 1.0 };
    let right = Square {
        x_label: "confidence (probability of the predicted class)",
        y_label: "share of the images",
        x: (0.0, 1.0),
        y: (0.0, top),
    };
    let (mut scene, place) = right.scene(&[]);
    for bin in &calibration.bins {
        scene.add(bar(&place, (bin.lower, bin.upper), (0.0, share(bin)), series(2)));
    }
    frame(&mut scene, &place, top);
    scene
}

/// The line around the axes, which the bars would hide.
fn frame(scene: &mut Scene, place: &ComputedLayout, top: f64) {
    let (left, right) = (place.map_x(0.0), place.map_x(1.0));
    scene.add(Primitive::Rect {
        x: left,
        y: place.map_y(top),
        width: right - left,
        height: place.map_y(0.0) - place.map_y(top),
        fill: Color::None,
        stroke: Some(css(INK).into()),
        stroke_width: Some(1.0),
        opacity: None,
    });
}

fn bar(place: &ComputedLayout, x: (f64, f64), y: (f64, f64), color: Rgb) -> Primitive {
    // A little narrower than the bin, so that bars of one height can be told apart.
    let (left, right) = (place.map_x(x.0) + 0.5, place.map_x(x.1.min(1.0)) - 0.5);
    let (top, bottom) = (place.map_y(y.1.min(1.0)), place.map_y(y.0));
    Primitive::Rect {
        x: left,
        y: top,
        width: (right - left).max(0.0),
        height: bottom - top,
        fill: css(color).into(),
        stroke: None,
        stroke_width: None,
        opacity: None,
    }
}

/// A straight line between two places.
pub(super) fn stroke(
    [(x1, y1), (x2, y2)]: [(f64, f64); 2],
    color: Rgb,
    stroke_width: f64,
    dashes: Option<&str>,
) -> Primitive {
    let stroke_dasharray = dashes.map(Into::into);
    Primitive::Line { x1, y1, x2, y2, stroke: css(color).into(), stroke_width, stroke_dasharray }
}

fn block(label: &str, color: Rgb) -> LegendEntry {
    let (label, color) = (label.into(), css(color));
    LegendEntry { label, color, shape: LegendShape::Rect, dasharray: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn bin(lower: f64, images: usize, confidence: f64, accuracy: f64) -> CalibrationBin {
        CalibrationBin { lower, upper: lower + 0.25, images, confidence, accuracy }
    }

    #[test]
    fn a_gap_has_the_color_of_its_direction() {
        let count = |accuracy: f64, color: Rgb| {
            let bins = vec![bin(0.5, 10, 0.6, accuracy)];
            let pixels = Pixels::new(&reliability("", &Calibration { bins }).unwrap());
            // Below the legend.
            pixels.find(color, 0..800).into_iter().filter(|at| at.1 > 150).count()
        };
        assert!(count(0.2, TOO_SURE) > 1000 && count(0.2, UNSURE) == 0);
        assert!(count(0.9, UNSURE) > 1000 && count(0.9, TOO_SURE) == 0);
        // The accuracy's bar is as high as its share: nine and four parts of the same width.
        let ratio = count(0.2, ACCURACY) as f64 / count(0.6, ACCURACY) as f64;
        assert!((ratio - 1.0 / 3.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn the_subtitle_gives_the_expected_error() {
        let bins = vec![bin(0.5, 30, 0.6, 0.5), bin(0.75, 10, 0.8, 0.9)];
        let svg = reliability("", &Calibration { bins }).unwrap().to_svg();
        // 3/4 of 0.1 and 1/4 of 0.1
        assert!(svg.contains("Expected calibration error 0.1000 in 2 bins of 40 images"), "{svg}");
    }

    #[test]
    fn bins_that_cannot_be_drawn_are_refused() {
        let message = |bins| {
            let error = reliability("", &Calibration { bins }).unwrap_err().to_string();
            error.strip_prefix("cannot draw the reliability diagram: ").unwrap().to_string()
        };
        assert_eq!(message(vec![]), "expected 1 to 100 bins, got 0");
        assert_eq!(message(vec![bin(0.0, 1, 0.5, 0.5); 101]), "expected 1 to 100 bins, got 101");
        let nan = vec![bin(0.0, 1, 0.5, 0.5), bin(0.25, 1, f64::NAN, 0.5)];
        assert_eq!(message(nan), "bin 1 has a value that is not between 0 and 1");
    }

    #[test]
    fn nothing_is_clipped_at_the_extremes() {
        for bins in [
            vec![bin(0.0, 0, 0.0, 0.0)],
            vec![bin(0.75, 1, 1.0, 0.0)],
            vec![bin(0.0, usize::MAX / 8, 0.0, 1.0), bin(0.75, 1, 1.0, 1.0)],
        ] {
            let picture = reliability(&"Title ".repeat(40), &Calibration { bins }).unwrap();
            assert!(Pixels::new(&picture).border_is_clear());
        }
    }
}
