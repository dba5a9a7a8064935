//! Images side by side, with what there is to say about each.

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use selvedge_data::View;
use selvedge_train::{Predictions, Verdict};

use super::inset::{Inset, Raster};
use super::page::{compose, shorten, text_at};
use super::picture::{Picture, PlotError};
use super::style::{INK, MARGIN, MUTED, TICK, css};

/// Images in a row.
const ACROSS: usize = 5;
/// Most images on a sheet.
const MOST_IMAGES: usize = 200;
/// Width of a column.
const COLUMN: f64 = 154.4;
/// Side of the square that an image fills.
const IMAGE: f64 = 128.0;
/// From one line of text to the next.
const LINE: f64 = 16.0;
/// Between rows.
const BETWEEN: f64 = 14.0;
/// Pixels along the longer side of what is drawn: those of a PNG.
const PIXELS: usize = 256;
const PICTURE: &str = "sheet of images";

/// An image and the lines below it.
#[derive(Clone, Debug)]
pub struct SheetImage<'a> {
    /// `[channel, row, column]` row-major, as [`View::image`] gives them.
    pub pixels: &'a [u8],
    /// `[channels, height, width]`: one channel (grey), or three (red, green, blue).
    pub shape: [usize; 3],
    /// One line below the image each; a longer one is shortened.
    pub caption: Vec<String>,
}

/// Draws images in rows of five, each with its caption below it.
///
/// The pixels of a small image are sharp squares; a large one is shrunk to 256 pixels. The picture is
/// 1600 pixels wide.
///
/// # Errors
///
/// [`PlotError::Data`] if there are no images, more than 200, or one that has neither one nor three
/// channels, no pixels, or not as many as its shape says.
pub fn sheet(
    title: &str,
    subtitle: Option<&str>,
    images: &[SheetImage<'_>],
) -> Result<Picture, PlotError> {
    let refuse = |reason| PlotError::Data { picture: PICTURE, reason };
    if !(1..=MOST_IMAGES).contains(&images.len()) {
        return Err(refuse(format!("expected 1 to {MOST_IMAGES} images, got {}", images.len())));
    }
    let mut insets = Vec::new();
    // Always as wide as five images, so that a title has room.
    let mut scene = Scene::new(ACROSS as f64 * COLUMN, 0.0);
    for (row, images) in images.chunks(ACROSS).enumerate() {
        let lines = images.iter().map(|image| image.caption.len()).max().unwrap_or(0);
        let top = scene.height + if row == 0 { 4.0 } else { BETWEEN };
        for (column, image) in images.iter().enumerate() {
            let raster = Raster::new(image.pixels, image.shape, PIXELS).ok_or_else(|| {
                let (i, shape, pixels) = (row * ACROSS + column, image.shape, image.pixels.len());
                refuse(format!("image {i} has {pixels} values for the shape {shape:?}"))
            })?;
            let left = column as f64 * COLUMN;
            insets.push(inset(raster, (left, top)));
            caption(&mut scene, image, (left, top + IMAGE));
        }
        scene.height = top + IMAGE + lines as f64 * LINE + 4.0;
    }
    for inset in &insets {
        frame(&mut scene, inset);
    }
    let height = scene.height;
    scene.font_family = super::square::font();
    let mut picture = compose(title, subtitle, Vec::new(), vec![scene]);
    // The part is the last on the page.
    let above = picture.scene.height - MARGIN / 2.0 - height;
    for inset in &mut insets {
        inset.at = (inset.at.0 + MARGIN, inset.at.1 + above);
    }
    picture.insets = insets;
    Ok(picture)
}

/// Draws the `n` images of greatest loss, with their class, the predicted class, its probability and the
/// loss. `view` has the images of the predictions, in their order.
///
/// # Errors
///
/// [`PlotError::Data`] if the view has another number of images than the predictions, and as [`sheet`].
pub fn worst_images(
    title: &str,
    view: &View,
    predictions: &Predictions,
    n: usize,
) -> Result<Picture, PlotError> {
    if view.labels() != predictions.labels() {
        let reason = "the predictions are not those of its images".into();
        return Err(PlotError::Data { picture: PICTURE, reason });
    }
    let images: Vec<SheetImage<'_>> = predictions
        .worst(n)
        .iter()
        .map(|verdict| SheetImage {
            pixels: view.image(verdict.position),
            shape: view.shape(),
            caption: lines(verdict, predictions.classes()),
        })
        .collect();
    let subtitle = "Below each image: its class, the class it was taken for with its probability, \
                    and the loss in nats.";
    sheet(title, Some(subtitle), &images)
}

fn lines(verdict: &Verdict, classes: &[String]) -> Vec<String> {
    let percent = 100.0 * verdict.confidence;
    let outcome = match verdict.predicted == verdict.truth {
        true => "rightly predicted".to_string(),
        false => format!("not {}", classes[verdict.predicted]),
    };
    let name = &classes[verdict.truth];
    vec![name.clone(), outcome, format!("{percent:.1} %, loss {:.2}", verdict.loss)]
}

/// The image in the middle of its square, as large as it can be with all pixels of one size.
fn inset(raster: Raster, (left, top): (f64, f64)) -> Inset {
    let longest = raster.width.max(raster.height) as f64;
    // A unit is two pixels of a PNG.
    let pixel = match longest {
        ..=IMAGE => (2.0 * IMAGE / longest).floor() / 2.0,
        _ => IMAGE / longest,
    };
    let size = (raster.width as f64 * pixel, raster.height as f64 * pixel);
    let at = (left + ((IMAGE - size.0) / 2.0).round(), top + ((IMAGE - size.1) / 2.0).round());
    Inset { raster, at, size }
}

/// A line around an image, which may be as white as the page.
fn frame(scene: &mut Scene, inset: &Inset) {
    scene.add(Primitive::Rect {
        x: inset.at.0 - 0.5,
        y: inset.at.1 - 0.5,
        width: inset.size.0 + 1.0,
        height: inset.size.1 + 1.0,
        fill: Color::None,
        stroke: Some(css(MUTED).into()),
        stroke_width: Some(1.0),
        opacity: None,
    });
}

fn caption(scene: &mut Scene, image: &SheetImage<'_>, (left, top): (f64, f64)) {
    for (i, line) in image.caption.iter().enumerate() {
        let text = shorten(line, TICK, COLUMN - 8.0);
        let color = if i == 0 { INK } else { MUTED };
        let at = (left, top + (i + 1) as f64 * LINE);
        scene.add(text_at(&text, at, TICK, color, TextAnchor::Start));
    }
}
