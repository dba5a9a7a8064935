//! What is done to the bytes of an image between gathering and normalization, so that a model sees
//! another version of it in every epoch.
//!
//! | transform | what it does |
//! |---|---|
//! | [`RandomHorizontalFlip`], [`RandomVerticalFlip`] | mirrors, with a probability |
//! | [`AlternatingFlip`] | mirrors left and right in every other epoch |
//! | [`RandomCrop`] | pads and cuts out a part at a random place |
//! | [`Shift`], [`RandomShift`] | moves by pixels, given or drawn |
//! | [`Affine`], [`RandomAffine`], [`RandomRotation`] | turns, moves, scales and shears |
//! | [`Resize`], [`CenterCrop`] | to another size, smoothed; the middle |
//! | [`RandomResizedCrop`] | a part of random size and shape, resized |
//! | [`ColorOp`], [`ColorJitter`] | brightness, contrast, saturation, hue and other tones, given or drawn |
//! | [`Grayscale`], [`GrayToRgb`] | three channels to one, one to three |
//! | [`UniformNoise`], [`GaussianNoise`], [`GaussianBlur`] | noise, blur |
//! | [`Cutout`], [`RandomErasing`] | hides a part |
//! | [`RandAugment`], [`TrivialAugmentWide`] | operations drawn from a set |
//! | [`Corruption`] | what a classifier should bear: noise, blur, contrast, JPEG, rotation in five strengths |
//!
//! [`Transforms`] are several of them, one after the other, read from and written as JSON or TOML. What is
//! drawn for an image is a function of seed, epoch and the image's position alone (see
//! [`EpochSeed`]). [`augmented_set`] makes a larger data set of one. Whole batches are
//! mixed by [`Mix`](crate::Mix).
//!
//! Where torchvision has a transform of the same name, a deterministic one gives its bytes (those of
//! `torchvision.transforms.v2` 0.29 on uint8 tensors; to one level where they come of sums of f32), and a
//! random one draws from the same distribution. The names of settings are torchvision's, too.

mod affine;
mod augment;
mod blur;
mod color;
mod config;
mod convolve;
mod corruption;
mod crop;
mod erase;
mod flip;
mod gray;
mod jitter;
#[cfg(feature = "images")]
mod jpeg;
mod lanes;
mod noise;
mod padding;
mod resize;
mod resized_crop;
mod sequence;
mod shift;
mod tone;
#[cfg(test)]
mod torchvision_tests;
mod variants;
mod warp;

use std::any::Any;
use std::fmt::{Debug, Display};

use crate::error::short_number;
use crate::{DataError, EpochSeed, SplitMix64};

pub use affine::{Affine, RandomAffine, RandomRotation};
pub use augment::{RandAugment, TrivialAugmentWide};
pub use blur::GaussianBlur;
pub use color::ColorOp;
pub use corruption::Corruption;
pub use crop::RandomCrop;
pub use erase::{Cutout, RandomErasing};
pub use flip::{AlternatingFlip, RandomHorizontalFlip, RandomVerticalFlip};
pub use gray::{GrayToRgb, Grayscale};
pub use jitter::ColorJitter;
#[cfg(feature = "images")]
pub use jpeg::Jpeg;
pub(crate) use lanes::wide;
pub use noise::{GaussianNoise, UniformNoise};
pub use padding::PaddingMode;
#[cfg(feature = "images")]
pub(crate) use resize::shorter_side;
pub use resize::{CenterCrop, Interpolation, Resize, ResizeTo};
pub use resized_crop::RandomResizedCrop;
pub use sequence::Transforms;
pub(crate) use sequence::{Buffers, Prepared};
pub use shift::{RandomShift, Shift};
pub use variants::{augmented_set, flip_and_noise};

/// The bytes of one image, and their shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRef<'a> {
    /// `[channel, row, column]`, row-major.
    pub pixels: &'a [u8],
    /// `[channels, height, width]`
    pub shape: [usize; 3],
}

impl<'a> ImageRef<'a> {
    /// The rows of all channels, one channel after the other.
    pub fn rows(self) -> std::slice::ChunksExact<'a, u8> {
        let [_, _, width] = self.shape;
        self.pixels.chunks_exact(width)
    }

    /// The channels, one after the other.
    pub fn planes(self) -> std::slice::ChunksExact<'a, u8> {
        let [_, height, width] = self.shape;
        self.pixels.chunks_exact(height * width)
    }
}

/// Which image it is, and in which epoch it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// The seed of the run, and the epoch.
    pub draws: EpochSeed,
    /// The image's position among the examples.
    pub position: usize,
}

impl Visit {
    /// The generator of whatever is random about the image in this epoch.
    pub fn rng(self) -> SplitMix64 {
        self.draws.rng(self.position)
    }
}

/// Changes the bytes of one image.
///
/// ```
/// use selvedge_data::transform::{ImageRef, Transform};
/// use selvedge_data::{DataError, SplitMix64};
///
/// /// Makes half of the images negatives.
/// #[derive(Debug)]
/// struct RandomInvert;
///
/// impl Transform for RandomInvert {
///     fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
///         Ok(input)
///     }
///
///     fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
///         let invert = rng.unit() < 0.5;
///         for (new, &old) in output.iter_mut().zip(image.pixels) {
///             *new = if invert { 255 - old } else { old };
///         }
///     }
/// }
/// ```
pub trait Transform: Any + Send + Sync + Debug {
    /// The shape that an image of the shape `input` gets, both `[channels, height, width]`. Asked once,
    /// before the first image; also the place to check the transform's own settings.
    ///
    /// # Errors
    ///
    /// If such images cannot be transformed, or a setting is out of range.
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError>;

    /// Writes the transformed image to all of `output`, which has the size of the
    /// [output shape](Self::output_shape) and an arbitrary content. Random decisions come from `rng`
    /// alone.
    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]);

    /// As [`apply`](Self::apply), where it is known which image of which epoch it is: for a transform that
    /// is to do another thing in the next epoch.
    fn apply_at(&self, image: ImageRef<'_>, visit: Visit, rng: &mut SplitMix64, output: &mut [u8]) {
        let _ = visit;
        self.apply(image, rng, output);
    }
}

/// `Ok` if `holds`, else an error of one line.
pub(crate) fn require(
    holds: bool,
    what: &str,
    expected: &str,
    found: impl Display,
) -> Result<(), DataError> {
    match holds {
        true => Ok(()),
        false => {
            let found = short_number(found.to_string());
            Err(DataError::invalid(format!("{what}: expected {expected}, found {found}")))
        }
    }
}

/// A probability as a setting.
fn require_probability(what: &str, p: f64) -> Result<(), DataError> {
    require((0.0..=1.0).contains(&p), what, "a number from 0 to 1", p)
}

/// A range `[low, high]` of finite numbers within bounds as a setting.
fn require_range(
    what: &str,
    [low, high]: [f64; 2],
    bounds: std::ops::RangeInclusive<f64>,
) -> Result<(), DataError> {
    let holds = low <= high && bounds.contains(&low) && bounds.contains(&high);
    let expected = match (*bounds.start(), *bounds.end()) {
        (f64::MIN, f64::MAX) => "two finite numbers, the lower first".to_owned(),
        (start, f64::MAX) => format!("two finite numbers of at least {start}, the lower first"),
        (start, end) => format!("two numbers from {start} to {end}, the lower first"),
    };
    require(holds, what, &expected, format!("{low} and {high}"))
}

/// Images of one or three channels, as torchvision's operations on colours take them.
fn require_gray_or_color(what: &str, [channels, ..]: [usize; 3]) -> Result<(), DataError> {
    require(matches!(channels, 1 | 3), what, "images of 1 or 3 channels", channels)
}

/// A number from `low` to below `high`, uniformly distributed; `low` if they are the same.
fn between([low, high]: [f64; 2], rng: &mut SplitMix64) -> f64 {
    low + (high - low) * rng.unit()
}

/// The two numbers as Python's `round` makes an integer of them: half to even.
fn round(value: f64) -> i64 {
    value.round_ties_even() as i64
}

/// A part of an image of a height and a width, `[top, left, height, width]`: its share of the area and its
/// proportion are drawn from `scale` and (by its logarithm) from `ratio`, its place uniformly. `sides` is given
/// the rounded roots of the area times the proportion and of the area divided by it, and says which of them is
/// height and which is width; `None` if they do not fit. `None` if no draw of ten fits.
fn draw_part(
    [height, width]: [usize; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
    rng: &mut SplitMix64,
    sides: impl Fn([usize; 2]) -> Option<[usize; 2]>,
) -> Option<[usize; 4]> {
    let area = (height * width) as f64;
    let log_ratio = ratio.map(f64::ln);
    for _ in 0..10 {
        let area = area * between(scale, rng);
        let ratio = between(log_ratio, rng).exp();
        let roots = [area * ratio, area / ratio].map(|square| round(square.sqrt()) as usize);
        if let Some([rows, columns]) = sides(roots) {
            let mut place = |room: usize| rng.below(room as u64 + 1) as usize;
            return Some([place(height - rows), place(width - columns), rows, columns]);
        }
    }
    None
}
