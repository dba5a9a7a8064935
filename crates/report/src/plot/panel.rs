//! Axes with lines, the same for both panels of a curve.

use std::sync::Arc;

use kuva::plot::band::BandPlot;
use kuva::plot::line::{LinePlot, LineStyle};
use kuva::plot::scatter::{MarkerShape, ScatterPlot};
use kuva::render::layout::{ComputedLayout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, TextAnchor, render_multiple};

use super::page::text_at;
use super::style::{HEAD, INK, LABEL, Rgb, css, layout};

/// Width and height with axes and labels.
const SIZE: (f64, f64) = (386.0, 285.0);
/// Values beyond this are drawn as if they were not numbers: their differences overflow.
const LARGEST: f64 = 1e100;
/// Half the width of a marker.
pub const MARKER: f64 = 5.0;

/// The same of a point that no line goes through.
const ALONE: f64 = 3.0;

/// Whether a value can be drawn.
pub fn drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// A line, and how it looks.
#[derive(Clone, Debug)]
pub struct Line {
    /// In rising order of x; the line has a gap where a value is not finite.
    pub points: Vec<(f64, f64)>,
    /// x, lower and upper end.
    pub band: Vec<(f64, f64, f64)>,
    pub color: Rgb,
    pub width: f64,
    pub dashes: Option<&'static str>,
    /// At every point.
    pub marker: Option<MarkerShape>,
    /// A point that is marked by a diamond.
    pub best: Option<(f64, f64)>,
}

/// The horizontal axis.
#[derive(Clone, Debug)]
pub struct XAxis {
    pub label: String,
    pub ends: (f64, f64),
    pub logarithmic: bool,
    /// Distance of the ticks; by itself, the axis has about five at round values.
    pub step: Option<f64>,
}

/// Axes and the lines in them.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the vertical axis shows, written above it: a PNG of the library has coarse upright text.
    pub y_label: &'static str,
    /// What the values lie within by their nature, such as 0 and 100 per cent.
    pub limits: (f64, f64),
    pub lines: Vec<Line>,
}

impl Panel {
    /// Draws the panel.
    pub fn scene(&self, x: &XAxis) -> Scene {
        let mut values = Vec::new();
        for line in &self.lines {
            values.extend(line.points.iter().map(|point| point.1));
            values.extend(line.band.iter().flat_map(|&(_, low, high)| [low, high]));
        }
        let mut axes = layout(x.ends, value_ends(&values, self.limits))
            .with_x_label(&x.label)
            .with_x_tick_format(TickFormat::Custom(Arc::new(tick)))
            .with_width(SIZE.0)
            .with_height(SIZE.1);
        axes.force_margin_top = Some(HEAD);
        let left = ComputedLayout::from_layout(&axes).margin_left;
        axes.log_x = x.logarithmic;
        axes.x_tick_step = x.step;
        // Bands lie below all lines, lines below all markers.
        let mut plots: Vec<Plot> = self.lines.iter().filter_map(band).collect();
        plots.extend(self.lines.iter().flat_map(strokes));
        plots.extend(self.lines.iter().flat_map(markers));
        if plots.is_empty() {
            plots.push(LinePlot::new().into());
        }
        let mut scene = render_multiple(plots, axes);
        let above = (left, HEAD - 9.0);
        scene.add(text_at(self.y_label, above, LABEL, INK, TextAnchor::Start));
        scene
    }
}

/// A number as short as it can be: 0.001 and 20000, but 1e-4.
fn tick(value: f64) -> String {
    let usual = value == 0.0 || (1e-3..1e6).contains(&value.abs());
    if usual { value.to_string() } else { format!("{value:e}") }
}

/// The same with at most six digits that count: ticks are sums, and have rounding errors.
pub fn short_tick(value: f64) -> String {
    tick(format!("{value:.5e}").parse().unwrap_or(value))
}

fn band(line: &Line) -> Option<Plot> {
    let part = |part: fn(&(f64, f64, f64)) -> f64| line.band.iter().map(part);
    let (x, low, high) = (part(|b| b.0), part(|b| b.1), part(|b| b.2));
    match line.band[..] {
        [] => None,
        // A band of no width would not be seen.
        [(x, low, high)] => {
            let bar = LinePlot::new().with_data([(x, low), (x, high)]);
            Some(bar.with_color(css(line.color)).with_stroke_width(1.5).into())
        }
        _ => {
            let band = BandPlot::new(x, low, high).with_color(css(line.color));
            Some(band.with_opacity(0.2).into())
        }
    }
}

/// The parts of the line between its gaps.
pub fn strokes(line: &Line) -> Vec<Plot> {
    let stroke = |points: &[(f64, f64)]| {
        let plot = LinePlot::new().with_data(points.iter().copied());
        let plot = plot.with_color(css(line.color)).with_stroke_width(line.width);
        match line.dashes {
            Some(dashes) => plot.with_line_style(LineStyle::Custom(dashes.into())).into(),
            None => plot.into(),
        }
    };
    line.points.split(|point| !point_drawable(point)).map(stroke).collect()
}

fn markers(line: &Line) -> Vec<Plot> {
    let plot = |points: Vec<(f64, f64)>, marker, size| {
        let plot = ScatterPlot::new().with_data(points).with_color(css(line.color));
        plot.with_marker(marker).with_size(size).into()
    };
    let parts = line.points.split(|point| !point_drawable(point));
    let drawn = || parts.clone().flatten().copied();
    let mut plots = Vec::new();
    match line.marker {
        Some(marker) => plots.push(plot(drawn().collect(), marker, MARKER)),
        // A point between gaps has no line.
        None => {
            let alone = parts.clone().filter(|part| part.len() == 1).flatten().copied().collect();
            plots.push(plot(alone, MarkerShape::Circle, ALONE));
        }
    }
    let best = line.best.filter(point_drawable);
    plots.extend(best.map(|point| plot(vec![point], MarkerShape::Diamond, 1.2 * MARKER)));
    plots
}

fn point_drawable(point: &(f64, f64)) -> bool {
    drawable(point.0) && drawable(point.1)
}

/// The ends of an axis around values that lie within `limits`.
pub fn value_ends(values: &[f64], limits: (f64, f64)) -> (f64, f64) {
    let (low, high) = extent(values).unwrap_or((0.0, 1.0));
    let room = room(low, high, 0.06).max(0.01 * low.abs().max(high.abs()));
    // Heights can be compared by eye where the axis starts at zero.
    let from_zero = low >= 0.0 && low < 0.35 * high;
    let start = if from_zero { 0.0 } else { low - room };
    (start.max(limits.0.min(low)), (high + room).min(limits.1.max(high)))
}

/// The least and the largest of the values that can be drawn.
pub fn extent(values: &[f64]) -> Option<(f64, f64)> {
    let values = values.iter().copied().filter(|value| drawable(*value));
    values.fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// Space beyond the ends: a share of their distance, or half a unit around a single value, and never
/// so little that it is lost beside them.
pub fn room(low: f64, high: f64, share: f64) -> f64 {
    let space = if high > low { (high - low) * share } else { 0.5 };
    space.max(1e-6 * low.abs().max(high.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_start_at_zero_and_accuracies_end_at_a_hundred() {
        assert_eq!(value_ends(&[0.05, 2.3], (0.0, f64::INFINITY)).0, 0.0);
        let (low, high) = value_ends(&[88.0, 99.9], (0.0, 100.0));
        assert!((80.0..88.0).contains(&low));
        assert_eq!(high, 100.0);
    }

    #[test]
    fn any_values_have_finite_ends_around_them() {
        let odd = [0.0, -0.0, 1.0, -3.0, 1e-320, 1e99, -1e99, 1e300, f64::NAN, f64::INFINITY];
        for (a, b) in odd.iter().flat_map(|a| odd.map(|b| (*a, b))) {
            let (low, high) = value_ends(&[a, b], (0.0, 100.0));
            assert!(low < high && high - low < 1e101, "{a} {b}: {low} {high}");
            for value in [a, b].into_iter().filter(|value| drawable(*value)) {
                assert!((low..=high).contains(&value), "{a} {b}: {low} {high}");
            }
        }
    }
}
