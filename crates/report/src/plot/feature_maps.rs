//! What the layers of a network make of images.

use burn::tensor::Tensor;
use kuva::render::render::{Scene, TextAnchor};

use super::inset::{Inset, Raster, compose_with};
use super::page::{plain, shorten, text_at, text_width};
use super::picture::{Picture, PlotError};
use super::sheet::SheetImage;
use super::style::{INK, LABEL, MUTED, Rgb, TICK, least_width, viridis};

/// Most images, layers, and channels of each.
const MOST_IMAGES: usize = 20;
const MOST_LAYERS: usize = 20;
const MOST_CHANNELS: usize = 16;
/// Sides of the image and of a map: of one image alone, and where there are several.
const LARGE: [f64; 2] = [128.0, 84.0];
const SMALL: [f64; 2] = [64.0, 64.0];
/// Between maps.
const GAP: f64 = 8.0;
/// From an image to its maps.
const BESIDE: f64 = 22.0;
/// The line that names a layer, and the numbers of the channels below it.
const NAME: f64 = 22.0;
const NUMBERS: f64 = 16.0;
/// From one line of text to the next.
const LINE: f64 = 16.0;
/// Between the rows of one layer and of the next.
const BETWEEN: f64 = 14.0;
/// The widest heading of a layer that has few maps.
const LONGEST: f64 = 400.0;
/// The names of images, where there are several.
const LABELS: f64 = 92.0;
/// Width of the bar of colours, and of the bar with its numbers.
const BAR: f64 = 12.0;
const SCALE: f64 = 76.0;

/// The outputs of some layers for some images, drawn with viridis on one scale a layer.
///
/// The scale begins at 0, or at the least value if that is negative, and ends at the largest, of all that is drawn of
/// the layer for any of the images: two maps of a layer can be compared, and so can those of two images. A bar shows
/// its ends.
///
/// ```
/// use selvedge_report::plot::{FeatureMaps, LayerMaps, SheetImage};
///
/// let image = SheetImage { pixels: &[0, 90, 180, 255], shape: [1, 2, 2], caption: vec!["bag".into()] };
/// // Two channels of 2 × 2.
/// let values = vec![0.0, 0.5, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0];
/// let relu1 = LayerMaps { name: "relu1".into(), shape: [1, 2, 2, 2], values };
/// let maps = FeatureMaps { images: vec![image], layers: vec![relu1], channels: 6 };
/// let picture = maps.picture_of(0, "What does the first layer see?", None)?;
/// assert!(picture.to_svg().contains("relu1"));
/// # Ok::<(), selvedge_report::plot::PlotError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FeatureMaps<'a> {
    /// The images: 1 to 20. The first line of the caption names one.
    pub images: Vec<SheetImage<'a>>,
    /// The layers in their order: 1 to 20.
    pub layers: Vec<LayerMaps>,
    /// The first so many channels of each layer are drawn, as far as it has them: 1 to 16.
    pub channels: usize,
}

/// The output of a layer.
#[derive(Clone, Debug)]
pub struct LayerMaps {
    /// What it is called.
    pub name: String,
    /// `[images, channels, height, width]`
    pub shape: [usize; 4],
    /// The values, row-major.
    pub values: Vec<f32>,
}

impl FeatureMaps<'_> {
    /// Draws one image large, with its caption below it, and a row of maps for each layer beside it. All maps are of
    /// the same size, however many pixels they have.
    ///
    /// # Errors
    ///
    /// [`PlotError::Data`] if there is no such image; no images, layers or channels, or too many; a layer whose values
    /// are not as many as its shape says, not for all images, or not finite; and as [`sheet`](super::sheet) for an
    /// image.
    pub fn picture_of(
        &self,
        image: usize,
        title: &str,
        subtitle: Option<&str>,
    ) -> Result<Picture, PlotError> {
        self.check()?;
        let shown = self.images.get(image).ok_or_else(|| {
            refused(format!("there is no image {image} of {}", self.images.len()))
        })?;
        let [side, map] = LARGE;
        let mut drawing = Drawing::new(self, title, side + BESIDE, map);
        drawing.image(shown, image, (0.0, NAME + NUMBERS), side)?;
        for (i, line) in shown.caption.iter().enumerate() {
            let at = NAME + NUMBERS + side + (i + 1) as f64 * LINE;
            let text = shorten(line, TICK, side + BESIDE - 8.0);
            let color = if i == 0 { INK } else { MUTED };
            drawing.text(&text, (0.0, at), TICK, color, TextAnchor::Start);
            drawing.scene.height = drawing.scene.height.max(at + 4.0);
        }
        let mut top = 0.0;
        for layer in &self.layers {
            let scale = layer.scale(self.channels);
            top = drawing.heading(layer, top, self.channels, "channel ");
            drawing.bar(scale, (top, map));
            drawing.maps(layer, image, top, scale);
            top += map + BETWEEN;
        }
        Ok(drawing.finish(title, subtitle, top))
    }

    /// Draws all images: for each layer a row for every image, with the image before its maps.
    ///
    /// # Errors
    ///
    /// As [`picture_of`](Self::picture_of).
    pub fn picture(&self, title: &str, subtitle: Option<&str>) -> Result<Picture, PlotError> {
        self.check()?;
        let [side, map] = SMALL;
        let mut drawing = Drawing::new(self, title, LABELS + side + BESIDE, map);
        let mut top = 0.0;
        for layer in &self.layers {
            let scale = layer.scale(self.channels);
            top = drawing.heading(layer, top, self.channels, "");
            // As high as two rows, where there are so many.
            let rows = self.images.len().min(2) as f64;
            drawing.bar(scale, (top, rows * (map + GAP) - GAP));
            for (i, image) in self.images.iter().enumerate() {
                let name = image.caption.first().map_or("", String::as_str);
                let middle = top + side / 2.0 + 0.36 * f64::from(TICK);
                let text = shorten(name, TICK, LABELS - 8.0);
                drawing.text(&text, (LABELS - 8.0, middle), TICK, INK, TextAnchor::End);
                drawing.image(image, i, (LABELS, top), side)?;
                drawing.maps(layer, i, top, scale);
                top += map + GAP;
            }
            top += BETWEEN;
        }
        Ok(drawing.finish(title, subtitle, top))
    }

    fn check(&self) -> Result<(), PlotError> {
        let images = self.images.len();
        for (what, count, most) in [
            ("images", images, MOST_IMAGES),
            ("layers", self.layers.len(), MOST_LAYERS),
            ("channels a layer", self.channels, MOST_CHANNELS),
        ] {
            if !(1..=most).contains(&count) {
                return Err(refused(format!("expected 1 to {most} {what}, got {count}")));
            }
        }
        for LayerMaps { name, shape, values } in &self.layers {
            let name: String = name.escape_debug().take(60).collect();
            let size = shape.iter().try_fold(1_usize, |size, side| size.checked_mul(*side));
            if size != Some(values.len()) || values.is_empty() {
                let count = values.len();
                return Err(refused(format!("{name} has {count} values for the shape {shape:?}")));
            }
            if shape[0] != images {
                return Err(refused(format!("{name} is of {} images, not {images}", shape[0])));
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err(refused(format!("{name} has values that are not finite")));
            }
        }
        Ok(())
    }

    /// The most channels that a layer shows.
    fn columns(&self) -> usize {
        self.layers.iter().map(|layer| layer.shown(self.channels)).max().unwrap_or(0)
    }
}

impl LayerMaps {
    /// The output of a layer, `[images, channels, height, width]`, under a name.
    pub fn new(name: impl Into<String>, maps: Tensor<4>) -> Self {
        let shape = maps.dims();
        let values = maps.into_data().iter::<f32>().collect();
        Self { name: name.into(), shape, values }
    }

    fn shown(&self, channels: usize) -> usize {
        self.shape[1].min(channels)
    }

    /// Its name, how many channels it has, and their size.
    fn heading(&self, channels: usize) -> String {
        let [_, all, height, width] = self.shape;
        let shown = self.shown(channels);
        let of = if shown < all { format!("{shown} of {all}") } else { all.to_string() };
        let plural = if all == 1 { "" } else { "s" };
        format!("{}: {of} channel{plural}, {height} × {width}", self.name)
    }

    /// The map of a channel.
    fn map(&self, image: usize, channel: usize) -> &[f32] {
        let [_, channels, height, width] = self.shape;
        let start = (image * channels + channel) * height * width;
        &self.values[start..start + height * width]
    }

    /// From 0, or the least value if that is negative, to the largest of what is drawn.
    fn scale(&self, channels: usize) -> (f32, f32) {
        let pairs = (0..self.shape[0])
            .flat_map(|image| (0..self.shown(channels)).map(move |channel| (image, channel)));
        let values = pairs.flat_map(|(image, channel)| self.map(image, channel));
        values.fold((0.0, 0.0), |(low, high), &value| (value.min(low), value.max(high)))
    }
}

/// What has been drawn so far.
struct Drawing {
    scene: Scene,
    insets: Vec<Inset>,
    /// Left end of the maps, the side of one, and how many are in a row.
    left: f64,
    map: f64,
    columns: usize,
}

impl Drawing {
    /// Nothing yet, with room for the maps and the headings of all layers.
    fn new(maps: &FeatureMaps<'_>, title: &str, left: f64, map: f64) -> Self {
        let columns = maps.columns();
        let headings = maps.layers.iter().map(|layer| layer.heading(maps.channels));
        let headings = headings.map(|text| text_width(&plain(&text), LABEL)).fold(0.0, f64::max);
        let room = (columns as f64 * (map + GAP) + SCALE).max(headings.min(LONGEST) + 2.0);
        let scene = Scene::new((left + room).max(least_width(title)), 0.0);
        Self { scene, insets: Vec::new(), left, map, columns }
    }

    fn text(&mut self, text: &str, at: (f64, f64), size: u32, color: Rgb, anchor: TextAnchor) {
        self.scene.add(text_at(text, at, size, color, anchor));
    }

    fn image(
        &mut self,
        image: &SheetImage<'_>,
        number: usize,
        at: (f64, f64),
        side: f64,
    ) -> Result<(), PlotError> {
        let raster = Raster::new(image.pixels, image.shape, pixels(side)).ok_or_else(|| {
            let (shape, pixels) = (image.shape, image.pixels.len());
            refused(format!("image {number} has {pixels} values for the shape {shape:?}"))
        })?;
        self.insets.push(Inset::within(raster, at, side));
        Ok(())
    }

    /// Writes the name of a layer, the size of its maps and the numbers of its channels; gives where the maps begin.
    fn heading(&mut self, layer: &LayerMaps, top: f64, channels: usize, before: &str) -> f64 {
        let text = shorten(&layer.heading(channels), LABEL, self.scene.width - self.left);
        self.text(&text, (self.left, top + 15.0), LABEL, INK, TextAnchor::Start);
        for channel in 0..layer.shown(channels) {
            let middle = self.column(channel) + self.map / 2.0;
            let at = (middle, top + NAME + NUMBERS - 5.0);
            self.text(&format!("{before}{channel}"), at, TICK, MUTED, TextAnchor::Middle);
        }
        top + NAME + NUMBERS
    }

    fn column(&self, channel: usize) -> f64 {
        self.left + channel as f64 * (self.map + GAP)
    }

    /// Draws the maps of an image.
    fn maps(&mut self, layer: &LayerMaps, image: usize, top: f64, (low, high): (f32, f32)) {
        let [_, _, height, width] = layer.shape;
        for channel in 0..layer.shown(self.columns) {
            let (low, range) = (f64::from(low), f64::from(high) - f64::from(low));
            let share = |value: &f32| match range > 0.0 {
                true => (f64::from(*value) - low) / range,
                false => 0.0,
            };
            let steps = layer.map(image, channel).iter().map(|v| (255.0 * share(v)).round() as u8);
            let steps: Vec<u8> = steps.collect();
            let raster = Raster::new(&steps, [1, height, width], pixels(self.map));
            let mut raster = raster.expect("a map has as many values as its shape says");
            for pixel in raster.rgb.chunks_exact_mut(3) {
                let (red, green, blue) = viridis(f64::from(pixel[0]) / 255.0);
                pixel.copy_from_slice(&[red, green, blue]);
            }
            let at = (self.column(channel), top);
            self.insets.push(Inset::filling(raster, at, self.map));
        }
    }

    /// Draws the colours of a scale behind the maps, with the numbers of its ends.
    fn bar(&mut self, (low, high): (f32, f32), (top, height): (f64, f64)) {
        let left = self.column(self.columns) + 6.0;
        // The largest value is at the top.
        let colors = (0..=255_u8).rev().map(|step| viridis(f64::from(step) / 255.0));
        let rgb = colors.flat_map(|(red, green, blue)| [red, green, blue]).collect();
        let raster = Raster { width: 1, height: 256, rgb };
        self.insets.push(Inset { raster, at: (left, top), size: (BAR, height) });
        let beside = left + BAR + 5.0;
        let numbers = [(high, top + 10.0), (low, top + height)];
        for (value, baseline) in numbers {
            self.text(&number(value), (beside, baseline), TICK, INK, TextAnchor::Start);
        }
    }

    fn finish(mut self, title: &str, subtitle: Option<&str>, bottom: f64) -> Picture {
        self.scene.height = self.scene.height.max(bottom);
        compose_with(title, subtitle, self.scene, self.insets)
    }
}

/// Pixels along the longer side of what is drawn: those of a PNG.
fn pixels(side: f64) -> usize {
    2 * side as usize
}

/// A number with three digits that count.
fn number(value: f32) -> String {
    let value = f64::from(value);
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs().log10().floor();
    match size {
        -3.0..=4.0 => {
            let text = format!("{value:.*}", (2.0 - size).max(0.0) as usize);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').into(),
                false => text,
            }
        }
        _ => format!("{value:.1e}"),
    }
}

fn refused(reason: String) -> PlotError {
    PlotError::Data { picture: "feature maps", reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::testing::Pixels;

    fn image(name: &str) -> SheetImage<'static> {
        SheetImage { pixels: &[0, 80, 160, 255], shape: [1, 2, 2], caption: vec![name.into()] }
    }

    fn layer(name: &str, shape: [usize; 4], value: impl Fn(usize) -> f32) -> LayerMaps {
        let values = (0..shape.iter().product()).map(value).collect();
        LayerMaps { name: name.into(), shape, values }
    }

    #[test]
    fn the_maps_of_all_images_have_one_scale_a_layer_and_the_bar_shows_its_ends() {
        // The second image is ten times as bright: of 0 to 20, its last pixel has the lightest colour.
        let values = vec![0.0, 1.0, 2.0, 1.0, 0.0, 10.0, 20.0, 10.0];
        let bright = LayerMaps { name: "relu1".into(), shape: [2, 1, 2, 2], values };
        let signed = layer("conv2", [2, 1, 1, 1], |i| -0.25 + i as f32);
        let images = vec![image("coat"), image("bag")];
        let maps = FeatureMaps { images, layers: vec![bright, signed], channels: 6 };
        let first = maps.picture_of(0, "", None).unwrap();
        let second = maps.picture_of(1, "", None).unwrap();
        // Image, bar and map of the first layer, then those of the second.
        let color = |picture: &Picture, inset: usize, pixel: usize| {
            let rgb = &picture.insets[inset].raster.rgb[3 * pixel..3 * pixel + 3];
            (rgb[0], rgb[1], rgb[2])
        };
        assert_eq!(color(&first, 2, 0), viridis(0.0));
        assert_eq!(color(&first, 2, 2), viridis(26.0 / 255.0));
        assert_eq!(color(&second, 2, 2), viridis(1.0));
        assert_eq!(color(&second, 2, 1), viridis(128.0 / 255.0));
        assert_eq!([color(&first, 1, 0), color(&first, 1, 255)], [viridis(1.0), viridis(0.0)]);
        for text in [">20<", ">0<", ">-0.25<", ">0.75<", ">relu1: 1 channel, 2 × 2<", ">coat<"] {
            assert!(first.to_svg().contains(text), "{text}");
        }
    }

    #[test]
    fn maps_of_any_size_are_drawn_at_one_size_and_nothing_is_clipped() {
        let sides = [28, 14, 7, 24, 11, 1, 300];
        let layers = sides
            .iter()
            .map(|&side| layer(&format!("layer{side}"), [2, 3, side, side], |i| (i % 7) as f32));
        let images = vec![image("coat"), image(&"long name $ <b>".repeat(9))];
        let maps = FeatureMaps { images, layers: layers.collect(), channels: 2 };
        let title = "Title ".repeat(40);
        // Two maps in each of seven layers; of both images, which are as large as their maps.
        for (picture, side, squares) in [
            (maps.picture_of(1, &title, Some("below")).unwrap(), LARGE[1], 7 * 2),
            (maps.picture(&title, Some("below")).unwrap(), SMALL[1], 7 * 2 * (1 + 2)),
        ] {
            let drawn = picture.insets.iter().filter(|inset| inset.size == (side, side));
            assert_eq!(drawn.count(), squares);
            assert!(Pixels::new(&picture).border_is_clear());
            assert!(!picture.to_svg().contains("<b>"));
        }
        let sheet = maps.picture("", None).unwrap();
        // A bar, and for each image itself and two maps, in every layer.
        assert_eq!(sheet.insets.len(), sides.len() * (1 + 2 * 3));
        assert!(sheet.to_svg().contains(">layer28: 2 of 3 channels, 28 × 28<"));
    }

    #[test]
    fn maps_that_are_0_everywhere_have_the_darkest_colour() {
        let maps = FeatureMaps {
            images: vec![image("coat")],
            layers: vec![layer("relu1", [1, 2, 3, 4], |_| 0.0)],
            channels: 16,
        };
        let picture = maps.picture_of(0, "", None).unwrap();
        let (red, green, blue) = viridis(0.0);
        assert_eq!(picture.insets[2].raster.rgb, [red, green, blue].repeat(12));
        // Wider than high.
        assert_eq!(picture.insets[2].size, (LARGE[1], 0.75 * LARGE[1]));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_on_one_line() {
        let good = || FeatureMaps {
            images: vec![image("coat")],
            layers: vec![layer("relu1", [1, 2, 2, 2], |i| i as f32)],
            channels: 6,
        };
        let message = |maps: FeatureMaps<'_>| {
            let error = maps.picture("", None).unwrap_err().to_string();
            error.strip_prefix("cannot draw the feature maps: ").unwrap().to_owned()
        };
        let none = FeatureMaps { images: Vec::new(), ..good() };
        assert_eq!(message(none), "expected 1 to 20 images, got 0");
        let many = FeatureMaps { layers: vec![layer("a", [1; 4], |_| 0.0); 21], ..good() };
        assert_eq!(message(many), "expected 1 to 20 layers, got 21");
        let wide = FeatureMaps { channels: 17, ..good() };
        assert_eq!(message(wide), "expected 1 to 16 channels a layer, got 17");
        let with = |shape, values| {
            let layers = vec![LayerMaps { name: "a\n\u{1b}".into(), shape, values }];
            message(FeatureMaps { layers, ..good() })
        };
        let name = "a\\n\\u{1b}";
        let shape = "[1, 2, 1, 1]";
        assert_eq!(
            with([1, 2, 1, 1], vec![0.0]),
            format!("{name} has 1 values for the shape {shape}")
        );
        assert_eq!(with([2, 1, 1, 1], vec![0.0; 2]), format!("{name} is of 2 images, not 1"));
        let nan = vec![f32::NAN];
        assert_eq!(with([1; 4], nan), format!("{name} has values that are not finite"));
        assert!(with([usize::MAX; 4], vec![0.0]).contains("has 1 values"));
        let error = good().picture_of(1, "", None).unwrap_err().to_string();
        assert!(error.ends_with("there is no image 1 of 1"), "{error}");
        let damaged = SheetImage { shape: [2, 1, 2], ..image("coat") };
        let damaged = FeatureMaps { images: vec![damaged], ..good() };
        assert_eq!(message(damaged), "image 0 has 4 values for the shape [2, 1, 2]");
    }

    #[test]
    fn three_digits_of_a_number_count() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.012_345, "0.0123"),
            (-2.5, "-2.5"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (100.0, "100"),
            (3e9, "3.0e9"),
            (2e-5, "2.0e-5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
