//! Square axes whose values are shares.

use std::sync::Arc;

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::line::LinePlot;
use kuva::render::layout::{ComputedLayout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::render::{Scene, TextAnchor, render_multiple};

use super::page::text_at;
use super::panel::{Line, strokes};
use super::style::{HEAD, INK, LABEL, MUTED, Rgb, css, layout, series};

/// Width and height with axes and labels.
const SIZE: (f64, f64) = (386.0, 378.0);
/// Points of a line closer than this share of the axis are one.
const CLOSE: f64 = 0.001;
/// Colours of lines of their own; the black of the palette is for what concerns all of them.
const COLORS: usize = 6;
/// Most lines that can be told apart: each colour solid and dashed.
pub const MOST_LINES: usize = 2 * COLORS;
pub const BLACK: Rgb = (0, 0, 0);
const DASHES: &str = "6 4";
/// The same in the legend, where there is little space.
const LEGEND_DASHES: &str = "3 4.5";

/// Two labels and the part of the plane that is shown.
pub struct Square {
    pub x_label: &'static str,
    /// Written above the vertical axis.
    pub y_label: &'static str,
    pub x: (f64, f64),
    pub y: (f64, f64),
}

impl Square {
    /// Draws the lines, cut at the edges; also says where values are, for what is drawn on top.
    pub fn scene(&self, lines: &[Line]) -> (Scene, ComputedLayout) {
        let number = |value: f64| ((value * 1e6).round() / 1e6).to_string();
        let mut axes = layout(self.x, self.y)
            .with_x_label(self.x_label)
            .with_x_tick_format(TickFormat::Custom(Arc::new(number)))
            .with_y_tick_format(TickFormat::Custom(Arc::new(number)))
            .with_width(SIZE.0)
            .with_height(SIZE.1);
        axes.force_margin_top = Some(HEAD);
        let place = ComputedLayout::from_layout(&axes);
        let mut plots: Vec<Plot> = Vec::new();
        for line in lines {
            let cut = Line { points: self.cut(&line.points), ..line.clone() };
            plots.extend(strokes(&cut));
        }
        if plots.is_empty() {
            plots.push(LinePlot::new().into());
        }
        let mut scene = render_multiple(plots, axes);
        let above = (place.margin_left, HEAD - 9.0);
        scene.add(text_at(self.y_label, above, LABEL, INK, TextAnchor::Start));
        (scene, place)
    }

    /// The parts of a line within the axes, with a gap between them.
    fn cut(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let gap = (f64::NAN, f64::NAN);
        let mut inside: Vec<(f64, f64)> = Vec::new();
        for pair in points.windows(2) {
            let Some((from, to)) = self.cut_segment(pair[0], pair[1]) else { continue };
            if inside.last() != Some(&from) {
                inside.push(gap);
                inside.push(from);
            }
            inside.push(to);
        }
        inside
    }

    /// The part of a segment within the axes (Liang and Barsky, *A new concept and method for line
    /// clipping*, 1984).
    fn cut_segment(&self, a: (f64, f64), b: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut start, mut end) = (0.0, 1.0);
        for (step, room) in [
            (-dx, a.0 - self.x.0),
            (dx, self.x.1 - a.0),
            (-dy, a.1 - self.y.0),
            (dy, self.y.1 - a.1),
        ] {
            if step == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if step < 0.0 {
                start = f64::max(start, room / step);
            } else {
                end = f64::min(end, room / step);
            }
        }
        let at = |t: f64| match t {
            0.0 => a,
            1.0 => b,
            _ => (a.0 + t * dx, a.1 + t * dy),
        };
        (start <= end).then(|| (at(start), at(end)))
    }
}

/// The fonts of an SVG, for parts that have no axes.
pub fn font() -> Option<String> {
    let plots: Vec<Plot> = vec![LinePlot::new().into()];
    render_multiple(plots, layout((0.0, 1.0), (0.0, 1.0))).font_family
}

/// A line that bears the look of its place in the legend.
pub fn line(index: usize, points: Vec<(f64, f64)>) -> Line {
    let dashes = (index >= COLORS).then_some(DASHES);
    let color = series(index % COLORS);
    Line {
        points: thin(points),
        band: Vec::new(),
        color,
        width: 2.0,
        dashes,
        marker: None,
        best: None,
    }
}

/// A line about everything.
pub fn black(points: Vec<(f64, f64)>) -> Line {
    Line { color: BLACK, dashes: None, width: 2.6, ..line(0, points) }
}

/// What would be seen by chance or were all right: a line to compare with.
pub fn reference(points: Vec<(f64, f64)>) -> Line {
    Line { color: MUTED, dashes: Some("3 4"), width: 1.5, ..line(0, points) }
}

/// The entry of a line in the legend.
pub fn entry(label: String, line: &Line) -> LegendEntry {
    let dasharray = line.dashes.map(|_| LEGEND_DASHES.into());
    LegendEntry { label, color: css(line.color), shape: LegendShape::Line, dasharray }
}

/// The line without the points that lie where the one before them does, to the eye.
fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let last = points.last().copied();
    for point in points {
        let apart = |other: &(f64, f64)| {
            (point.0 - other.0).abs() >= CLOSE || (point.1 - other.1).abs() >= CLOSE
        };
        if kept.last().is_none_or(apart) {
            kept.push(point);
        }
    }
    if kept.last() != last.as_ref() {
        kept.extend(last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_edges_and_goes_on_where_it_comes_back() {
        let square = Square { x_label: "", y_label: "", x: (0.0, 1.0), y: (0.0, 1.0) };
        let cut = square.cut(&[(-1.0, 0.5), (0.5, 0.5), (0.5, 3.0), (0.75, 3.0), (0.75, 0.0)]);
        let parts: Vec<_> = cut.split(|p| p.0.is_nan()).filter(|part| !part.is_empty()).collect();
        assert_eq!(parts[0], [(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)]);
        assert_eq!(parts[1], [(0.75, 1.0), (0.75, 0.0)]);
        assert_eq!(parts.len(), 2);
        assert!(square.cut(&[(2.0, 0.0), (2.0, 1.0), (3.0, 1.0)]).is_empty());
    }

    #[test]
    fn a_thinned_line_keeps_its_ends_and_its_corners() {
        let many: Vec<_> = (0..=100_000).map(|i| f64::from(i) / 1e5).map(|x| (x, x)).collect();
        let kept = thin(many);
        assert!(kept.len() < 1100);
        assert_eq!((kept[0], *kept.last().unwrap()), ((0.0, 0.0), (1.0, 1.0)));
        assert_eq!(thin(vec![(0.0, 0.0), (0.0, 1.0), (0.0, 1.0)]), [(0.0, 0.0), (0.0, 1.0)]);
        assert!(thin(Vec::new()).is_empty());
    }
}
