use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::convolve::{Part, Resizer};
use super::padding::copy_part;
use super::{ImageRef, PaddingMode, Transform, require, round};
use crate::{DataError, SplitMix64};

/// How values between pixels are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The value of the nearest pixel.
    #[default]
    Nearest,
    /// Between the two nearest in each direction.
    Bilinear,
    /// Between the four nearest in each direction, by Keys' polynomial with -0.5 (Catmull-Rom).
    Bicubic,
}

/// To which size [`Resize`] brings an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResizeTo {
    /// The shorter side is to be so long, and the sides keep their proportion.
    Shorter(usize),
    /// Height and width.
    Exactly([usize; 2]),
}

/// Brings images to another size, as torchvision's `Resize` with `antialias=True`: where an image gets
/// smaller, all of its pixels have a part in the result.
///
/// Values are torchvision's, to the byte. Besides image and result it needs about a hundred bytes for each row
/// and column.
///
/// ```
/// use selvedge_data::Transforms;
/// use selvedge_data::transform::{CenterCrop, Resize};
///
/// // As ImageNet's validation images are prepared.
/// let prepare = Transforms::new().with(Resize::shorter(256)).with(CenterCrop::new([224, 224]));
/// assert_eq!(prepare.output_shape([3, 480, 640])?, [3, 224, 224]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// To which size.
    pub size: ResizeTo,
    /// How; bilinear unless it is set.
    #[serde(default = "bilinear")]
    pub interpolation: Interpolation,
}

pub(super) fn bilinear() -> Interpolation {
    Interpolation::Bilinear
}

impl Resize {
    /// The shorter side to a length, bilinear.
    pub fn shorter(size: usize) -> Self {
        Self { size: ResizeTo::Shorter(size), interpolation: Interpolation::Bilinear }
    }

    /// To height and width, bilinear.
    pub fn exactly(size: [usize; 2]) -> Self {
        Self { size: ResizeTo::Exactly(size), interpolation: Interpolation::Bilinear }
    }

    /// The same, bicubic.
    pub fn bicubic(self) -> Self {
        Self { interpolation: Interpolation::Bicubic, ..self }
    }
}

/// Height and width of an image of `[height, width]` whose shorter side becomes `size` long: torchvision's, the
/// longer side in whole numbers, rounded down.
pub(crate) fn shorter_side(size: usize, [height, width]: [usize; 2]) -> [usize; 2] {
    let long = size.saturating_mul(height.max(width)) / height.min(width).max(1);
    if height <= width { [size, long] } else { [long, size] }
}

/// The most rows and columns of a resized image.
const MOST: usize = 1 << 15;

/// Sizes to which images can be brought.
pub(super) fn require_size(what: &str, size: [usize; 2]) -> Result<(), DataError> {
    let holds = size.iter().all(|side| (1..=MOST).contains(side));
    require(holds, what, "1 to 32768 rows and columns", format!("{} x {}", size[0], size[1]))
}

impl Transform for Resize {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [channels, height, width] = input;
        let size = match self.size {
            ResizeTo::Exactly(size) => size,
            ResizeTo::Shorter(size) => shorter_side(size, [height, width]),
        };
        require_size("size of a resized image", size)?;
        require_size("size of an image to be resized", [height, width])?;
        Ok([channels, size[0], size[1]])
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let size = match self.output_shape(image.shape) {
            Ok([_, height, width]) => [height, width],
            Err(error) => panic!("a resize fits its images: {error}"),
        };
        resize_part(image, [0, 0, height, width], self.interpolation, (output, size));
    }
}

thread_local! {
    /// Kept for the next image.
    static RESIZER: RefCell<Resizer> = RefCell::default();
}

/// Brings a part of an image, `[top, left, height, width]`, to another size.
pub(super) fn resize_part(
    image: ImageRef<'_>,
    part: [usize; 4],
    interpolation: Interpolation,
    (output, size): (&mut [u8], [usize; 2]),
) {
    let [_, _, width] = image.shape;
    let [top, left, rows, columns] = part;
    if interpolation != Interpolation::Nearest && [rows, columns] != size {
        let part = Part { width, place: [top, left], size: [rows, columns] };
        RESIZER.with_borrow_mut(|resizer| {
            resizer.resize(image.planes(), part, interpolation, (output, size));
        });
        return;
    }
    let [out_height, out_width] = size;
    // As torch's: the place is rounded down, in f32.
    let index = |at: usize, from: usize, to: usize| {
        ((at as f32 * (from as f32 / to as f32)) as usize).min(from - 1)
    };
    let sources: Vec<usize> = (0..out_width).map(|x| left + index(x, columns, out_width)).collect();
    for (plane, output) in image.planes().zip(output.chunks_exact_mut(out_height * out_width)) {
        for (y, row) in output.chunks_exact_mut(out_width).enumerate() {
            let source = &plane[(top + index(y, rows, out_height)) * width..][..width];
            row.iter_mut().zip(&sources).for_each(|(p, &x)| *p = source[x]);
        }
    }
}

/// Cuts out the middle, as torchvision's `CenterCrop`: an image that is smaller gets zeros around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CenterCrop {
    /// Height and width.
    pub size: [usize; 2],
}

impl CenterCrop {
    /// The middle, of so many rows and columns.
    pub fn new(size: [usize; 2]) -> Self {
        Self { size }
    }
}

impl Transform for CenterCrop {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_size("size of a center crop", self.size)?;
        Ok([input[0], self.size[0], self.size[1]])
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let [out_height, out_width] = self.size;
        // Half a pixel goes to the even side where something is cut off, and to the lower right where
        // something is put around.
        let place = |side: usize, size: usize| match size > side {
            true => -(((size - side) / 2) as isize),
            false => round((side - size) as f64 / 2.0) as isize,
        };
        let at = [place(height, out_height), place(width, out_width)];
        let outputs = output.chunks_exact_mut(out_height * out_width);
        for (plane, output) in image.planes().zip(outputs) {
            let beyond = (PaddingMode::Constant, 0);
            copy_part(plane, [height, width], at, beyond, (output, out_width));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_shorter_side_rounded_down() {
        let shape = |size, input| Resize::shorter(size).output_shape(input).unwrap();
        // torchvision: int(256 * 500 / 375) = 341, and the same for a portrait.
        assert_eq!(shape(256, [3, 375, 500]), [3, 256, 341]);
        assert_eq!(shape(256, [3, 500, 375]), [3, 341, 256]);
        assert_eq!(shape(7, [1, 28, 28]), [1, 7, 7]);
    }

    #[test]
    fn sizes_that_no_image_has_are_refused() {
        let error = |size| Resize::exactly(size).output_shape([1, 4, 4]).unwrap_err().to_string();
        assert_eq!(
            error([0, 5]),
            "size of a resized image: expected 1 to 32768 rows and columns, found 0 x 5"
        );
        error([usize::MAX, usize::MAX]);
        assert!(Resize::shorter(usize::MAX).output_shape([1, 4, 9]).is_err());
        assert!(Resize::shorter(30_000).output_shape([1, 4, 9]).is_err());
        assert!(CenterCrop::new([40_000, 1]).output_shape([1, 4, 4]).is_err());
    }
}
