use selvedge_train::Tta;
use serde::{Deserialize, Serialize};

/// In which views a trained classifier sees the test images: the probabilities are
/// [averaged](selvedge_train::Tta).
///
/// Validation images, by which choices are made, are shown as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TestTime {
    /// Also mirrored left and right.
    pub flips: bool,
    /// Also moved by so many pixels up, down, left and right; 0 is not at all.
    pub shifts: u16,
}

impl TestTime {
    /// The views; `None` if it is the image as it is alone.
    pub fn views(self) -> Option<Tta> {
        match (self.flips, self.shifts) {
            (false, 0) => None,
            (true, 0) => Some(Tta::flips()),
            (false, pixels) => Some(Tta::shifts(pixels)),
            (true, pixels) => Some(Tta::shifts(pixels).with_flips()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flips_and_shifts_make_ten_views_and_neither_makes_none() {
        let count = |flips, shifts| TestTime { flips, shifts }.views().map(|views| views.len());
        assert_eq!([count(true, 1), count(true, 0)], [Some(10), Some(2)]);
        assert_eq!([count(false, 2), count(false, 0)], [Some(5), None]);
    }
}
