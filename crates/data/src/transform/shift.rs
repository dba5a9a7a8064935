use serde::{Deserialize, Serialize};

use super::padding::copy_part;
use super::{ImageRef, PaddingMode, Transform, require};
use crate::{DataError, SplitMix64};

/// Moves an image by whole pixels; what comes in from beyond its edge is padding.
///
/// ```
/// use selvedge_data::SplitMix64;
/// use selvedge_data::transform::{ImageRef, Shift, Transform};
///
/// let image = ImageRef { pixels: &[1, 2, 3], shape: [1, 1, 3] };
/// let mut moved = [0; 3];
/// Shift::new(0, 1).apply(image, &mut SplitMix64::new(1), &mut moved);
/// assert_eq!(moved, [0, 1, 2]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shift {
    /// Rows by which it goes down; negative, up.
    pub down: i32,
    /// Columns by which it goes to the right; negative, to the left.
    pub right: i32,
    /// What comes in.
    pub padding_mode: PaddingMode,
    /// Its value, where it is a constant.
    pub fill: u8,
}

impl Shift {
    /// So many rows down and columns to the right; zeros come in.
    pub fn new(down: i32, right: i32) -> Self {
        Self { down, right, ..Self::default() }
    }
}

impl Transform for Shift {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let most = [self.down, self.right].map(|by| by.unsigned_abs() as usize);
        check("shift", most, self.padding_mode, input)
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        let by = [self.down as isize, self.right as isize];
        shift(image, by, (self.padding_mode, self.fill), output);
    }
}

/// Moves an image by whole pixels, drawn uniformly: the same as padding it on all sides and cutting out a
/// part of its own size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomShift {
    /// The most rows by which it goes up or down, and columns to either side.
    pub max: [usize; 2],
    /// What comes in.
    #[serde(default)]
    pub padding_mode: PaddingMode,
    /// Its value, where it is a constant.
    #[serde(default)]
    pub fill: u8,
}

impl RandomShift {
    /// By at most so many pixels in each direction; zeros come in.
    pub fn new(max: usize) -> Self {
        Self { max: [max; 2], padding_mode: PaddingMode::Constant, fill: 0 }
    }

    /// The same, with the image mirrored at its edges in place of the zeros.
    pub fn reflected(self) -> Self {
        Self { padding_mode: PaddingMode::Reflect, ..self }
    }
}

impl Transform for RandomShift {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        check("random shift", self.max, self.padding_mode, input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let by = self.max.map(|max| rng.below(2 * max as u64 + 1) as isize - max as isize);
        shift(image, by, (self.padding_mode, self.fill), output);
    }
}

/// A shift leaves something of the image, and comes to the end of no mirror.
fn check(
    what: &str,
    by: [usize; 2],
    mode: PaddingMode,
    input: [usize; 3],
) -> Result<[usize; 3], DataError> {
    let [_, height, width] = input;
    let fits = |(by, side): (usize, usize)| by < side && by <= mode.most(side);
    let expected = format!("fewer rows and columns than an image of {height} x {width} has");
    let all = by.into_iter().zip([height, width]).all(fits);
    require(all, what, &expected, format!("{} and {}", by[0], by[1]))?;
    Ok(input)
}

fn shift(
    image: ImageRef<'_>,
    [down, right]: [isize; 2],
    beyond: (PaddingMode, u8),
    output: &mut [u8],
) {
    let [_, height, width] = image.shape;
    for (plane, output) in image.planes().zip(output.chunks_exact_mut(height * width)) {
        copy_part(plane, [height, width], [-down, -right], beyond, (output, width));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn apply(transform: &impl Transform, seed: u64) -> Vec<u8> {
        let pixels: Vec<u8> = (1..=6).collect();
        let image = ImageRef { pixels: &pixels, shape: [1, 2, 3] };
        assert_eq!(transform.output_shape(image.shape).unwrap(), image.shape);
        let mut output = vec![99; 6];
        transform.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    #[test]
    fn what_goes_out_on_one_side_is_padding_on_the_other() {
        assert_eq!(apply(&Shift::new(0, 0), 0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(apply(&Shift::new(1, 0), 0), [0, 0, 0, 1, 2, 3]);
        assert_eq!(apply(&Shift::new(-1, 2), 0), [0, 0, 4, 0, 0, 0]);
        let filled = Shift { fill: 9, ..Shift::new(0, -2) };
        assert_eq!(apply(&filled, 0), [3, 9, 9, 6, 9, 9]);
        let reflected = Shift { padding_mode: PaddingMode::Reflect, ..Shift::new(0, 1) };
        assert_eq!(apply(&reflected, 0), [2, 1, 2, 5, 4, 5]);
    }

    #[test]
    fn a_random_shift_makes_every_shift_and_no_other() {
        let random = RandomShift { max: [1, 2], ..RandomShift::new(0) };
        let found: BTreeSet<Vec<u8>> = (0..2_000).map(|seed| apply(&random, seed)).collect();
        let all = (-1..=1).flat_map(|down| (-2..=2).map(move |right| Shift::new(down, right)));
        // Fifteen of them; each is missed with a probability of (14/15)^2000, or 1e-60.
        assert_eq!(found, all.map(|shift| apply(&shift, 0)).collect());
    }

    #[test]
    fn shifts_that_leave_nothing_are_refused() {
        let error = Shift::new(0, 3).output_shape([1, 2, 3]).unwrap_err().to_string();
        assert_eq!(
            error,
            "shift: expected fewer rows and columns than an image of 2 x 3 has, found 0 and 3"
        );
        assert!(RandomShift::new(2).output_shape([1, 2, 3]).is_err());
        assert!(Shift::new(i32::MIN, 0).output_shape([1, 2, 3]).is_err());
    }
}
