//! Images over what became of them.

use std::borrow::Cow;

use burn::tensor::Tensor;
use kuva::render::render::{Scene, TextAnchor};
use selvedge_data::View;

use super::inset::{Inset, Raster, compose_with};
use super::page::{shorten, text_at, text_width};
use super::picture::{Picture, PlotError};
use super::style::{INK, LABEL, MUTED, TICK, least_width};

/// Most images in a row, and most rows.
const MOST_IMAGES: usize = 100;
const MOST_ROWS: usize = 10;
/// Images side by side, unless it is said otherwise, and at most.
const ACROSS: usize = 10;
const MOST_ACROSS: usize = 20;
/// Width of a column, and the side of the square that an image fills.
const COLUMN: f64 = 76.0;
const IMAGE: f64 = 70.0;
/// Between rows.
const GAP: f64 = 6.0;
/// The line above a column.
const ABOVE: f64 = 18.0;
/// Between the last row and the images that begin again.
const BETWEEN: f64 = 14.0;
/// The widest name of a row.
const NAME: f64 = 130.0;
/// Pixels along the longer side of what is drawn.
const PIXELS: usize = 256;

/// The same images in several states, one row below the other: originals over reconstructions, say.
/// [`of`](Self::of) begins with the images of a view.
///
/// ```
/// use selvedge_report::plot::{ImageRow, ImageRows, ImageValues};
///
/// let rows = ImageRows {
///     shape: [1, 1, 2],
///     labels: vec!["bag".into(), "coat".into()],
///     rows: vec![
///         ImageRow { name: "original".into(), values: ImageValues::Bytes(&[0, 255, 255, 0]) },
///         ImageRow { name: "reconstructed".into(), values: ImageValues::Unit(&[0.1, 0.8, 0.9, 0.0]) },
///     ],
///     across: 10,
/// };
/// let picture = rows.picture("What does the autoencoder keep?", None)?;
/// assert!(picture.to_svg().contains("reconstructed"));
/// # Ok::<(), selvedge_report::plot::PlotError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageRows<'a> {
    /// `[channels, height, width]` of every image: one channel (grey), or three (red, green, blue).
    pub shape: [usize; 3],
    /// What stands above each image: 1 to 100 of them.
    pub labels: Vec<String>,
    /// From the top down: 1 to 10.
    pub rows: Vec<ImageRow<'a>>,
    /// How many images stand side by side, 1 to 20; more of them begin again below.
    pub across: usize,
}

/// The images of a row.
#[derive(Clone, Debug)]
pub struct ImageRow<'a> {
    /// What stands before it.
    pub name: String,
    /// The images one after the other, as many as there are labels.
    pub values: ImageValues<'a>,
}

/// Values of images, `[image, channel, row, column]` row-major.
#[derive(Clone, Copy, Debug)]
pub enum ImageValues<'a> {
    /// 0 to 255.
    Bytes(&'a [u8]),
    /// All images of a view.
    View(&'a View),
    /// 0 to 1; what lies outside is drawn as the nearer of the two.
    Unit(&'a [f32]),
}

impl<'a> ImageRows<'a> {
    /// The images of a view as the row `original`, ten side by side, each below the name of its class.
    /// [`with`](Self::with) adds what became of them.
    ///
    /// ```
    /// use selvedge_data::ImageDataset;
    /// use selvedge_report::plot::ImageRows;
    ///
    /// let classes = vec!["bag".to_owned(), "coat".to_owned()];
    /// let images = ImageDataset::new("t", vec![0, 255, 255, 0], [1, 1, 2], vec![0, 1], classes)?.view();
    /// let rows = ImageRows::of(&images).with("reconstructed", &[0.1, 0.8, 0.9, 0.0]);
    /// assert_eq!(rows.labels, ["bag", "coat"]);
    /// let picture = rows.picture("What does the autoencoder keep?", None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(view: &'a View) -> Self {
        let name = |label: &u16| view.classes()[usize::from(*label)].clone();
        let original = ImageRow { name: "original".into(), values: ImageValues::View(view) };
        Self {
            shape: view.shape(),
            labels: view.labels().iter().map(name).collect(),
            rows: vec![original],
            across: ACROSS,
        }
    }

    /// The same with a row more at the bottom, of values from 0 to 1.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, values: &'a [f32]) -> Self {
        self.rows.push(ImageRow { name: name.into(), values: ImageValues::Unit(values) });
        self
    }

    /// Draws the rows. With a title the picture is at least as wide as others are; without one it is no wider than it
    /// has to be.
    ///
    /// # Errors
    ///
    /// [`PlotError::Data`] if there are no images or rows, or too many; for a row that has not as many values as the
    /// images and their shape say, or one that is not finite; and for a shape that is neither grey nor color.
    pub fn picture(&self, title: &str, subtitle: Option<&str>) -> Result<Picture, PlotError> {
        let bytes = self.checked()?;
        let names = self.rows.iter().map(|row| shorten(&row.name, LABEL, NAME));
        let names: Vec<String> = names.collect();
        let left = names.iter().map(|name| text_width(name, LABEL)).fold(0.0, f64::max) + 12.0;
        let across = self.labels.len().min(self.across);
        let width = left + across as f64 * COLUMN;
        let mut scene = Scene::new(width.max(least_width(title)), 0.0);
        let (mut insets, size) = (Vec::new(), self.shape.iter().product::<usize>());
        for (block, labels) in self.labels.chunks(self.across).enumerate() {
            let mut top = scene.height + if block == 0 { 0.0 } else { BETWEEN };
            for (column, label) in labels.iter().enumerate() {
                let at = (left + column as f64 * COLUMN + IMAGE / 2.0, top + ABOVE - 6.0);
                let text = shorten(label, TICK, COLUMN - 4.0);
                scene.add(text_at(&text, at, TICK, INK, TextAnchor::Middle));
            }
            top += ABOVE;
            for (name, bytes) in names.iter().zip(&bytes) {
                let middle = top + IMAGE / 2.0 + 0.36 * f64::from(LABEL);
                scene.add(text_at(name, (left - 12.0, middle), LABEL, MUTED, TextAnchor::End));
                for column in 0..labels.len() {
                    let image = block * self.across + column;
                    let pixels = &bytes[image * size..(image + 1) * size];
                    let raster = Raster::new(pixels, self.shape, PIXELS).ok_or_else(|| {
                        refused(format!("images of the shape {:?} are no pictures", self.shape))
                    })?;
                    let at = (left + column as f64 * COLUMN, top);
                    insets.push(Inset::within(raster, at, IMAGE));
                }
                top += IMAGE + GAP;
            }
            scene.height = top;
        }
        Ok(compose_with(title, subtitle, scene, insets))
    }

    /// The rows as bytes.
    fn checked(&self) -> Result<Vec<Cow<'_, [u8]>>, PlotError> {
        let images = self.labels.len();
        let counts = [
            ("images", images, MOST_IMAGES),
            ("rows", self.rows.len(), MOST_ROWS),
            ("images side by side", self.across, MOST_ACROSS),
        ];
        for (what, count, most) in counts {
            if !(1..=most).contains(&count) {
                return Err(refused(format!("expected 1 to {most} {what}, got {count}")));
            }
        }
        let mut sides = [images].into_iter().chain(self.shape);
        let expected = sides.try_fold(1_usize, |size, side| size.checked_mul(side));
        let bytes = self.rows.iter().enumerate().map(|(i, row)| {
            let (count, finite) = match row.values {
                ImageValues::Bytes(bytes) => (bytes.len(), true),
                ImageValues::View(view) => {
                    (view.len() * view.shape().iter().product::<usize>(), true)
                }
                ImageValues::Unit(values) => (values.len(), values.iter().all(|v| v.is_finite())),
            };
            if Some(count) != expected {
                let shape = self.shape;
                let reason = format!("row {i} has {count} values for {images} images of {shape:?}");
                return Err(refused(reason));
            }
            if !finite {
                return Err(refused(format!("row {i} has values that are not finite")));
            }
            Ok(match row.values {
                ImageValues::Bytes(bytes) => Cow::Borrowed(bytes),
                ImageValues::View(view) => {
                    Cow::Owned((0..view.len()).flat_map(|i| view.image(i)).copied().collect())
                }
                ImageValues::Unit(values) => {
                    Cow::Owned(values.iter().copied().map(unit_byte).collect())
                }
            })
        });
        bytes.collect()
    }
}

/// Values from 0 to 1 as the bytes of pixels, for [`SheetImage`](super::SheetImage) and [`ImageValues::Bytes`]; what
/// lies outside becomes the nearer of the two.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_report::plot::pixels;
///
/// let values = Tensor::<2>::from_floats([[0.0, 0.2], [1.0, 1.5]], &Device::flex());
/// assert_eq!(pixels(values), [0, 51, 255, 255]);
/// ```
pub fn pixels<const D: usize>(values: Tensor<D>) -> Vec<u8> {
    values.into_data().iter::<f32>().map(unit_byte).collect()
}

fn unit_byte(value: f32) -> u8 {
    (255.0 * value.clamp(0.0, 1.0)).round() as u8
}

fn refused(reason: String) -> PlotError {
    PlotError::Data { picture: "rows of images", reason }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;
    use crate::plot::testing::Pixels;

    fn row<'a>(name: &str, values: ImageValues<'a>) -> ImageRow<'a> {
        ImageRow { name: name.into(), values }
    }

    fn labels(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("label {i} $ <b>")).collect()
    }

    #[test]
    fn values_from_0_to_1_are_drawn_as_the_bytes_that_they_stand_for() {
        let (bytes, values) = ([0, 51, 255, 255], [-3.0, 0.2, 1.0, 7.5]);
        let rows = vec![
            row("original", ImageValues::Bytes(&bytes)),
            row("noisy", ImageValues::Unit(&values)),
        ];
        let rows = ImageRows { shape: [1, 1, 2], labels: labels(2), rows, across: 10 };
        let picture = rows.picture("", None).unwrap();
        let drawn: Vec<&Raster> = picture.insets.iter().map(|inset| &inset.raster).collect();
        assert_eq!(drawn[0].rgb, [0, 0, 0, 51, 51, 51]);
        assert_eq!(drawn[..2], drawn[2..]);
        let svg = picture.to_svg();
        assert!(svg.contains(">original<") && svg.contains(">noisy<") && svg.contains(">label 0"));
    }

    #[test]
    fn the_images_of_a_view_are_drawn_in_its_order_below_their_classes() {
        let classes = vec!["bag".to_owned(), "coat".to_owned()];
        let data = ImageDataset::new("t", vec![0, 51, 102, 255], [1, 1, 2], vec![0, 1], classes);
        let view = data.unwrap().view().take(&[1, 0]).unwrap();
        let picture = ImageRows::of(&view).with("same", &[0.4, 1.0, 0.0, 0.2]).picture("", None);
        let picture = picture.unwrap();
        let drawn: Vec<&Raster> = picture.insets.iter().map(|inset| &inset.raster).collect();
        assert_eq!(drawn[0].rgb, [102, 102, 102, 255, 255, 255]);
        assert_eq!(drawn[..2], drawn[2..]);
        let svg = picture.to_svg();
        assert!(svg.find(">coat<").unwrap() < svg.find(">bag<").unwrap());
        assert!(svg.contains(">original<") && svg.contains(">same<"));
    }

    #[test]
    fn images_of_a_column_stand_below_each_other_in_color_and_begin_again_after_ten() {
        let pixels: Vec<u8> = (0..23 * 3 * 4).map(|i| (i % 251) as u8).collect();
        let names = ["original", "a name that is longer than there is room for it"];
        let rows = names.map(|name| row(name, ImageValues::Bytes(&pixels)));
        let rows = rows.to_vec();
        let rows = ImageRows { shape: [3, 2, 2], labels: labels(23), rows, across: 10 };
        let picture = rows.picture(&"Title ".repeat(40), Some("below")).unwrap();
        assert_eq!(picture.insets.len(), 46);
        for (original, below) in [(0, 10), (9, 19), (20, 30), (40, 43), (42, 45)] {
            let [a, b] = [original, below].map(|at| &picture.insets[at]);
            assert_eq!((&a.raster, a.at.0), (&b.raster, b.at.0));
            assert_eq!(a.at.1 + IMAGE + GAP, b.at.1);
        }
        // Red, green and blue of the first pixel lie four values apart.
        assert_eq!(picture.insets[0].raster.rgb[..3], [0, 4, 8]);
        assert!(Pixels::new(&picture).border_is_clear());
        assert!(!picture.to_svg().contains("<b>"));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_on_one_line() {
        let message = |shape, n, values: &[f32], rows: usize| {
            let rows = vec![row("a", ImageValues::Unit(values)); rows];
            let rows = ImageRows { shape, labels: labels(n), rows, across: 10 };
            let error = rows.picture("", None).unwrap_err().to_string();
            error.strip_prefix("cannot draw the rows of images: ").unwrap().to_owned()
        };
        assert_eq!(message([1, 1, 1], 0, &[], 1), "expected 1 to 100 images, got 0");
        assert_eq!(message([1, 1, 1], 1, &[0.0], 11), "expected 1 to 10 rows, got 11");
        assert_eq!(
            message([1, 2, 2], 2, &[0.0; 7], 2),
            "row 0 has 7 values for 2 images of [1, 2, 2]"
        );
        assert_eq!(message([1, 1, 1], 1, &[f32::NAN], 1), "row 0 has values that are not finite");
        let two = "images of the shape [2, 1, 1] are no pictures";
        assert_eq!(message([2, 1, 1], 1, &[0.0; 2], 1), two);
        assert!(message([1, usize::MAX, 2], 1, &[0.0], 1).starts_with("row 0 has 1 values"));
    }
}
