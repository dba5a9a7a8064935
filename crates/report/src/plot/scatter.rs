//! Images as points of a plane.

use kuva::plot::legend::{LegendEntry, LegendShape};
use kuva::plot::scatter::MarkerShape;
use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use super::inset::{Inset, Raster, compose_below};
use super::page::{shorten, text_at};
use super::panel::extent;
use super::picture::{Picture, PlotError};
use super::sheet::SheetImage;
use super::style::{COLORS, GRID, INK, PAPER, Rgb, TICK, css, series};

/// Width and height of the plane, and its border.
const SIDE: [f64; 2] = [772.0, 640.0];
const BORDER: f64 = 22.0;
/// Room for the name of an axis, which lies outside.
const NAMED: f64 = 20.0;
/// Half the size of a point.
const POINT: f64 = 3.2;
/// The side of an image as a point, with its frame, and the frame's width.
const IMAGE: f64 = 34.0;
const FRAME: f64 = 2.0;
/// Pixels along the longer side of an image as a point, without the frame.
const PIXELS: usize = 60;
/// Most points.
const MOST: usize = 20_000;

/// Points in a plane, such as those of a [`TsneMap`](selvedge_train::features::TsneMap) or the first two principal
/// components, in the colours of their classes; with images in frames of these colours where there is room for them.
///
/// Classes from the eighth on have the same colours again, but are squares, and from the fifteenth on triangles. The
/// axes have no numbers: of such a map it counts which points lie together. They may have names.
///
/// ```
/// use selvedge_report::plot::Scatter;
///
/// let classes = ["bag", "coat"].map(String::from);
/// let scatter = Scatter { points: &[[0.0, 1.0], [2.0, 5.0]], labels: &[0, 1], classes: &classes, axes: None };
/// let picture = scatter.picture("Do classes lie apart?", None, &[])?;
/// assert!(picture.to_svg().contains("coat"));
/// # Ok::<(), selvedge_report::plot::PlotError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Scatter<'a> {
    /// Where each image lies: 1 to 20,000.
    pub points: &'a [[f64; 2]],
    /// The class of each of them.
    pub labels: &'a [u16],
    /// Their names: at most 21.
    pub classes: &'a [String],
    /// What stands below the plane, and at its left, if anything: what the axes are.
    pub axes: Option<[&'a str; 2]>,
}

impl Scatter<'_> {
    /// Most classes that colour and marker tell apart.
    pub const MOST_CLASSES: usize = 3 * COLORS;

    /// Draws the points. `images` are those of the first points, or none: one is drawn at its point if it does not
    /// cover one that is drawn already. Their captions are not.
    ///
    /// # Errors
    ///
    /// [`PlotError::Data`] if there are no points or classes, or too many; not as many labels as points, more images
    /// than points, a label without a class, or a point that is not finite; and as [`sheet`](super::sheet) for an
    /// image.
    pub fn picture(
        &self,
        title: &str,
        subtitle: Option<&str>,
        images: &[SheetImage<'_>],
    ) -> Result<Picture, PlotError> {
        self.check(images)?;
        let mut scene = Scene::new(SIDE[0], SIDE[1]);
        let ([left, top], [width, height]) = self.plane();
        scene.add(Primitive::Rect {
            x: left + 0.5,
            y: top + 0.5,
            width: width - 1.0,
            height: height - 1.0,
            fill: css(PAPER).into(),
            stroke: Some(css(GRID).into()),
            stroke_width: Some(1.0),
            opacity: None,
        });
        if let Some([below, beside]) = self.axes {
            let at = (left + width / 2.0, SIDE[1] - 4.0);
            let text = shorten(below, TICK, width);
            scene.add(text_at(&text, at, TICK, INK, TextAnchor::Middle));
            let at = (12.0, top + height / 2.0);
            let text = shorten(beside, TICK, height);
            scene.add(upwards(text_at(&text, at, TICK, INK, TextAnchor::Middle)));
        }
        let places = self.places();
        for (&at, &label) in places.iter().zip(self.labels) {
            scene.add(point(at, usize::from(label)));
        }
        let mut insets: Vec<Inset> = Vec::new();
        for (i, (image, &(x, y))) in images.iter().zip(&places).enumerate() {
            let near = |inset: &Inset| {
                let middle = (inset.at.0 + inset.size.0 / 2.0, inset.at.1 + inset.size.1 / 2.0);
                (middle.0 - x).abs() < IMAGE && (middle.1 - y).abs() < IMAGE
            };
            if insets.iter().any(near) {
                continue;
            }
            let raster = Raster::new(image.pixels, image.shape, PIXELS).ok_or_else(|| {
                let (shape, values) = (image.shape, image.pixels.len());
                refused(format!("image {i} has {values} values for the shape {shape:?}"))
            })?;
            let raster = framed(raster, series(usize::from(self.labels[i])));
            let corner = (x - IMAGE / 2.0, y - IMAGE / 2.0);
            insets.push(Inset::filling(raster, corner, IMAGE));
        }
        let legend = self.classes.iter().enumerate().map(|(class, name)| LegendEntry {
            label: name.clone(),
            color: css(series(class)),
            shape: LegendShape::Marker(marker(class)),
            dasharray: None,
        });
        Ok(compose_below((title, subtitle), legend.collect(), scene, insets))
    }

    /// The corner at the left top of the plane, its width and its height.
    fn plane(&self) -> ([f64; 2], [f64; 2]) {
        match self.axes {
            Some(_) => ([NAMED, 0.0], SIDE.map(|side| side - NAMED)),
            None => ([0.0, 0.0], SIDE),
        }
    }

    /// Where each point lies on the picture; both axes have the same scale.
    fn places(&self) -> Vec<(f64, f64)> {
        let ends = [0, 1].map(|axis| {
            let values: Vec<f64> = self.points.iter().map(|point| point[axis]).collect();
            extent(&values).unwrap_or((0.0, 0.0))
        });
        let (corner, sides) = self.plane();
        let room = |axis: usize| sides[axis] - 2.0 * BORDER;
        let scale = |axis: usize| room(axis) / (ends[axis].1 - ends[axis].0);
        let scale = match scale(0).min(scale(1)) {
            scale if scale.is_finite() => scale,
            // All points are one.
            _ => 0.0,
        };
        let from_middle =
            |axis: usize, value: f64| (value - (ends[axis].0 / 2.0 + ends[axis].1 / 2.0)) * scale;
        let middle = |axis: usize| corner[axis] + sides[axis] / 2.0;
        // Upwards is more.
        let place = |point: &[f64; 2]| {
            (middle(0) + from_middle(0, point[0]), middle(1) - from_middle(1, point[1]))
        };
        self.points.iter().map(place).collect()
    }

    fn check(&self, images: &[SheetImage<'_>]) -> Result<(), PlotError> {
        let (points, classes) = (self.points.len(), self.classes.len());
        for (what, count, most) in
            [("points", points, MOST), ("classes", classes, Self::MOST_CLASSES)]
        {
            if !(1..=most).contains(&count) {
                return Err(refused(format!("expected 1 to {most} {what}, got {count}")));
            }
        }
        if self.labels.len() != points {
            return Err(refused(format!(
                "there are {} labels for {points} points",
                self.labels.len()
            )));
        }
        if images.len() > points {
            return Err(refused(format!("there are {} images for {points} points", images.len())));
        }
        if let Some(label) = self.labels.iter().find(|label| usize::from(**label) >= classes) {
            return Err(refused(format!("label {label} is none of the {classes} classes")));
        }
        let drawable = |point: &[f64; 2]| point.iter().all(|value| super::panel::drawable(*value));
        match self.points.iter().position(|point| !drawable(point)) {
            Some(at) => Err(refused(format!("point {at} is NaN, infinite or too large"))),
            None => Ok(()),
        }
    }
}

/// A text turned so that it reads upwards.
fn upwards(text: Primitive) -> Primitive {
    match text {
        Primitive::Text { x, y, content, size, anchor, bold, color, .. } => {
            Primitive::Text { x, y, content, size, anchor, rotate: Some(-90.0), bold, color }
        }
        other => other,
    }
}

fn marker(class: usize) -> MarkerShape {
    [MarkerShape::Circle, MarkerShape::Square, MarkerShape::Triangle][class / COLORS % 3]
}

/// The mark of a class at a place.
fn point((x, y): (f64, f64), class: usize) -> Primitive {
    let fill: Color = css(series(class)).into();
    match marker(class) {
        MarkerShape::Square => Primitive::Rect {
            x: x - 0.9 * POINT,
            y: y - 0.9 * POINT,
            width: 1.8 * POINT,
            height: 1.8 * POINT,
            fill,
            stroke: None,
            stroke_width: None,
            opacity: Some(0.85),
        },
        MarkerShape::Triangle => {
            let (left, right, top, bottom) =
                (x - 1.2 * POINT, x + 1.2 * POINT, y - 1.3 * POINT, y + 0.9 * POINT);
            Primitive::Path(Box::new(PathData {
                d: format!("M {left:.2} {bottom:.2} L {right:.2} {bottom:.2} L {x:.2} {top:.2} Z"),
                fill: Some(fill),
                stroke: Color::None,
                stroke_width: 0.0,
                opacity: Some(0.85),
                stroke_dasharray: None,
            }))
        }
        _ => Primitive::Circle {
            cx: x,
            cy: y,
            r: POINT,
            fill,
            fill_opacity: Some(0.85),
            stroke: None,
            stroke_width: None,
        },
    }
}

/// The image with a frame of a colour, which lies over whatever the image lies over.
fn framed(image: Raster, (red, green, blue): Rgb) -> Raster {
    let longest = image.width.max(image.height) as f64;
    let frame = ((FRAME / IMAGE * longest).round() as usize).max(1);
    let (width, height) = (image.width + 2 * frame, image.height + 2 * frame);
    let mut rgb = [red, green, blue].repeat(width * height);
    for (row, pixels) in image.rgb.chunks_exact(3 * image.width).enumerate() {
        let start = 3 * ((row + frame) * width + frame);
        rgb[start..start + pixels.len()].copy_from_slice(pixels);
    }
    Raster { width, height, rgb }
}

fn refused(reason: String) -> PlotError {
    PlotError::Data { picture: "points", reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn points_lie_as_far_apart_as_they_are_with_upwards_as_more() {
        let classes = names(1);
        let points = [[0.0, 0.0], [4.0, 0.0], [0.0, 2.0], [4.0, 4.0]];
        let scatter = Scatter { points: &points, labels: &[0; 4], classes: &classes, axes: None };
        let places = scatter.places();
        assert_eq!(places[1].0 - places[0].0, 2.0 * (places[0].1 - places[2].1));
        assert!(places[3].1 < places[2].1 && places[1].1 == places[0].1);
        let same = Scatter { points: &[[7.0, 7.0]; 4], ..scatter };
        assert_eq!(same.places(), [(SIDE[0] / 2.0, SIDE[1] / 2.0); 4]);
    }

    #[test]
    fn images_have_frames_of_their_class_and_do_not_cover_each_other() {
        let classes = names(15);
        let points = [[0.0, 0.0], [0.001, 0.0], [1.0, 1.0], [2.0, 0.5]];
        let labels = &[0, 1, 8, 14];
        let scatter = Scatter { points: &points, labels, classes: &classes, axes: None };
        let image = SheetImage { pixels: &[255; 28 * 20], shape: [1, 28, 20], caption: vec![] };
        let images = vec![image; 4];
        let picture = scatter.picture("Apart?", Some("t-SNE"), &images).unwrap();
        let corners: Vec<[u8; 3]> = picture
            .insets
            .iter()
            .map(|i| [i.raster.rgb[0], i.raster.rgb[1], i.raster.rgb[2]])
            .collect();
        let expected = [0, 8, 14].map(series).map(|(red, green, blue)| [red, green, blue]);
        assert_eq!(corners, expected);
        assert!(picture.insets[0].raster.rgb.contains(&255));
        assert!(Pixels::new(&picture).border_is_clear());
        let none = scatter.picture("Apart?", None, &[]).unwrap();
        assert!(none.insets.is_empty() && none.to_svg().contains("class 14"));
    }

    #[test]
    fn the_names_of_the_axes_stand_outside_the_plane() {
        let classes = names(2);
        let points = [[0.0, 0.0], [4.0, 4.0]];
        let axes = Some(["the first component: 41.2 %", "the second component: 9.0 %"]);
        let scatter = Scatter { points: &points, labels: &[0, 1], classes: &classes, axes };
        let places = scatter.places();
        assert!(places.iter().all(|(x, y)| *x >= NAMED && *y <= SIDE[1] - NAMED));
        let picture = scatter.picture("Apart?", None, &[]).unwrap();
        let svg = picture.to_svg();
        assert!(svg.contains("first component: 41.2 %") && svg.contains("rotate(-90"), "{svg}");
        assert!(Pixels::new(&picture).border_is_clear());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_on_one_line() {
        let classes = names(22);
        let told = |points: &[[f64; 2]], labels: &[u16], classes: &[String]| {
            let scatter = Scatter { points, labels, classes, axes: None };
            let error = scatter.picture("", None, &[]).unwrap_err();
            error.to_string().strip_prefix("cannot draw the points: ").unwrap().to_owned()
        };
        assert_eq!(told(&[], &[], &classes[..1]), "expected 1 to 20000 points, got 0");
        let one = [[0.0, 0.0]];
        assert_eq!(told(&one, &[0], &classes), "expected 1 to 21 classes, got 22");
        assert_eq!(told(&one, &[], &classes[..2]), "there are 0 labels for 1 points");
        assert_eq!(told(&one, &[2], &classes[..2]), "label 2 is none of the 2 classes");
        let nan = [[0.0, f64::NAN]];
        assert_eq!(told(&nan, &[0], &classes[..1]), "point 0 is NaN, infinite or too large");
    }
}
