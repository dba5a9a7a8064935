//! Images beside what methods point at in them.

use burn::tensor::Tensor;
use kuva::render::render::{Scene, TextAnchor};

use super::inset::{Inset, Raster, compose_with};
use super::page::{shorten, text_at, text_width, words};
use super::picture::{Picture, PlotError};
use super::sheet::SheetImage;
use super::style::{INK, MUTED, PAPER, Rgb, SUBTITLE, TICK, least_width, series};

/// Most images, and most methods.
const MOST_IMAGES: usize = 50;
const MOST_METHODS: usize = 12;
/// Width of a column, and the side of the square that an image fills.
const COLUMN: f64 = 102.0;
const IMAGE: f64 = 96.0;
/// Between rows.
const GAP: f64 = 8.0;
/// From one line of text to the next.
const LINE: f64 = 15.0;
/// Lines of a method's name, at most.
const NAME_LINES: usize = 2;
/// The widest line beside an image.
const CAPTION: f64 = 170.0;
/// Pixels along the longer side of what is drawn.
const PIXELS: usize = 256;
/// The scale below: its height, and its width beside the words.
const BAR: f64 = 12.0;
const BAR_WIDTH: f64 = 220.0;
/// How much of an image is left below its map, so that colours can be told on it.
const FAINT: f64 = 0.22;

/// Images in rows with a column for each method that says which pixels matter, drawn over the faint grey image.
///
/// What speaks for the class is orange, what speaks against it blue, the stronger the farther from 0: colours that people
/// with any kind of colour vision can tell apart. Every map is drawn relative to its own largest absolute value, as the
/// units of two methods are not the same; with that there is one scale for all of them, which stands below.
///
/// ```
/// use selvedge_report::plot::{ContactSheet, MethodMaps, SheetImage};
///
/// let image = SheetImage { pixels: &[0, 90, 180, 255], shape: [1, 2, 2], caption: vec!["bag".into()] };
/// let saliency = MethodMaps { name: "saliency".into(), values: vec![0.0, 0.5, -1.0, 0.25] };
/// let sheet = ContactSheet { images: vec![image], methods: vec![saliency] };
/// let picture = sheet.picture("Which pixels make it a bag?", None)?;
/// assert!(picture.to_svg().contains("saliency"));
/// # Ok::<(), selvedge_report::plot::PlotError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContactSheet<'a> {
    /// From the top down: 1 to 50, of any size. The lines of the caption stand before one.
    pub images: Vec<SheetImage<'a>>,
    /// From the left to the right: 1 to 12.
    pub methods: Vec<MethodMaps>,
}

/// What a method says of every image.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodMaps {
    /// Its name.
    pub name: String,
    /// One map of one channel for each image in its height and width, one after the other, row-major.
    pub values: Vec<f32>,
}

impl MethodMaps {
    /// The maps of a method, `[images, 1, height, width]`, in the size of the images; of several channels their sum, which
    /// is what a pixel says as a whole.
    pub fn new(name: impl Into<String>, maps: Tensor<4>) -> Self {
        let values = maps.sum_dim(1).into_data().iter::<f32>().collect();
        Self { name: name.into(), values }
    }
}

impl ContactSheet<'_> {
    /// Draws the sheet.
    ///
    /// # Errors
    ///
    /// [`PlotError::Data`] if there are no images or methods, or too many; for a method that has not one value for each
    /// pixel, or one that is not finite; and for images as [`sheet`](super::sheet) refuses them.
    pub fn picture(&self, title: &str, subtitle: Option<&str>) -> Result<Picture, PlotError> {
        self.check()?;
        let captions = self.images.iter().flat_map(|image| &image.caption);
        let captions = captions.map(|line| text_width(&shorten(line, TICK, CAPTION), TICK));
        let left = captions.fold(0.0, f64::max) + 12.0;
        let columns = 1 + self.methods.len();
        let width = left + columns as f64 * COLUMN;
        let mut scene = Scene::new(width.max(least_width(title)), 0.0);
        let names: Vec<Vec<String>> =
            self.methods.iter().map(|method| in_lines(&method.name)).collect();
        let lines = names.iter().map(Vec::len).max().unwrap_or(0);
        let head = lines as f64 * LINE + 6.0;
        for (column, name) in names.iter().enumerate() {
            let middle = left + (column + 1) as f64 * COLUMN + IMAGE / 2.0;
            for (i, line) in name.iter().enumerate() {
                // The last line stands directly above the maps.
                let at = head - 8.0 - (name.len() - 1 - i) as f64 * LINE;
                scene.add(text_at(line, (middle, at), TICK, INK, TextAnchor::Middle));
            }
        }
        let (mut insets, mut top, mut start) = (Vec::new(), head, 0);
        for (i, image) in self.images.iter().enumerate() {
            let [_, height, width] = image.shape;
            let raster = |pixels: &[u8], most| {
                Raster::new(pixels, image.shape, most).ok_or_else(|| {
                    let (shape, values) = (image.shape, image.pixels.len());
                    refused(format!("image {i} has {values} values for the shape {shape:?}"))
                })
            };
            insets.push(Inset::within(raster(image.pixels, PIXELS)?, (left, top), IMAGE));
            let whole = raster(image.pixels, usize::MAX)?;
            for (column, method) in self.methods.iter().enumerate() {
                let map = &method.values[start..start + height * width];
                let colors = over(&whole, map);
                let colors = Raster::new(&colors, [3, height, width], PIXELS);
                let colors = colors.expect("it has the shape of the image");
                let at = (left + (column + 1) as f64 * COLUMN, top);
                insets.push(Inset::within(colors, at, IMAGE));
            }
            self.caption(&mut scene, i, (left - 12.0, top));
            start += height * width;
            top += IMAGE + GAP;
        }
        scene.height = top;
        scale(&mut scene, &mut insets, left);
        Ok(compose_with(title, subtitle, scene, insets))
    }

    /// Writes the lines of an image before it, around its middle.
    fn caption(&self, scene: &mut Scene, image: usize, (right, top): (f64, f64)) {
        let caption = &self.images[image].caption;
        let above = top + (IMAGE - caption.len() as f64 * LINE) / 2.0;
        for (line, text) in caption.iter().enumerate() {
            let at = (right, above + (line + 1) as f64 * LINE - 3.0);
            let color = if line == 0 { INK } else { MUTED };
            let text = shorten(text, TICK, CAPTION);
            scene.add(text_at(&text, at, TICK, color, TextAnchor::End));
        }
    }

    fn check(&self) -> Result<(), PlotError> {
        for (what, count, most) in [
            ("images", self.images.len(), MOST_IMAGES),
            ("methods", self.methods.len(), MOST_METHODS),
        ] {
            if !(1..=most).contains(&count) {
                return Err(refused(format!("expected 1 to {most} {what}, got {count}")));
            }
        }
        let pixels = self.images.iter().try_fold(0_usize, |sum, image| {
            let [_, height, width] = image.shape;
            sum.checked_add(height.checked_mul(width)?)
        });
        for (i, MethodMaps { values, .. }) in self.methods.iter().enumerate() {
            if pixels != Some(values.len()) {
                let (values, images) = (values.len(), self.images.len());
                let reason = format!(
                    "method {i} has {values} values, not one for each pixel of {images} images"
                );
                return Err(refused(reason));
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err(refused(format!("method {i} has values that are not finite")));
            }
        }
        Ok(())
    }
}

/// The colour of a value between -1 and 1 over a grey of 0 to 255.
fn color(value: f64, grey: u8) -> Rgb {
    let faint = 255.0 - FAINT * (255.0 - f64::from(grey));
    let (red, green, blue) = series(usize::from(value >= 0.0));
    let share = value.abs().min(1.0);
    let mix = |color: u8| (faint + share * (f64::from(color) - faint)).round() as u8;
    (mix(red), mix(green), mix(blue))
}

/// A map over an image, `[3, height, width]`.
fn over(image: &Raster, map: &[f32]) -> Vec<u8> {
    let largest = map.iter().fold(0_f32, |most, value| most.max(value.abs()));
    let share =
        |value: f32| if largest > 0.0 { f64::from(value) / f64::from(largest) } else { 0.0 };
    let pixels = image.rgb.chunks_exact(3).zip(map);
    let colors: Vec<Rgb> = pixels
        .map(|(rgb, value)| {
            let grey = rgb.iter().map(|value| u32::from(*value)).sum::<u32>() / 3;
            color(share(*value), grey as u8)
        })
        .collect();
    let planes: [fn(&Rgb) -> u8; 3] = [|c| c.0, |c| c.1, |c| c.2];
    planes.iter().flat_map(|plane| colors.iter().map(plane)).collect()
}

/// Draws the scale that all maps share.
fn scale(scene: &mut Scene, insets: &mut Vec<Inset>, left: f64) {
    const STEPS: usize = 201;
    let value = |step: usize| step as f64 / (STEPS - 1) as f64 * 2.0 - 1.0;
    let rgb = (0..STEPS).flat_map(|step| {
        let (red, green, blue) = color(value(step), PAPER.0);
        [red, green, blue]
    });
    let raster = Raster { width: STEPS, height: 1, rgb: rgb.collect() };
    let top = scene.height + 6.0;
    insets.push(Inset { raster, at: (left, top), size: (BAR_WIDTH, BAR) });
    let below = top + BAR + 14.0;
    for (share, text) in [(0.0, "-1"), (0.5, "0"), (1.0, "1")] {
        let at = (left + share * BAR_WIDTH, below);
        scene.add(text_at(text, at, TICK, INK, TextAnchor::Middle));
    }
    let beside = (left + BAR_WIDTH + 14.0, top + 10.0);
    let words =
        "against (blue) or for (orange) the class, relative to the largest value of each map";
    let words = shorten(words, SUBTITLE, scene.width - beside.0);
    scene.add(text_at(&words, beside, SUBTITLE, MUTED, TextAnchor::Start));
    scene.height = below + 6.0;
}

/// A name in at most two lines of whole words, each no wider than a column.
fn in_lines(name: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(name) {
        let fits = |line: &String| text_width(&format!("{line} {word}"), TICK) <= COLUMN - 4.0;
        let is_last = lines.len() == NAME_LINES;
        match lines.last_mut() {
            Some(line) if is_last || fits(line) => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines.iter().map(|line| shorten(line, TICK, COLUMN - 4.0)).collect()
}

fn refused(reason: String) -> PlotError {
    PlotError::Data { picture: "contact sheet", reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn image<'a>(pixels: &'a [u8], shape: [usize; 3], name: &str) -> SheetImage<'a> {
        SheetImage { pixels, shape, caption: vec![name.into(), "94 % $ <b>".into()] }
    }

    fn maps(name: &str, values: &[f32]) -> MethodMaps {
        MethodMaps { name: name.into(), values: values.to_vec() }
    }

    #[test]
    fn what_speaks_for_the_class_is_orange_what_speaks_against_it_blue_and_nothing_is_the_image() {
        let images = vec![image(&[255, 0, 255], [1, 1, 3], "bag")];
        // Relative to the largest, whose sign does not matter.
        let methods = vec![maps("a", &[2.0, 0.0, -4.0]), maps("b", &[0.0, 0.0, 0.0])];
        let sheet = ContactSheet { images, methods };
        let picture = sheet.picture("Why?", None).unwrap();
        let drawn: Vec<&Raster> = picture.insets.iter().map(|inset| &inset.raster).collect();
        let faint = (255.0_f64 - 0.22 * 255.0).round() as u8;
        let blue = series(0);
        assert_eq!(drawn[1].rgb[3..], [faint, faint, faint, blue.0, blue.1, blue.2]);
        // Half way from white to orange.
        let half = |c: u8| ((255.0 + f64::from(c)) / 2.0).round() as u8;
        let orange = series(1);
        assert_eq!(drawn[1].rgb[..3], [half(orange.0), half(orange.1), half(orange.2)]);
        assert_eq!(drawn[2].rgb, [255, 255, 255, faint, faint, faint, 255, 255, 255]);
    }

    #[test]
    fn images_of_any_size_stand_in_rows_and_nothing_is_clipped() {
        let large: Vec<u8> = (0..3 * 300 * 200).map(|i| (i % 251) as u8).collect();
        let long = "a_file_whose_name_is_longer_than_there_is_room_for_in_the_row.png";
        let images = vec![image(&[0; 4], [1, 2, 2], "b"), image(&large, [3, 300, 200], long)];
        let values: Vec<f32> = (0..4 + 60_000).map(|i| (i as f32 * 0.1).sin()).collect();
        let names = ["integrated gradients", "aNameOfOneWordThatIsFarTooLong and more", "x"];
        let methods = names.map(|name| maps(name, &values)).to_vec();
        let sheet = ContactSheet { images, methods };
        let picture = sheet.picture(&"Title ".repeat(30), Some("below")).unwrap();
        assert_eq!(picture.insets.len(), 2 * 4 + 1);
        assert_eq!(picture.insets[5].raster.height, 256);
        let pixels = Pixels::new(&picture);
        assert!(pixels.border_is_clear());
        let svg = picture.to_svg();
        assert!(svg.contains(">integrated<") && svg.contains(">gradients<"));
        assert!(!svg.contains("<b>"));
    }

    #[test]
    fn channels_add_up() {
        let device = burn::tensor::Device::flex();
        let tensor = Tensor::<4>::from_data([[[[1.0, -2.0]], [[0.5, 2.0]]]], &device);
        assert_eq!(MethodMaps::new("a", tensor), maps("a", &[1.5, 0.0]));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_on_one_line() {
        let told = |images: usize, methods: Vec<MethodMaps>| {
            let images = vec![image(&[0; 4], [1, 2, 2], "a"); images];
            let error = ContactSheet { images, methods }.picture("", None).unwrap_err().to_string();
            error.strip_prefix("cannot draw the contact sheet: ").unwrap().to_owned()
        };
        let good = || maps("a", &[0.0; 4]);
        assert_eq!(told(0, vec![good()]), "expected 1 to 50 images, got 0");
        assert_eq!(told(1, vec![]), "expected 1 to 12 methods, got 0");
        let few = "method 0 has 4 values, not one for each pixel of 2 images";
        assert_eq!(told(2, vec![good()]), few);
        let bad = maps("a", &[0.0, 1.0, f32::NAN, 0.0]);
        assert_eq!(told(1, vec![good(), bad]), "method 1 has values that are not finite");
    }
}
