//! What the layers of a network make of images.

use burn::tensor::Tensor;
use kuva::render::render::{Scene, TextAnchor};
use selvedge_data::View;

use super::inset::{Inset, Raster, compose_with};
use super::number::number;
use super::page::{plain, shorten, text_at, text_width};
use super::picture::{Picture, PlotError};
use super::sheet::SheetImage;
use super::style::{INK, LABEL, MUTED, Rgb, TICK, least_width, viridis};

/// Most images, layers, and maps: a picture of more is larger than most programs open.
const MOST_IMAGES: usize = 20;
const MOST_LAYERS: usize = 20;
const MOST_MAPS: usize = 2048;
/// Maps side by side, at most: the other channels of a layer stand in rows below them.
const ACROSS: usize = 16;
/// The channels that are drawn, unless it is said otherwise.
const CHANNELS: usize = 6;
/// Sides of the image and of a map: of one image alone, and where there are several. Where the channels of a layer take
/// several rows, maps are small.
const LARGE: [f64; 2] = [128.0, 84.0];
const SMALL: [f64; 2] = [64.0, 64.0];
/// Between maps.
const GAP: f64 = 8.0;
/// From an image to its maps.
const BESIDE: f64 = 22.0;
/// The line that names a layer, and the numbers of the channels below it.
const NAME: f64 = 22.0;
const NUMBERS: f64 = 16.0;
/// From a row of a layer to the numbers of its next row.
const ROWS: f64 = 4.0;
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
/// its ends. A layer with more than 16 channels has them in rows of 16.
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
    /// The first so many channels of each layer are drawn, as far as it has them: 1 or more. `usize::MAX` is all of
    /// them.
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

impl<'a> FeatureMaps<'a> {
    /// What layers make of the images of a view, which are named by their classes: the first six channels of each
    /// layer.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_data::ImageDataset;
    /// use selvedge_report::plot::{FeatureMaps, LayerMaps};
    ///
    /// let classes = vec!["bag".to_owned(), "coat".to_owned()];
    /// let images = ImageDataset::new("t", vec![0, 255, 255, 0], [1, 1, 2], vec![0, 1], classes)?.view();
    /// let relu1 = LayerMaps::new("relu1", Tensor::ones([2, 8, 1, 2], &Device::flex()));
    /// let maps = FeatureMaps::of(&images, [relu1]);
    /// assert_eq!(maps.images[1].caption, ["coat"]);
    /// # maps.picture("What does the first layer see?", None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(view: &'a View, layers: impl IntoIterator<Item = LayerMaps>) -> Self {
        let layers = layers.into_iter().collect();
        Self { images: SheetImage::all(view), layers, channels: CHANNELS }
    }

    /// Draws one image large, with its caption below it, and a row of maps for each layer beside it. All maps are of
    /// the same size, however many pixels they have.
    ///
    /// # Errors
    ///
    /// [`PlotError::Data`] if there is no such image; no images, layers or channels; too many images or layers, or more
    /// than 2,048 maps; a layer whose values are not as many as its shape says, not for all images, or not finite; and
    /// as [`sheet`](super::sheet) for an image.
    pub fn picture_of(
        &self,
        image: usize,
        title: &str,
        subtitle: Option<&str>,
    ) -> Result<Picture, PlotError> {
        self.check(1)?;
        let shown = self.images.get(image).ok_or_else(|| {
            refused(format!("there is no image {image} of {}", self.images.len()))
        })?;
        let rows_of_small = self.widest() > ACROSS;
        let (side, map) = (LARGE[0], if rows_of_small { SMALL[1] } else { LARGE[1] });
        let before = if rows_of_small { "" } else { "channel " };
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
            let shown = Shown::of(layer, self.channels);
            top = drawing.heading(&shown, top);
            let rows = shown.count.div_ceil(drawing.columns).min(2) as f64;
            let bar = (top + NUMBERS, rows * (map + NUMBERS + ROWS) - NUMBERS - ROWS);
            drawing.bar(shown.scale, bar);
            top = drawing.maps(&shown, image, top, Some(before)) + BETWEEN;
        }
        Ok(drawing.finish(title, subtitle, top))
    }

    /// Draws all images: for each layer a row for every image, with the image before its maps.
    ///
    /// # Errors
    ///
    /// As [`picture_of`](Self::picture_of).
    pub fn picture(&self, title: &str, subtitle: Option<&str>) -> Result<Picture, PlotError> {
        self.check(self.images.len())?;
        let [side, map] = SMALL;
        let mut drawing = Drawing::new(self, title, LABELS + side + BESIDE, map);
        let mut top = 0.0;
        for layer in &self.layers {
            let shown = Shown::of(layer, self.channels);
            let rows = shown.count.div_ceil(drawing.columns);
            top = drawing.heading(&shown, top);
            // As high as two rows, where there are so many. Rows of one image have their numbers between them.
            let (two, gap) = match rows {
                1 => (self.images.len().min(2) as f64, GAP),
                _ => (2.0, NUMBERS + ROWS),
            };
            drawing.bar(shown.scale, (top + NUMBERS, two * (map + gap) - gap));
            for (i, image) in self.images.iter().enumerate() {
                let numbers = (i == 0 || rows > 1).then_some("");
                let first = top + if numbers.is_some() { NUMBERS } else { 0.0 };
                let name = image.caption.first().map_or("", String::as_str);
                let middle = first + side / 2.0 + 0.36 * f64::from(TICK);
                let text = shorten(name, TICK, LABELS - 8.0);
                drawing.text(&text, (LABELS - 8.0, middle), TICK, INK, TextAnchor::End);
                drawing.image(image, i, (LABELS, first), side)?;
                top = drawing.maps(&shown, i, top, numbers) + GAP;
            }
            top += BETWEEN;
        }
        Ok(drawing.finish(title, subtitle, top))
    }

    /// Refuses what cannot be drawn, `drawn` images of it.
    fn check(&self, drawn: usize) -> Result<(), PlotError> {
        let images = self.images.len();
        for (what, count, most) in
            [("images", images, MOST_IMAGES), ("layers", self.layers.len(), MOST_LAYERS)]
        {
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
        require_drawable(&self.layers, self.channels, drawn)
    }

    /// The most channels that a layer shows.
    fn widest(&self) -> usize {
        self.layers.iter().map(|layer| layer.shown(self.channels)).max().unwrap_or(0)
    }
}

/// `Ok` if so many channels of each layer can be drawn, for so many images.
pub(crate) fn require_drawable(
    layers: &[LayerMaps],
    channels: usize,
    images: usize,
) -> Result<(), PlotError> {
    let maps = layers.iter().map(|layer| layer.shown(channels)).sum::<usize>();
    match maps.saturating_mul(images) {
        0 => Err(refused("expected 1 channel a layer or more, got 0".into())),
        1..=MOST_MAPS => Ok(()),
        maps => Err(refused(format!(
            "expected at most {MOST_MAPS} maps, got {maps}: take fewer channels or layers"
        ))),
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

/// A layer, the number of its channels that are drawn, and the ends of their scale.
struct Shown<'a> {
    layer: &'a LayerMaps,
    count: usize,
    scale: (f32, f32),
}

impl<'a> Shown<'a> {
    fn of(layer: &'a LayerMaps, channels: usize) -> Self {
        Self { layer, count: layer.shown(channels), scale: layer.scale(channels) }
    }
}

/// What has been drawn so far.
struct Drawing {
    scene: Scene,
    insets: Vec<Inset>,
    /// Left end of the maps, the side of one, and how many are in a row at most.
    left: f64,
    map: f64,
    columns: usize,
}

impl Drawing {
    /// Nothing yet, with room for the maps and the headings of all layers.
    fn new(maps: &FeatureMaps<'_>, title: &str, left: f64, map: f64) -> Self {
        let columns = maps.widest().min(ACROSS);
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

    /// Writes the name of a layer and the size of its maps; gives where its rows begin.
    fn heading(&mut self, shown: &Shown<'_>, top: f64) -> f64 {
        let text = shorten(&shown.layer.heading(shown.count), LABEL, self.scene.width - self.left);
        self.text(&text, (self.left, top + 15.0), LABEL, INK, TextAnchor::Start);
        top + NAME
    }

    fn column(&self, channel: usize) -> f64 {
        self.left + channel as f64 * (self.map + GAP)
    }

    /// Draws the maps of an image, above each its number behind a word if one is given; gives where the last row ends.
    fn maps(&mut self, shown: &Shown<'_>, image: usize, top: f64, numbers: Option<&str>) -> f64 {
        let [_, _, height, width] = shown.layer.shape;
        let (low, high) = (f64::from(shown.scale.0), f64::from(shown.scale.1));
        let above = if numbers.is_some() { NUMBERS } else { 0.0 };
        for channel in 0..shown.count {
            let row = (channel / self.columns) as f64;
            let at = (
                self.column(channel % self.columns),
                top + above + row * (self.map + above + ROWS),
            );
            if let Some(before) = numbers {
                let middle = (at.0 + self.map / 2.0, at.1 - 5.0);
                self.text(&format!("{before}{channel}"), middle, TICK, MUTED, TextAnchor::Middle);
            }
            let share = |value: &f32| match high > low {
                true => (f64::from(*value) - low) / (high - low),
                false => 0.0,
            };
            let values = shown.layer.map(image, channel).iter();
            let steps: Vec<u8> = values.map(|v| (255.0 * share(v)).round() as u8).collect();
            let raster = Raster::new(&steps, [1, height, width], pixels(self.map));
            let mut raster = raster.expect("a map has as many values as its shape says");
            for pixel in raster.rgb.chunks_exact_mut(3) {
                let (red, green, blue) = viridis(f64::from(pixel[0]) / 255.0);
                pixel.copy_from_slice(&[red, green, blue]);
            }
            self.insets.push(Inset::filling(raster, at, self.map));
        }
        top + shown.count.div_ceil(self.columns) as f64 * (self.map + above + ROWS) - ROWS
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

fn refused(reason: String) -> PlotError {
    PlotError::Data { picture: "feature maps", reason }
}

#[cfg(test)]
mod tests;
