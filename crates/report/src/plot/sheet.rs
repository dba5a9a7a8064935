//! Images side by side, with what there is to say about each.

use kuva::render::render::{Scene, TextAnchor};
use selvedge_data::View;
use selvedge_train::{Predictions, Verdict};

use super::confusion::per_cent;
use super::inset::{Inset, Raster, compose_with};
use super::page::{shorten, text_at};
use super::picture::{Picture, PlotError};
use super::style::{INK, MUTED, TICK};

/// Images in a row, unless it is said otherwise.
const ACROSS: usize = 5;
/// Most images in a row: there is room for a word below each.
const MOST_ACROSS: usize = 10;
/// Most images on a sheet.
const MOST_IMAGES: usize = 200;
/// Width of a row: with five images a title has room.
const ROW: f64 = 772.0;
/// Share of a column that an image may fill.
const FILLED: f64 = 0.8291;
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

impl<'a> SheetImage<'a> {
    /// The images of a view in their order, each with the name of its class below it.
    pub fn all(view: &'a View) -> Vec<Self> {
        let image = |position| Self {
            pixels: view.image(position),
            shape: view.shape(),
            caption: vec![view.classes()[usize::from(view.label(position))].clone()],
        };
        (0..view.len()).map(image).collect()
    }
}

/// The positions of the first `each` images of every class in a view, class by class, for pictures that show some of
/// each. A class that has fewer gives those.
pub fn first_of_each_class(view: &View, each: usize) -> Vec<usize> {
    let of_class = |class: usize| {
        let labels = view.labels().iter().enumerate();
        let found = labels.filter(move |(_, label)| usize::from(**label) == class);
        found.map(|(position, _)| position).take(each)
    };
    (0..view.num_classes()).flat_map(of_class).collect()
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
    grid(title, subtitle, ACROSS, images)
}

/// As [`sheet`], in rows of `across` images: at most ten. The fewer there are, the larger they are.
///
/// # Errors
///
/// As [`sheet`], and for rows of no image or of more than ten.
pub fn grid(
    title: &str,
    subtitle: Option<&str>,
    across: usize,
    images: &[SheetImage<'_>],
) -> Result<Picture, PlotError> {
    let refuse = |reason| PlotError::Data { picture: PICTURE, reason };
    if !(1..=MOST_ACROSS).contains(&across) {
        return Err(refuse(format!("expected rows of 1 to {MOST_ACROSS} images, got {across}")));
    }
    let column = ROW / across as f64;
    // The square that an image fills.
    let side = (column * FILLED).floor();
    if !(1..=MOST_IMAGES).contains(&images.len()) {
        return Err(refuse(format!("expected 1 to {MOST_IMAGES} images, got {}", images.len())));
    }
    let mut insets = Vec::new();
    let mut scene = Scene::new(ROW, 0.0);
    for (row, images) in images.chunks(across).enumerate() {
        let lines = images.iter().map(|image| image.caption.len()).max().unwrap_or(0);
        let top = scene.height + if row == 0 { 4.0 } else { BETWEEN };
        for (place, image) in images.iter().enumerate() {
            let raster = Raster::new(image.pixels, image.shape, PIXELS).ok_or_else(|| {
                let (i, shape, pixels) = (row * across + place, image.shape, image.pixels.len());
                refuse(format!("image {i} has {pixels} values for the shape {shape:?}"))
            })?;
            let left = place as f64 * column;
            insets.push(Inset::within(raster, (left, top), side));
            caption(&mut scene, image, (left, top + side), column - 8.0);
        }
        scene.height = top + side + lines as f64 * LINE + 4.0;
    }
    Ok(compose_with(title, subtitle, scene, insets))
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
    check(view, predictions)?;
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

/// Draws the first `n` images in rows of `across`, with their class and the class that is predicted. `view` has the
/// images of the predictions, in their order.
///
/// # Errors
///
/// [`PlotError::Data`] if the view has another number of images than the predictions, and as [`grid`].
pub fn predicted_images(
    title: &str,
    view: &View,
    predictions: &Predictions,
    n: usize,
    across: usize,
) -> Result<Picture, PlotError> {
    check(view, predictions)?;
    let (classes, predicted) = (predictions.classes(), predictions.predicted());
    let image = |i: usize| {
        let [truth, taken] = [usize::from(view.label(i)), predicted[i]].map(|at| &classes[at]);
        let caption = vec![format!("truth: {truth}"), format!("prediction: {taken}")];
        SheetImage { pixels: view.image(i), shape: view.shape(), caption }
    };
    let images: Vec<SheetImage<'_>> = (0..n.min(view.len())).map(image).collect();
    grid(title, None, across, &images)
}

/// Refuses predictions of other images.
fn check(view: &View, predictions: &Predictions) -> Result<(), PlotError> {
    if view.labels() != predictions.labels() {
        let reason = "the predictions are not those of its images".into();
        return Err(PlotError::Data { picture: PICTURE, reason });
    }
    Ok(())
}

fn lines(verdict: &Verdict, classes: &[String]) -> Vec<String> {
    let taken = match verdict.predicted == verdict.truth {
        true => "recognized".to_string(),
        false => format!("taken for {}", classes[verdict.predicted]),
    };
    let name = &classes[verdict.truth];
    let sure = per_cent(verdict.confidence);
    vec![name.clone(), taken, format!("{sure}, loss {:.2}", verdict.loss)]
}

fn caption(scene: &mut Scene, image: &SheetImage<'_>, (left, top): (f64, f64), width: f64) {
    for (i, line) in image.caption.iter().enumerate() {
        let text = shorten(line, TICK, width);
        let color = if i == 0 { INK } else { MUTED };
        let at = (left, top + (i + 1) as f64 * LINE);
        scene.add(text_at(&text, at, TICK, color, TextAnchor::Start));
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;
    use crate::plot::style::MARGIN;
    use crate::plot::testing::Pixels;

    fn of(pixels: &[u8], shape: [usize; 3]) -> SheetImage<'_> {
        SheetImage { pixels, shape, caption: vec!["a".into(), "line $ <b>".repeat(20)] }
    }

    #[test]
    fn an_image_is_drawn_with_its_colors() {
        // Red, green, blue and white, as [channel, row, column].
        let pixels = [255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255];
        let picture = sheet("", None, &[of(&pixels, [3, 2, 2])]).unwrap();
        let png = Pixels::new(&picture);
        for (color, (left, above)) in [
            ((255, 0, 0), (true, true)),
            ((0, 255, 0), (false, true)),
            ((0, 0, 255), (true, false)),
        ] {
            let found = png.find(color, 0..png.size.0);
            // A quarter of 256 × 256.
            assert_eq!(found.len(), 128 * 128, "{color:?}");
            let (x, y) = found[0];
            let middle = (28 + 128, found_top(&png) + 128);
            assert_eq!((x < middle.0, y < middle.1), (left, above), "{color:?}");
        }
        // The same as a file within the SVG: its signature in base64.
        assert_eq!(picture.to_svg().matches("data:image/png;base64,iVBORw0KGgo").count(), 1);
    }

    fn found_top(png: &Pixels) -> u32 {
        png.find((255, 0, 0), 0..png.size.0)[0].1
    }

    #[test]
    fn images_of_any_shape_are_whole_and_nothing_is_clipped() {
        let pixels = vec![90; 3 * 300 * 400];
        let shapes = [[3, 300, 400], [1, 1, 1], [1, 64, 4], [3, 1, 1000], [1, 28, 28], [1, 129, 5]];
        let images: Vec<_> = shapes.iter().map(|s| of(&pixels[..s.iter().product()], *s)).collect();
        let picture = sheet(&"Title ".repeat(40), Some("below"), &images).unwrap();
        assert_eq!(picture.insets.len(), shapes.len());
        for (i, inset) in picture.insets.iter().enumerate() {
            let (column, (width, height)) = ((i % ACROSS) as f64, inset.size);
            let left = MARGIN + column * ROW / 5.0;
            assert!(inset.at.0 >= left && inset.at.0 + width <= left + 128.5, "{i}");
            assert!(height <= 128.0 && width.max(height) > 64.0, "{i}");
        }
        let png = Pixels::new(&picture);
        assert_eq!((png.size, png.size.0), (picture.size(), 1600));
        assert!(png.border_is_clear());
    }

    #[test]
    fn what_is_no_image_is_refused_by_its_number() {
        let message = |images: &[SheetImage<'_>]| {
            let error = sheet("", None, images).unwrap_err().to_string();
            error.strip_prefix("cannot draw the sheet of images: ").unwrap().to_string()
        };
        assert_eq!(message(&[]), "expected 1 to 200 images, got 0");
        let good = || of(&[0], [1, 1, 1]);
        assert_eq!(message(&vec![good(); 201]), "expected 1 to 200 images, got 201");
        let two = of(&[0, 0], [2, 1, 1]);
        assert_eq!(message(&[good(), two]), "image 1 has 2 values for the shape [2, 1, 1]");
    }

    #[test]
    fn rows_are_as_long_as_asked_and_their_images_as_large_as_fits() {
        let pixels = [90; 28 * 28];
        let images = vec![of(&pixels, [1, 28, 28]); 12];
        for (across, rows) in [(1, 12), (3, 4), (5, 3), (10, 2)] {
            let picture = grid("Rows", None, across, &images).unwrap();
            let tops: std::collections::BTreeSet<u64> =
                picture.insets.iter().map(|inset| inset.at.1 as u64).collect();
            assert_eq!(tops.len(), rows, "{across}");
            let column = ROW / across as f64;
            let (first, second) = (&picture.insets[0], &picture.insets[1]);
            assert!(first.size.0 > 0.7 * column && first.size.0 <= 0.83 * column, "{across}");
            assert!(across == 1 || (second.at.0 - first.at.0 - column).abs() <= 1.0, "{across}");
            assert_eq!(picture.size().0, 1600);
            assert!(across == 1 || Pixels::new(&picture).border_is_clear());
        }
        for across in [0, 11] {
            let error = grid("", None, across, &images).unwrap_err().to_string();
            let reason = format!("expected rows of 1 to 10 images, got {across}");
            assert_eq!(error, format!("cannot draw the sheet of images: {reason}"));
        }
    }

    fn view(labels: Vec<u16>) -> View {
        let pixels = (0..labels.len()).flat_map(|i| [40 * i as u8; 4]).collect();
        let classes = ["cat", "dog"].map(String::from).to_vec();
        ImageDataset::new("t", pixels, [1, 2, 2], labels, classes).unwrap().view()
    }

    #[test]
    fn the_worst_images_come_first_with_truth_prediction_and_loss() {
        let view = view(vec![0, 1, 0]);
        let logits = vec![1.0, 0.0, 3.0, 0.0, 0.0, 1.0];
        let found = Predictions::new(view.classes(), view.labels().to_vec(), logits).unwrap();
        let picture = worst_images("", &view, &found, 2).unwrap();
        let greys: Vec<u8> = picture.insets.iter().map(|inset| inset.raster.rgb[0]).collect();
        assert_eq!(greys, [40, 80]);
        let svg = picture.to_svg();
        // softmax of 3 and 0 is .9526, -ln(.0474) = 3.0486
        for text in [">dog<", ">taken for cat<", ">95.3 %, loss 3.05<"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(worst_images("", &view, &found, 9).unwrap().insets.len(), 3);
        assert!(worst_images("", &view, &found, 0).is_err());
    }

    #[test]
    fn the_first_images_have_their_class_and_the_predicted_one() {
        let view = view(vec![0, 1, 0]);
        let logits = vec![1.0, 0.0, 3.0, 0.0, 0.0, 1.0];
        let found = Predictions::new(view.classes(), view.labels().to_vec(), logits).unwrap();
        let picture = predicted_images("", &view, &found, 2, 3).unwrap();
        let greys: Vec<u8> = picture.insets.iter().map(|inset| inset.raster.rgb[0]).collect();
        assert_eq!(greys, [0, 40]);
        let svg = picture.to_svg();
        for (text, count) in [("truth: cat", 1), ("truth: dog", 1), ("prediction: cat", 2)] {
            assert_eq!(svg.matches(text).count(), count, "{text}");
        }
        assert_eq!(predicted_images("", &view, &found, 9, 3).unwrap().insets.len(), 3);
    }

    #[test]
    fn predictions_of_other_images_are_refused() {
        let (view, other) = (view(vec![0, 1]), view(vec![1, 1]));
        let labels = other.labels().to_vec();
        let found = Predictions::new(other.classes(), labels, vec![0.0; 4]).unwrap();
        let worst = worst_images("", &view, &found, 1).unwrap_err().to_string();
        let reason = "the predictions are not those of its images";
        assert_eq!(worst, format!("cannot draw the sheet of images: {reason}"));
        let first = predicted_images("", &view, &found, 1, 1).unwrap_err().to_string();
        assert_eq!(first, worst);
    }
}
