use std::sync::Arc;

use super::{ImageRef, Transform, Visit, require};
use crate::error::Repr;
use crate::{DataError, EpochSeed, SplitMix64};

/// Transforms, applied one after the other. Clones share them. Serde reads and writes those of this crate;
/// see [`from_json`](Self::from_json).
///
/// ```
/// use selvedge_data::Transforms;
/// use selvedge_data::transform::{RandomCrop, RandomHorizontalFlip};
///
/// let augmentation =
///     Transforms::new().with(RandomCrop::new([28, 28], 2)).with(RandomHorizontalFlip::default());
/// assert_eq!(augmentation.output_shape([1, 28, 28])?, [1, 28, 28]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transforms {
    steps: Vec<Arc<dyn Transform>>,
}

impl Transforms {
    /// No transform: images as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// These transforms, and another one after them.
    pub fn with(mut self, transform: impl Transform + 'static) -> Self {
        self.steps.push(Arc::new(transform));
        self
    }

    pub(super) fn of(steps: Vec<Arc<dyn Transform>>) -> Self {
        Self { steps }
    }

    pub(super) fn steps(&self) -> &[Arc<dyn Transform>] {
        &self.steps
    }

    /// The bytes of one image, transformed as that at a position among a loader's examples is in an epoch;
    /// with the shape that they have.
    ///
    /// ```
    /// use selvedge_data::transform::{CenterCrop, ImageRef};
    /// use selvedge_data::{EpochSeed, Transforms};
    ///
    /// let image = ImageRef { pixels: &[1, 2, 3], shape: [1, 1, 3] };
    /// let middle = Transforms::new().with(CenterCrop::new([1, 1]));
    /// let draws = EpochSeed { seed: 1, epoch: 0 };
    /// assert_eq!(middle.transformed(image, draws, 0)?, (vec![2], [1, 1, 1]));
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a transform does not fit the image or has a setting that is out of range, or the image has not the
    /// bytes of its shape.
    pub fn transformed(
        &self,
        image: ImageRef<'_>,
        draws: EpochSeed,
        position: usize,
    ) -> Result<(Vec<u8>, [usize; 3]), DataError> {
        let ImageRef { pixels, shape } = image;
        let size = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
        let expected = format!("the bytes of an image of the shape {shape:?}");
        require(size == Some(pixels.len()) && size != Some(0), "image", &expected, pixels.len())?;
        let prepared = self.prepare(shape)?;
        let visit = Visit { draws, position };
        let mut buffers = Buffers::default();
        let pixels = prepared.apply(pixels, Some(visit), &mut visit.rng(), &mut buffers);
        Ok((pixels.to_vec(), prepared.output_shape()))
    }

    /// Whether images stay as they are.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The shape that images get, both `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// If a transform does not fit them, or has a setting that is out of range.
    pub fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        Ok(self.prepare(input)?.output_shape())
    }

    /// `Ok` if images of `shape`, `[channels, height, width]`, keep it.
    ///
    /// # Errors
    ///
    /// If they do not, and as [`output_shape`](Self::output_shape).
    pub fn require_same_shape(&self, shape: [usize; 3]) -> Result<(), DataError> {
        let made = self.output_shape(shape)?;
        if made == shape {
            return Ok(());
        }
        let reason = format!(
            "the transforms make images of {made:?} from those of {shape:?}, which have to keep their shape"
        );
        Err(DataError::other(reason))
    }

    /// The transforms for images of one shape.
    pub(crate) fn prepare(&self, input: [usize; 3]) -> Result<Prepared, DataError> {
        let mut shape = input;
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let output = step.output_shape(shape)?;
            let size = output.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
            if size.is_none_or(|size| size == 0 || size > MOST) {
                let name = "transformed image".to_owned();
                return Err(Repr::ImageShape { name, found: output }.into());
            }
            steps.push((step.clone(), output));
            shape = output;
        }
        Ok(Prepared { input, steps })
    }
}

/// The most bytes of a transformed image: far more than a network takes, and little enough to be had.
const MOST: usize = 1 << 30;

/// Transforms that fit images of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    input: [usize; 3],
    /// Each with the shape of its output.
    steps: Vec<(Arc<dyn Transform>, [usize; 3])>,
}

/// Where images lie between two transforms; one of the two is read, the other written.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    read: Vec<u8>,
    write: Vec<u8>,
}

impl Prepared {
    pub(crate) fn output_shape(&self) -> [usize; 3] {
        self.steps.last().map_or(self.input, |&(_, shape)| shape)
    }

    /// The bytes of an image of the input shape, transformed. `visit` is `None` where it is not known which
    /// image of which epoch it is.
    pub(crate) fn apply<'a>(
        &self,
        pixels: &'a [u8],
        visit: Option<Visit>,
        rng: &mut SplitMix64,
        buffers: &'a mut Buffers,
    ) -> &'a [u8] {
        if self.steps.is_empty() {
            return pixels;
        }
        let mut shape = self.input;
        for (i, (transform, output)) in self.steps.iter().enumerate() {
            buffers.write.resize(output.iter().product(), 0);
            let image = ImageRef { pixels: if i == 0 { pixels } else { &buffers.read }, shape };
            match visit {
                Some(visit) => transform.apply_at(image, visit, rng, &mut buffers.write),
                None => transform.apply(image, rng, &mut buffers.write),
            }
            std::mem::swap(&mut buffers.read, &mut buffers.write);
            shape = *output;
        }
        &buffers.read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{RandomCrop, RandomHorizontalFlip};

    #[test]
    fn transforms_follow_one_another_each_on_what_the_last_one_gave() {
        // The crop is as large as the padded image, so that there is one place for it.
        let transforms = Transforms::new()
            .with(RandomHorizontalFlip { p: 1.0 })
            .with(RandomCrop::new([3, 4], 1))
            .with(RandomHorizontalFlip { p: 1.0 });
        let prepared = transforms.prepare([1, 1, 2]).unwrap();
        assert_eq!(prepared.output_shape(), [1, 3, 4]);
        let mut buffers = Buffers::default();
        for _ in 0..2 {
            let output = prepared.apply(&[7, 9], None, &mut SplitMix64::new(1), &mut buffers);
            assert_eq!(output, [0, 0, 0, 0, 0, 7, 9, 0, 0, 0, 0, 0]);
        }
    }

    #[test]
    fn without_transforms_the_bytes_are_those_of_the_image() {
        let prepared = Transforms::new().prepare([1, 1, 2]).unwrap();
        let pixels = [7, 9];
        let mut buffers = Buffers::default();
        let output = prepared.apply(&pixels, None, &mut SplitMix64::new(1), &mut buffers);
        assert_eq!(output.as_ptr(), pixels.as_ptr());
    }

    #[derive(Debug)]
    struct Nothing;

    impl Transform for Nothing {
        fn output_shape(&self, [channels, ..]: [usize; 3]) -> Result<[usize; 3], DataError> {
            Ok([channels, 0, 0])
        }

        fn apply(&self, _: ImageRef<'_>, _: &mut SplitMix64, _: &mut [u8]) {}
    }

    #[test]
    fn a_transform_that_leaves_no_pixel_is_refused() {
        let error = Transforms::new().with(Nothing).output_shape([1, 4, 4]).unwrap_err();
        assert!(error.to_string().starts_with("transformed image: expected image dimensions of"));
    }

    #[test]
    fn a_transform_that_does_not_fit_what_the_one_before_gives_is_refused() {
        let transforms =
            Transforms::new().with(RandomCrop::new([2, 2], 0)).with(RandomCrop::new([3, 3], 0));
        let error = transforms.output_shape([1, 4, 4]).unwrap_err().to_string();
        assert!(error.contains("3 x 3 of 2 x 2"), "{error}");
    }
}
