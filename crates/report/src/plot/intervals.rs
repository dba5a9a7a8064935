//! Means and how sure they are, one below the other.

use std::sync::Arc;

use kuva::plot::line::LinePlot;
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, Layout, TickFormat};
use kuva::render::render::{Primitive, Scene, TextAnchor, render_multiple};

use super::mean_curves::ValueAxis;
use super::page::{compose, shorten, text_at};
use super::panel::{drawable, extent, short_tick, value_ends};
use super::picture::Picture;
use super::reliability::stroke;
use super::style::{INK, MUTED, PAPER, Rgb, TICK, css, layout, series};

/// Width with axes and labels: no wider than what can be read on a telephone.
const WIDTH: f64 = 500.0;
/// Height of a row: its name above its interval.
const ROW: f64 = 36.0;
/// Half the height of the caps of an interval.
const CAP: f64 = 4.0;
/// From the middle of a row to its interval, and to the foot of its name.
const BELOW: f64 = 7.0;
const ABOVE: f64 = 4.0;
/// Rows of a picture: later ones are left out.
const MOST: usize = 60;

/// How a row looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// A filled disc, and the name in bold.
    Best,
    /// A ring in the same colour.
    Tied,
    /// A grey ring.
    #[default]
    Plain,
}

/// A mean, its interval, and the values that it is of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalRow {
    /// Its name.
    pub label: String,
    /// The mean.
    pub mean: f64,
    /// The lower and the upper end, if there are such.
    pub interval: Option<(f64, f64)>,
    /// The values, drawn as small dots.
    pub values: Vec<f64>,
    /// How it looks.
    pub emphasis: Emphasis,
}

/// Means with their intervals, one row each, along one axis.
///
/// A dashed line goes through the mean of the best row. Values that are not finite are left out, and so are rows
/// after the sixtieth.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    /// What is asked and answered.
    pub title: String,
    /// What the values are.
    pub axis: ValueAxis,
    /// From the top down.
    pub rows: Vec<IntervalRow>,
}

impl Intervals {
    /// The rows with the title, 1056 pixels wide as PNG.
    pub fn picture(&self) -> Picture {
        compose(&self.title, None, Vec::new(), vec![self.scene()])
    }

    /// The axes alone, for a page that has a title of its own.
    pub fn bare(&self) -> Picture {
        compose("", None, Vec::new(), vec![self.scene()])
    }

    fn scene(&self) -> Scene {
        let rows = &self.rows[..self.rows.len().min(MOST)];
        let values = rows.iter().flat_map(|row| {
            let ends = row.interval.into_iter().flat_map(|(low, high)| [low, high]);
            row.values.iter().copied().chain(ends).chain([row.mean])
        });
        let axes = self.axes(rows.len(), values.filter(|value| drawable(*value)).collect());
        let place = ComputedLayout::from_layout(&axes);
        let ends = (place.map_y(rows.len() as f64 + 0.5), place.map_y(0.5));
        let right = WIDTH - place.margin_right - 6.0;
        let mut scene = render_multiple(vec![LinePlot::new().into()], axes);
        let best = rows.iter().find(|row| row.emphasis == Emphasis::Best && drawable(row.mean));
        if let Some(best) = best {
            let x = place.map_x(best.mean);
            scene.add(stroke([(x, ends.0), (x, ends.1)], MUTED, 1.0, Some("3 3")));
        }
        for (i, row) in rows.iter().enumerate() {
            let middle = place.map_y((rows.len() - i) as f64);
            let left = place.margin_left + 6.0;
            let mut label = text_at(
                &shorten(&row.label, TICK, 0.92 * (right - left)),
                (left, middle - ABOVE),
                TICK,
                INK,
                TextAnchor::Start,
            );
            if let Primitive::Text { bold, .. } = &mut label {
                *bold = row.emphasis == Emphasis::Best;
            }
            scene.add(label);
            draw(&mut scene, row, middle + BELOW, |value| place.map_x(value));
        }
        scene
    }

    fn axes(&self, rows: usize, values: Vec<f64>) -> Layout {
        let ends = match extent(&values) {
            Some((low, high)) => {
                let (start, end) = value_ends(&values, self.axis.limits);
                // Places can be compared without a zero: what is small beside the values is worth seeing.
                let room = (0.06 * (high - low)).max(1e-3 * (end - start));
                (start.max(low - room), end.min(high + room))
            }
            None => (0.0, 1.0),
        };
        let ends = if ends.1 > ends.0 { ends } else { (ends.0 - 0.5, ends.0 + 0.5) };
        let count = rows.max(1);
        let mut axes = layout(ends, (0.5, count as f64 + 0.5))
            .with_x_label(&self.axis.label)
            .with_x_tick_format(TickFormat::Custom(Arc::new(short_tick)))
            .with_y_categories(vec![String::new(); count])
            .with_show_grid(false)
            .with_width(WIDTH);
        axes.force_margin_top = Some(8.0);
        axes.suppress_y_ticks = true;
        axes.force_margin_left = Some(10.0);
        axes.force_margin_right = Some(16.0);
        let bottom = ComputedLayout::from_layout(&axes).margin_bottom;
        axes.height = Some(8.0 + count as f64 * ROW + bottom);
        axes
    }
}

/// The interval of a row, its values, and its mean on top.
fn draw(scene: &mut Scene, row: &IntervalRow, y: f64, at: impl Fn(f64) -> f64) {
    let color = if row.emphasis == Emphasis::Plain { MUTED } else { series(0) };
    let ends = row.interval.filter(|(low, high)| drawable(*low) && drawable(*high));
    if let Some((low, high)) = ends {
        let (low, high) = (at(low), at(high));
        scene.add(stroke([(low, y), (high, y)], color, 2.0, None));
        for x in [low, high] {
            scene.add(stroke([(x, y - CAP), (x, y + CAP)], color, 2.0, None));
        }
    }
    for &value in row.values.iter().filter(|value| drawable(**value)) {
        disc(scene, (at(value), y), 2.0, (series(1), Color::None), 0.75);
    }
    if drawable(row.mean) {
        let fill = if row.emphasis == Emphasis::Best { color } else { PAPER };
        disc(scene, (at(row.mean), y), 4.5, (fill, css(color).into()), 1.0);
    }
}

fn disc(scene: &mut Scene, (cx, cy): (f64, f64), r: f64, (fill, edge): (Rgb, Color), opacity: f64) {
    let stroke = Some(edge).filter(|edge| !matches!(edge, Color::None));
    let (stroke_width, fill_opacity) = (stroke.as_ref().map(|_| 2.0), Some(opacity));
    scene.add(Primitive::Circle {
        cx,
        cy,
        r,
        fill: css(fill).into(),
        fill_opacity,
        stroke,
        stroke_width,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn intervals(rows: Vec<IntervalRow>) -> Intervals {
        let axis = ValueAxis { label: "validation accuracy (%)".into(), limits: (0.0, 100.0) };
        Intervals { title: "Which is best?".into(), axis, rows }
    }

    fn row(label: &str, mean: f64, emphasis: Emphasis) -> IntervalRow {
        let interval = Some((mean - 1.0, mean + 1.0));
        IntervalRow {
            label: label.into(),
            mean,
            interval,
            values: vec![mean - 0.5, mean + 0.5],
            emphasis,
        }
    }

    #[test]
    fn the_best_row_is_filled_and_the_better_one_further_to_the_right() {
        let rows = vec![row("a", 90.0, Emphasis::Best), row("b", 80.0, Emphasis::Plain)];
        let pixels = Pixels::new(&intervals(rows).picture());
        let mean = |color| {
            let found = pixels.find(color, 0..pixels.size.0);
            found.iter().map(|at| f64::from(at.0)).sum::<f64>() / found.len() as f64
        };
        assert!(mean(series(0)) > mean(MUTED) + 200.0);
    }

    #[test]
    fn the_axis_is_about_the_values_and_within_what_is_possible() {
        let axes = intervals(vec![]).axes(2, vec![98.0, 99.0, 100.0]);
        let place = ComputedLayout::from_layout(&axes);
        assert!(
            place.map_x(98.0) > place.margin_left && place.map_x(98.0) < place.margin_left + 40.0
        );
        assert!((place.map_x(100.0) - (WIDTH - place.margin_right)).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_clipped_whatever_the_rows() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e99, 1e300, 1e-320];
        let strange = odd.iter().map(|&value| IntervalRow {
            label: "<script> & $x$ ".repeat(20),
            mean: value,
            interval: Some((value, 1.0)),
            values: odd.to_vec(),
            emphasis: Emphasis::Best,
        });
        let many =
            (0..90).map(|i| row(&"long name ".repeat(i), i as f64, Emphasis::Tied)).collect();
        let one = vec![IntervalRow { mean: 0.5, ..IntervalRow::default() }];
        for rows in [strange.collect(), many, one, vec![]] {
            let picture = intervals(rows).picture();
            let pixels = Pixels::new(&picture);
            assert_eq!(pixels.size, picture.size());
            assert!(pixels.border_is_clear());
        }
    }
}
