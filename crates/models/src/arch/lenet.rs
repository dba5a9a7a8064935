use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::{Architecture, AvgPool, Conv};

/// LeNet-5 (LeCun et al., 1998) as it is taught today: two convolutions of 5 × 5 with 6 and 16 channels and
/// three linear layers of 120, 84 and as many features as classes; hyperbolic tangents and average pools.
///
/// Of the paper's network, the pools have no weights, every channel of the second convolution sees all of
/// the first one, the tangents are not scaled, and the outputs are logits instead of distances.
///
/// ```
/// use selvedge_models::LeNet5;
///
/// // 6·25 + 6, 16·6·25 + 16, 400·120 + 120, 120·84 + 84, 84·10 + 10
/// assert_eq!(LeNet5::new(10).architecture().summary()?.parameters(), 61_706);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeNet5 {
    /// `[channels, height, width]` of an image; the paper's are of 32 × 32 pixels, 28 × 28 in a frame, and
    /// smaller ones get this frame here: the first convolution pads images below 32 × 32 by 2.
    #[serde(default = "grey_28")]
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
}

impl LeNet5 {
    /// For 28 × 28 grey images.
    pub fn new(classes: usize) -> Self {
        Self { input: grey_28(), classes }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data.
    pub fn architecture(&self) -> Architecture {
        let [_, height, width] = self.input;
        let padding = if height.min(width) < 32 { 2 } else { 0 };
        Architecture::new("lenet5", self.input)
            .layer("conv1", Conv::new(6, 5).padding(padding))
            .tanh()
            .op(AvgPool::new(2))
            .conv("conv2", 16, 5, 0)
            .tanh()
            .op(AvgPool::new(2))
            .flatten()
            .linear("fc1", 120)
            .tanh()
            .linear("fc2", 84)
            .tanh()
            .linear("fc3", self.classes)
    }
}
