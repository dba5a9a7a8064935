//! The pictures that are drawn of what was found.

use selvedge_models::explain::{Maximized, Target};

use super::filters::Filters;
use super::names::short;
use super::{Excited, LookError, Seen};
use crate::plot::{
    FeatureMaps, ImageRow, ImageRows, ImageValues, Picture, SheetImage, grid, number,
};

/// Images whose maps are computed and drawn.
pub(super) const MOST_WITH_MAPS: usize = 4;
/// Filters side by side.
const ACROSS: usize = 10;

impl Seen<'_> {
    /// The maps of one of the first images.
    pub(super) fn maps(&self, image: usize) -> Result<Picture, LookError> {
        let mut images = self.shown();
        images.truncate(MOST_WITH_MAPS);
        let (layers, channels) = (self.layers.clone(), self.channels);
        let shown = match self.convolutions {
            Some(1) => "behind its convolution".to_owned(),
            Some(count) if count > layers.len() => {
                format!(
                    "behind {} of {count} convolutions, from the first to the last",
                    layers.len()
                )
            }
            Some(count) => format!("behind each of {count} convolutions"),
            None => "the layers that were asked for".to_owned(),
        };
        let subtitle = format!("{shown}; each layer has one scale");
        let maps = FeatureMaps { images, layers, channels };
        let name = short(&self.images[image].name);
        let title = format!("What do the layers make of {name}?");
        Ok(maps.picture_of(image, &title, Some(&subtitle))?)
    }

    /// The first filters, if there is a convolution.
    pub(super) fn filters_picture(&self) -> Result<Option<Picture>, LookError> {
        let Some(Filters { layer, images, shape, count }) = &self.filters else { return Ok(None) };
        let shown = images.iter().enumerate();
        let shown: Vec<SheetImage<'_>> = shown
            .map(|(i, pixels)| SheetImage { pixels, shape: *shape, caption: vec![i.to_string()] })
            .collect();
        let title = format!("What do the first filters look for? The weight of {layer}");
        let first = match images.len() < *count {
            true => format!("the first {} of {count} filters; ", images.len()),
            false => String::new(),
        };
        let subtitle = format!("{first}one scale for all: 0 is the grey in the middle");
        Ok(Some(grid(&title, Some(&subtitle), ACROSS, &shown)?))
    }

    /// The images that excite classes, if that was asked for.
    pub(super) fn excited_picture(&self) -> Result<Option<Picture>, LookError> {
        let Some((_, first)) = self.excited.first() else { return Ok(None) };
        let labels = first.iter().map(|picture| format!("step {}", picture.step)).collect();
        let of_target = |(name, pictures): &Excited| {
            let pixels = pictures.iter().flat_map(|picture: &Maximized| {
                super::misled::pixels(self.bundle, picture.images.clone())
            });
            (name.clone(), pixels.collect())
        };
        let rows: Vec<(String, Vec<u8>)> = self.excited.iter().map(of_target).collect();
        let rows = rows.iter().map(|(name, values)| ImageRow {
            name: name.clone(),
            values: ImageValues::Bytes(values),
        });
        let shape = self.bundle.network().architecture().input;
        let rows = ImageRows { shape, labels, rows: rows.collect(), across: first.len() };
        let grown = self.excited.iter().filter_map(|(name, pictures)| {
            let (first, last) = (pictures.first()?, pictures.last()?);
            let [from, to] = [first, last].map(|picture| number(picture.activations[0]));
            Some(format!("{name} from {from} to {to}"))
        });
        let grown: Vec<String> = grown.collect();
        let steps = first.last().map_or(0, |picture| picture.step);
        let title = format!(
            "Which images excite the network the most? In {steps} steps: {}",
            grown.join(", ")
        );
        let start = if self.from_image { short(&self.images[0].name) } else { "noise".into() };
        let mut subtitle = format!("by gradient ascent from {start}");
        let classes = self.excited.len() - usize::from(self.filter.is_some());
        if classes > 0 {
            subtitle += ", on the logit of a class";
        }
        if classes < self.to_excite {
            subtitle += &format!("; the first {classes} of {} classes", self.to_excite);
        }
        if let Some(Target::Channel { layer, channel }) = &self.filter {
            subtitle += &format!("; filter {channel} of {layer} by the mean of its output");
        }
        Ok(Some(rows.picture(&title, Some(&subtitle))?))
    }

    /// The images as they are and changed, with what is predicted, if that was asked for.
    pub(super) fn misled_picture(&self) -> Result<Option<Picture>, LookError> {
        let Some(misled) = &self.misled else { return Ok(None) };
        let classes = self.bundle.classes();
        let mut images = Vec::new();
        for (i, shown) in self.shown().into_iter().enumerate() {
            let (shape, size) = (shown.shape, shown.pixels.len());
            images.push(shown);
            for way in &misled.ways {
                let (class, probability) = way.predicted[i];
                let line = format!("{}, {:.1} %", classes[class], 100.0 * probability);
                let pixels = &way.pixels[i * size..(i + 1) * size];
                images.push(SheetImage { pixels, shape, caption: vec![way.name.into(), line] });
            }
        }
        let still = |way: &super::misled::Way| {
            let pairs = way.predicted.iter().zip(&self.predictions);
            pairs.filter(|((class, _), before)| *class == before.class).count()
        };
        let [signed, stepped] = [0, 1].map(|i| still(&misled.ways[i]));
        let count = self.images.len();
        let title = format!(
            "What does it take to mislead it? {signed} of {count} images keep their class under FGSM, {stepped} under PGD"
        );
        let subtitle = format!("no pixel changes by more than {} of its range", misled.epsilon);
        // As many images as there is room for stand side by side.
        let across = if count > 1 { 6 } else { 3 };
        Ok(Some(grid(&title, Some(&subtitle), across, &images)?))
    }
}
