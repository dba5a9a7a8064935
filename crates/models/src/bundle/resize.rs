//! How images of any size become those that a network takes.

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// How an image of any size becomes one of the height and width that the network takes: bilinear and
/// antialiased. (`selvedge-data`'s `Resize`, which does it, has the same JSON.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageResize {
    /// The shorter side becomes so many pixels long, and the middle is cut out: torchvision's `Resize` and
    /// `CenterCrop`.
    ShorterSide(usize),
    /// Both sides become those that the network takes, whatever their proportion was.
    Stretch,
}

/// The longest side of an image.
const LONGEST_SIDE: usize = 65_535;

impl ImageResize {
    /// `Ok` if an image of `input = [channels, height, width]` can be cut out.
    pub(super) fn check(self, input: [usize; 3]) -> Result<(), ModelError> {
        let [_, height, width] = input;
        let least = height.max(width);
        match self {
            Self::ShorterSide(side) if !(least..=LONGEST_SIDE).contains(&side) => {
                Err(ModelError::Setting {
                    name: "shorter side of resized images",
                    value: side.to_string(),
                    expected: format!("{least} to {LONGEST_SIDE}").into(),
                })
            }
            _ => Ok(()),
        }
    }
}
