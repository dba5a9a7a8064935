//! One coordinate system with its lines.

use plotters::style::RGBColor;

use super::axis::{Axis, Tick, drawable};
use super::canvas::{Anchor, Canvas, DrawError, Marker, Point, Stroke, Style};
use super::palette::{GRID, INK, LABEL, MUTED, TICK};
use super::text;

/// Radius of a marker in pixels.
pub const MARKER: f64 = 8.0;

/// One line of a panel.
#[derive(Clone, Debug)]
pub struct Line {
    pub points: Vec<Point>,
    /// `(x, lower, upper)` around the points; empty for none.
    pub spread: Vec<(f64, f64, f64)>,
    pub stroke: Stroke,
    /// At every point.
    pub marker: Option<Marker>,
    /// A point that stands out.
    pub best: Option<Point>,
}

/// What a panel shows.
#[derive(Clone, Debug)]
pub struct Panel {
    pub y_label: String,
    /// Between which a value lies by its nature.
    pub limits: (f64, f64),
    pub lines: Vec<Line>,
}

/// The pixels a panel may use and those of its frame from top to bottom.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

/// Height below the frame for the ticks and the name of the x axis.
pub const BELOW: f64 = 12.0 + TICK + 10.0 + LABEL;

impl Panel {
    /// Draws the panel.
    pub fn draw(&self, canvas: &Canvas, place: Place, x: (&Axis, &str)) -> Result<(), DrawError> {
        let y = Axis::values(&self.values(), self.limits);
        let widest = y.ticks.iter().map(|tick| text::width(&tick.label, TICK)).fold(0.0, f64::max);
        let left = place.left + LABEL + 10.0 + widest + 14.0;
        let area = Area { place: Place { left, ..place }, x: x.0, y: &y };
        area.grid(canvas)?;
        let middle = (place.top + place.bottom) / 2.0;
        let style = Style::new(LABEL, INK, Anchor::Middle);
        canvas.text(&self.y_label, (place.left + LABEL / 2.0, middle), style.upwards())?;
        let below = place.bottom + BELOW - LABEL / 2.0;
        canvas.text(x.1, ((left + place.right) / 2.0, below), style)?;
        if !self.lines.iter().any(|line| line.points.iter().any(is_drawable)) {
            let style = Style::new(LABEL, MUTED, Anchor::Middle);
            return canvas.text("no finite values", ((left + place.right) / 2.0, middle), style);
        }
        for line in &self.lines {
            area.spread(canvas, line)?;
        }
        for line in &self.lines {
            area.line(canvas, line)?;
        }
        for line in &self.lines {
            if let Some(best) = line.best.filter(is_drawable) {
                best_marker(canvas, area.at(best), line.stroke.color)?;
            }
        }
        Ok(())
    }

    fn values(&self) -> Vec<f64> {
        let lines = self.lines.iter();
        lines
            .flat_map(|line| {
                let points =
                    line.points.iter().filter(|point| is_drawable(point)).map(|point| point.1);
                points.chain(line.spread.iter().flat_map(|(_, low, high)| [*low, *high]))
            })
            .collect()
    }
}

/// Marks the best epoch: a diamond in a ring of ink.
pub fn best_marker(canvas: &Canvas, at: Point, color: RGBColor) -> Result<(), DrawError> {
    canvas.marker(Marker::Diamond, at, MARKER + 4.0, INK)?;
    canvas.marker(Marker::Diamond, at, MARKER, color)
}

fn is_drawable(point: &Point) -> bool {
    drawable(point.0) && drawable(point.1)
}

/// A frame and its axes.
struct Area<'a> {
    place: Place,
    x: &'a Axis,
    y: &'a Axis,
}

impl Area<'_> {
    fn at(&self, (x, y): Point) -> Point {
        let Place { left, right, top, bottom } = self.place;
        (left + self.x.share(x) * (right - left), bottom - self.y.share(y) * (bottom - top))
    }

    fn grid(&self, canvas: &Canvas) -> Result<(), DrawError> {
        let Place { left, right, top, bottom } = self.place;
        let y_of = |tick: &Tick| bottom - self.y.share(tick.value) * (bottom - top);
        let x_of = |tick: &Tick| left + self.x.share(tick.value) * (right - left);
        for tick in &self.y.ticks {
            let y = y_of(tick);
            canvas.rectangle((left - 7.0, y - 0.5), (left, y + 0.5), INK)?;
            canvas.rectangle((left, y - 0.5), (right, y + 0.5), GRID)?;
            let style = Style::new(TICK, INK, Anchor::Right);
            canvas.text(&tick.label, (left - 14.0, y), style)?;
        }
        for tick in &self.x.ticks {
            let x = x_of(tick);
            canvas.rectangle((x - 0.5, bottom), (x + 0.5, bottom + 7.0), INK)?;
            canvas.rectangle((x - 0.5, top), (x + 0.5, bottom), GRID)?;
        }
        let labels: Vec<_> =
            self.x.ticks.iter().map(|tick| (x_of(tick), tick.label.as_str())).collect();
        let (size, kept) = labels_that_fit(&labels);
        for (x, label) in kept {
            let style = Style::new(size, INK, Anchor::Middle);
            canvas.text(label, (x, bottom + 12.0 + TICK / 2.0), style)?;
        }
        canvas.border((left - 1.0, top - 1.0), (right + 1.0, bottom + 1.0), INK, 1.5)
    }

    fn spread(&self, canvas: &Canvas, line: &Line) -> Result<(), DrawError> {
        let edge = |(x, low, high): &(f64, f64, f64)| {
            let ((x, low), (_, high)) = (self.at((*x, *low)), self.at((*x, *high)));
            (x, low, high)
        };
        let edges: Vec<_> = line.spread.iter().map(edge).collect();
        if let [(x, low, high)] = edges[..] {
            // A band has no width here.
            let stroke = Stroke { width: 2.0, dashed: false, ..line.stroke };
            canvas.line(&[(x, low), (x, high)], stroke)?;
            for y in [low, high] {
                canvas.line(&[(x - MARKER, y), (x + MARKER, y)], stroke)?;
            }
        }
        canvas.band(&edges, line.stroke.color)
    }

    /// Draws the line; where a point is missing it is broken.
    fn line(&self, canvas: &Canvas, line: &Line) -> Result<(), DrawError> {
        for part in line.points.split(|point| !is_drawable(point)) {
            let part: Vec<Point> = part.iter().map(|point| self.at(*point)).collect();
            canvas.line(&part, line.stroke)?;
            if let Some(marker) = line.marker {
                for at in part {
                    canvas.marker(marker, at, MARKER, line.stroke.color)?;
                }
            } else if let [at] = part[..] {
                lone_point(canvas, at, line.stroke)?;
            }
        }
        Ok(())
    }
}

/// A point without neighbours: a disc, or a ring where its line would be dashed.
fn lone_point(canvas: &Canvas, at: Point, stroke: Stroke) -> Result<(), DrawError> {
    canvas.marker(Marker::Circle, at, MARKER, stroke.color)?;
    if stroke.dashed {
        canvas.disc(at, MARKER - stroke.width, super::palette::PAPER)?;
    }
    Ok(())
}

/// The largest size at which all labels have space, or else the smallest and the labels that have,
/// the last one among them; `labels` from left to right with their middles.
fn labels_that_fit<'a>(labels: &[(f64, &'a str)]) -> (f64, Vec<(f64, &'a str)>) {
    let apart = |size: f64, a: &(f64, &str), b: &(f64, &str)| {
        b.0 - a.0 >= (text::width(a.1, size) + text::width(b.1, size)) / 2.0 + 0.2 * size
    };
    for size in [TICK, 24.0, 22.5, 21.0] {
        if labels.windows(2).all(|pair| apart(size, &pair[0], &pair[1])) {
            return (size, labels.to_vec());
        }
    }
    let size = 22.5;
    let mut kept: Vec<(f64, &str)> = Vec::new();
    for label in labels.iter().rev() {
        if kept.last().is_none_or(|next| apart(size, label, next)) {
            kept.push(*label);
        }
    }
    (size, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::palette::series;
    use crate::plot::testing::Picture;

    fn point(index: usize, at: Point) -> Line {
        Line {
            points: vec![at],
            spread: Vec::new(),
            stroke: Stroke { color: series(index), width: 3.0, dashed: false },
            marker: Some(Marker::Circle),
            best: None,
        }
    }

    fn picture(lines: Vec<Line>) -> Picture {
        let panel = Panel { y_label: "loss".into(), limits: (0.0, f64::INFINITY), lines };
        let place = Place { left: 20.0, right: 600.0, top: 20.0, bottom: 400.0 };
        let x = Axis::epochs(&[1.0, 4.0]);
        Picture::new((620, 500), |canvas| panel.draw(canvas, place, (&x, "epoch")))
    }

    /// The middle of everything in the colour of a series.
    fn middle(picture: &Picture, index: usize) -> (f64, f64) {
        let found = picture.find(series(index), 0..620);
        let count = found.len() as f64;
        assert!(count > 50.0, "series {index} has {count} pixels");
        let sum =
            found.iter().fold((0.0, 0.0), |s, p| (s.0 + f64::from(p.0), s.1 + f64::from(p.1)));
        (sum.0 / count, sum.1 / count)
    }

    #[test]
    fn distances_on_the_picture_are_those_of_the_data() {
        let data = [(1.0, 1.0), (2.0, 2.0), (4.0, 3.0)];
        let lines = data.iter().enumerate().map(|(i, at)| point(i, *at)).collect();
        let picture = picture(lines);
        let [a, b, c] = [0, 1, 2].map(|i| middle(&picture, i));
        // One epoch, then two; each time one unit of loss upwards.
        assert!(((c.0 - b.0) / (b.0 - a.0) - 2.0).abs() < 0.02);
        assert!(((c.1 - b.1) / (b.1 - a.1) - 1.0).abs() < 0.02 && c.1 < a.1);
    }

    #[test]
    fn a_point_at_a_tick_is_level_with_its_grid_line() {
        let picture = picture(vec![point(0, (1.0, 1.0)), point(1, (4.0, 3.0))]);
        let (_, y) = middle(&picture, 1);
        let between = picture.at(300, y.round() as u32);
        assert!(between != crate::plot::palette::PAPER, "no grid line at loss 3.0");
    }

    #[test]
    fn a_line_is_broken_where_a_value_is_missing() {
        let mut line = point(0, (1.0, 1.0));
        line.points = vec![(1.0, 1.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 1.0)];
        line.marker = None;
        let picture = picture(vec![line]);
        let columns: Vec<u32> = picture.find(series(0), 0..620).iter().map(|p| p.0).collect();
        let (left, right) = (*columns.iter().min().unwrap(), *columns.iter().max().unwrap());
        let at = |epoch: f64| left + ((epoch - 1.0) / 3.0 * f64::from(right - left)) as u32;
        assert!(columns.contains(&at(3.5)) && !columns.contains(&at(2.0)));
    }

    #[test]
    fn twenty_fractions_all_get_a_label() {
        let names: Vec<String> = (1..=20).map(|i| (5 * i).to_string()).collect();
        let labels: Vec<_> =
            names.iter().zip(0..).map(|(n, i)| (33.5 * f64::from(i), n.as_str())).collect();
        assert_eq!(labels_that_fit(&labels).1.len(), 20);
    }

    #[test]
    fn crowded_labels_are_thinned_but_the_last_stays() {
        let names: Vec<String> = (1..=100).map(|i| i.to_string()).collect();
        let labels: Vec<_> =
            names.iter().zip(0..).map(|(n, i)| (6.0 * f64::from(i), n.as_str())).collect();
        let (size, kept) = labels_that_fit(&labels);
        assert!(kept.len() < 30 && kept[0].1 == "100");
        for pair in kept.windows(2) {
            let wide = (text::width(pair[0].1, size) + text::width(pair[1].1, size)) / 2.0;
            assert!(pair[0].0 - pair[1].0 > wide);
        }
    }
}
