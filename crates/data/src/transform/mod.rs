//! What is done to the bytes of an image between gathering and normalization, so that a model sees
//! another version of it in every epoch.
//!
//! | transform | what it does |
//! |---|---|
//! | [`RandomHorizontalFlip`] | mirrors left and right, with a probability |
//! | [`RandomCrop`] | pads with zeros and cuts out a part at a random place |
//!
//! [`Transforms`] are several of them, one after the other. What is drawn for an image is a function of
//! seed, epoch and the image's position alone (see [`EpochSeed`](crate::EpochSeed)).

mod crop;
mod flip;
mod sequence;

use std::fmt::Debug;

use crate::{DataError, SplitMix64};

pub use crop::RandomCrop;
pub use flip::RandomHorizontalFlip;
pub use sequence::Transforms;
pub(crate) use sequence::{Buffers, Prepared};

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
pub trait Transform: Send + Sync + Debug {
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
}
