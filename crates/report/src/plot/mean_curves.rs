//! Means over seeds, by epoch or by the value of a setting.

use std::sync::Arc;

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::line::LinePlot;
use kuva::render::color::Color;
use kuva::render::layout::{ComputedLayout, TickFormat};
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor, render_multiple};

use super::curve::{mean_and_band, spread};
use super::history::axis;
use super::page::{compose, shorten, text_at};
use super::panel::{XAxis, drawable, short_tick, value_ends};
use super::picture::Picture;
use super::style::{COLORS, HEAD, INK, LABEL, css, layout, series};

/// Width and height with axes and labels: no wider than what can be read on a telephone.
const SIZE: (f64, f64) = (500.0, 330.0);
/// Dashes of the first seven curves, of the next seven, and so on.
const DASHES: [&str; 4] = ["", "7 4", "2 3", "10 3 2 3"];
/// Up to so many points, each has a dot.
const FEW: usize = 20;
/// Values beyond so many times the largest of an ordinary curve are not drawn.
const TOO_LARGE: f64 = 8.0;

/// What the values of an axis are.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueAxis {
    /// Its name, with the unit.
    pub label: String,
    /// What the values lie within by their nature, such as 0 and 100 per cent.
    pub limits: (f64, f64),
}

/// One line: a name, and the values at each place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeanCurve {
    /// Its name.
    pub label: String,
    /// The place on the horizontal axis and the values there, one for each seed. In any order.
    pub points: Vec<(f64, Vec<f64>)>,
}

/// What the horizontal axis is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    /// Epochs, from 1.
    Epochs,
    /// Values of a setting of this name: logarithmic, if that keeps them further apart.
    Setting(String),
}

/// Curves of means in one pair of axes: by epoch, or by the value of a setting.
///
/// A line joins the means over the seeds; the band around it is one sample standard deviation (divided by n − 1) to
/// each side. Colours repeat from the eighth curve on, with other dashes. Values that are not finite are left out, and
/// so are means of more than eight times the largest of the first curve, which is to be the best one, or of the
/// median curve: a run that diverges would leave the others flat.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanCurves {
    /// What is asked and answered.
    pub title: String,
    /// What the horizontal axis is.
    pub places: Places,
    /// What the values are.
    pub axis: ValueAxis,
    /// The best one first.
    pub curves: Vec<MeanCurve>,
}

/// A place, the mean there, and the ends of its band.
type Point = (f64, f64, f64, f64);

impl MeanCurve {
    /// Of runs with a value for each epoch, from the first on: as many epochs as all of them have.
    pub fn of_epochs(label: impl Into<String>, runs: &[Vec<f64>]) -> Self {
        let epochs = runs.iter().map(Vec::len).min().unwrap_or(0);
        let values = |epoch: usize| runs.iter().map(|run| run[epoch]).collect();
        let points = (0..epochs).map(|epoch| (epoch as f64 + 1.0, values(epoch))).collect();
        Self { label: label.into(), points }
    }
}

impl MeanCurves {
    /// The curves with title and legend, 1056 pixels wide as PNG.
    pub fn picture(&self) -> Picture {
        compose(&self.title, None, self.legend(), vec![self.scene()])
    }

    /// The axes alone, for a page that has a title and a legend of its own. Each curve is a group of the class
    /// `series` whose `data-series` is its place.
    pub fn bare(&self) -> Picture {
        compose("", None, Vec::new(), vec![self.scene()])
    }

    /// Whether values were too large to be drawn.
    pub fn is_cut(&self) -> bool {
        let all = self.all_points();
        let most = most(&all);
        all.iter().flatten().any(|point| point.1 > most)
    }

    /// A line for each curve; the only one needs none.
    fn legend(&self) -> Vec<LegendEntry> {
        if self.curves.len() < 2 {
            return Vec::new();
        }
        let entry = |(i, curve): (usize, &MeanCurve)| {
            let (color, dashes) = stroke(i);
            let (label, shape) = (curve.label.clone(), LegendShape::Line);
            LegendEntry { label, color, shape, dasharray: dasharray(dashes) }
        };
        self.curves.iter().enumerate().map(entry).collect()
    }

    /// The points of each curve.
    fn all_points(&self) -> Vec<Vec<Point>> {
        self.curves.iter().map(|curve| self.points(curve)).collect()
    }

    fn points(&self, curve: &MeanCurve) -> Vec<Point> {
        let point = |(x, values): &(f64, Vec<f64>)| {
            if values.is_empty() || values.iter().any(|value| !drawable(*value)) {
                return (*x, f64::NAN, f64::NAN, f64::NAN);
            }
            let (mean, low, high) = mean_and_band(values, self.axis.limits);
            (*x, mean, low, high)
        };
        let mut points: Vec<Point> = curve.points.iter().map(point).collect();
        points.retain(|point| drawable(point.0));
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    }

    /// The horizontal axis for what is drawn.
    fn x_axis(&self, drawn: Vec<f64>) -> XAxis {
        match &self.places {
            Places::Epochs => axis(&drawn),
            Places::Setting(name) => {
                let (ends, logarithmic) = spread(drawn).unwrap_or(((0.0, 1.0), false));
                let scale = if logarithmic { ", logarithmic" } else { "" };
                let name = shorten(name, LABEL, 0.6 * SIZE.0);
                XAxis { label: format!("{name}{scale}"), ends, logarithmic, step: None }
            }
        }
    }

    fn scene(&self) -> Scene {
        let all = self.all_points();
        let most = most(&all);
        let drawn = |point: &&Point| drawable(point.1) && point.1 <= most;
        let points = || all.iter().flatten().filter(drawn);
        let values: Vec<f64> =
            points().flat_map(|&(_, mean, low, high)| [mean, low, high.min(2.0 * most)]).collect();
        let x = self.x_axis(points().map(|point| point.0).collect());
        let mut axes = layout(x.ends, value_ends(&values, self.axis.limits))
            .with_x_label(&x.label)
            .with_x_tick_format(TickFormat::Custom(Arc::new(short_tick)))
            .with_y_tick_format(TickFormat::Custom(Arc::new(short_tick)))
            .with_width(SIZE.0)
            .with_height(SIZE.1);
        axes.force_margin_top = Some(HEAD);
        axes.x_tick_step = x.step;
        axes.log_x = x.logarithmic;
        let place = ComputedLayout::from_layout(&axes);
        let mut scene = render_multiple(vec![LinePlot::new().into()], axes);
        let label = shorten(&self.axis.label, LABEL, SIZE.0 - place.margin_left);
        scene.add(text_at(&label, (place.margin_left, HEAD - 9.0), LABEL, INK, TextAnchor::Start));
        // The best one lies on top.
        for (i, points) in all.iter().enumerate().rev() {
            let extra_attrs = Some(format!("class=\"series\" data-series=\"{i}\""));
            scene.add(Primitive::GroupStart { transform: None, title: None, extra_attrs });
            for part in points.split(|point| !drawn(&point)).filter(|part| !part.is_empty()) {
                let at = |x: f64, y: f64| (place.map_x(x), place.map_y(y.min(2.0 * most)));
                if part.iter().any(|point| point.3 > point.2) {
                    band(&mut scene, part, i, at);
                }
                line(&mut scene, part, i, at);
            }
            scene.add(Primitive::GroupEnd);
        }
        scene
    }
}

/// The largest value that is drawn of these curves.
fn most(curves: &[Vec<Point>]) -> f64 {
    let largest = |points: &Vec<Point>| {
        let values = points.iter().map(|point| point.1);
        values.filter(|value| drawable(*value)).fold(0.0, f64::max)
    };
    let mut all: Vec<f64> = curves.iter().map(largest).collect();
    let first = all.first().copied().unwrap_or(0.0);
    all.sort_by(f64::total_cmp);
    let median = all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0.0);
    match first.max(median) {
        largest if largest > 0.0 => TOO_LARGE * largest,
        _ => f64::INFINITY,
    }
}

/// The colour and the dashes of a curve, as SVG has them; no dashes for a solid one.
pub fn stroke(index: usize) -> (String, &'static str) {
    (css(series(index)), DASHES[index / COLORS % DASHES.len()])
}

/// Dashes as the drawing library takes them.
fn dasharray(dashes: &str) -> Option<String> {
    (!dashes.is_empty()).then(|| dashes.to_owned())
}

fn band(scene: &mut Scene, part: &[Point], index: usize, at: impl Fn(f64, f64) -> (f64, f64)) {
    let upper = part.iter().map(|point| at(point.0, point.3));
    let lower = part.iter().rev().map(|point| at(point.0, point.2));
    let corners: Vec<String> = upper.chain(lower).map(|(x, y)| format!("{x:.2} {y:.2}")).collect();
    scene.add(Primitive::Path(Box::new(PathData {
        d: format!("M {} Z", corners.join(" L ")),
        fill: Some(css(series(index)).into()),
        stroke: Color::None,
        stroke_width: 0.0,
        opacity: Some(0.12),
        stroke_dasharray: None,
    })));
}

fn line(scene: &mut Scene, part: &[Point], index: usize, at: impl Fn(f64, f64) -> (f64, f64)) {
    let (color, dashes) = stroke(index);
    let points: Vec<(f64, f64)> = part.iter().map(|point| at(point.0, point.1)).collect();
    if points.len() <= FEW {
        for &(cx, cy) in &points {
            scene.add(Primitive::Circle {
                cx,
                cy,
                r: 2.6,
                fill: color.as_str().into(),
                fill_opacity: None,
                stroke: None,
                stroke_width: None,
            });
        }
    }
    scene.add(Primitive::PolyLine {
        points,
        stroke: color.into(),
        stroke_width: 2.0,
        stroke_dasharray: dasharray(dashes),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn curves(all: &[(&str, &[&[f64]])]) -> MeanCurves {
        let curve = |(label, runs): &(&str, &[&[f64]])| {
            let runs: Vec<Vec<f64>> = runs.iter().map(|run| run.to_vec()).collect();
            MeanCurve::of_epochs(*label, &runs)
        };
        let axis = ValueAxis { label: "validation loss".into(), limits: (0.0, f64::INFINITY) };
        let curves = all.iter().map(curve).collect();
        MeanCurves { title: "Which?".into(), places: Places::Epochs, axis, curves }
    }

    #[test]
    fn a_point_is_the_mean_of_the_seeds_with_one_sample_deviation_to_each_side() {
        // 1, 2 and 3: mean 2, deviation sqrt((1 + 0 + 1) / 2) = 1. The second epoch is not in all runs.
        let curves = curves(&[("a", &[&[1.0, 0.5], &[2.0], &[3.0, 0.5]])]);
        assert_eq!(curves.points(&curves.curves[0]), [(1.0, 2.0, 1.0, 3.0)]);
    }

    #[test]
    fn values_of_a_setting_are_in_order_and_logarithmic_where_that_keeps_them_apart() {
        let by = |places: &[f64]| {
            let points = places.iter().map(|place| (*place, vec![1.0])).collect();
            let curve = MeanCurve { label: "a".into(), points };
            let places = Places::Setting("learning_rate".into());
            MeanCurves { places, curves: vec![curve], ..curves(&[]) }
        };
        let rates = by(&[0.01, 0.0001, 0.001]);
        let places: Vec<f64> = rates.points(&rates.curves[0]).iter().map(|p| p.0).collect();
        assert_eq!(places, [0.0001, 0.001, 0.01]);
        let label = |curves: &MeanCurves| {
            let places = curves.curves[0].points.iter().map(|point| point.0).collect();
            curves.x_axis(places).label
        };
        assert_eq!(label(&rates), "learning_rate, logarithmic");
        assert_eq!(label(&by(&[0.0, 0.25, 0.5])), "learning_rate");
        assert!(Pixels::new(&rates.picture()).border_is_clear());
        // Equal ratios are equally far apart.
        let svg = rates.bare().to_svg();
        let dots: Vec<f64> = svg
            .split("<circle cx=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(dots.len(), 3);
        assert!((dots[0] + dots[2] - 2.0 * dots[1]).abs() < 0.05 && dots[2] > dots[0] + 200.0);
    }

    #[test]
    fn every_curve_is_a_group_of_its_own_and_the_page_has_no_legend() {
        let curves = curves(&[("first & best", &[&[1.0, 0.5]]), ("second", &[&[2.0, 1.5]])]);
        let (whole, bare) = (curves.picture().to_svg(), curves.bare().to_svg());
        for svg in [&whole, &bare] {
            assert!(svg.contains("data-series=\"0\"") && svg.contains("data-series=\"1\""));
            assert!(!svg.contains("data-series=\"2\""));
        }
        assert!(whole.contains("first &amp; best") && !bare.contains("first"));
    }

    #[test]
    fn a_run_that_diverges_does_not_flatten_the_others() {
        let curves = curves(&[("good", &[&[2.0, 1.0]]), ("bad", &[&[2.0, 1e9]])]);
        assert!(curves.is_cut());
        let same = super::tests::curves(&[("good", &[&[2.0, 1.0]]), ("bad", &[&[2.0]])]);
        assert!(!same.is_cut());
        assert_eq!(curves.bare().to_svg(), same.bare().to_svg());
    }

    #[test]
    fn nothing_is_clipped_whatever_the_values() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e99, 1e300, 1e-320];
        let long = "name ".repeat(60);
        for runs in [&[&odd[..]][..], &[&odd, &odd], &[&[]], &[]] {
            let picture = curves(&[(&long, runs), ("b", &[&[1.0, 2.0]])]).picture();
            let pixels = Pixels::new(&picture);
            assert_eq!(pixels.size, picture.size());
            assert!(pixels.border_is_clear());
        }
        assert!(curves(&[]).picture().to_png().is_ok());
    }

    #[test]
    fn the_first_twenty_eight_curves_differ_in_colour_or_dashes() {
        let strokes: std::collections::BTreeSet<_> = (0..28).map(stroke).collect();
        assert_eq!(strokes.len(), 28);
    }
}
