//! The values that pixels have in a valid image.

use burn::tensor::{Device, Tensor, TensorData};

use super::subject::setting;
use crate::ModelError;

/// The least and the largest value that a pixel of a valid image has once it is normalized: one pair for all channels, or
/// one for each.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelRange(pub Vec<[f64; 2]>);

impl PixelRange {
    /// Of pixels from 0 to 1 that are not normalized.
    pub fn unit() -> Self {
        Self(vec![[0.0, 1.0]])
    }

    /// Of pixels p from 0 to 1 that became (p - mean) / std, as [`Bundle::mean`](crate::Bundle::mean) and
    /// [`Bundle::std`](crate::Bundle::std) say it.
    ///
    /// ```
    /// use selvedge_models::explain::PixelRange;
    ///
    /// assert_eq!(PixelRange::normalized(&[0.5], &[0.25]), PixelRange(vec![[-2.0, 2.0]]));
    /// ```
    pub fn normalized(mean: &[f32], std: &[f32]) -> Self {
        let pair = |(mean, std): (&f32, &f32)| {
            let (mean, std) = (f64::from(*mean), f64::from(*std));
            [-mean / std, (1.0 - mean) / std]
        };
        Self(mean.iter().zip(std).map(pair).collect())
    }

    /// The lower and the upper ends, `[1, channels, 1, 1]`.
    pub(super) fn ends(
        &self,
        channels: usize,
        device: &Device,
    ) -> Result<[Tensor<4>; 2], ModelError> {
        let given = self.0.len();
        if given != 1 && given != channels {
            let expected = format!("1, or {channels}, one for each channel");
            return Err(setting("the number of pixel ranges", given, expected));
        }
        let sound = |[low, high]: &[f64; 2]| {
            (*low as f32).is_finite() && (*high as f32).is_finite() && low < high
        };
        if let Some([low, high]) = self.0.iter().find(|pair| !sound(pair)) {
            let expected = "finite, with the lower end below the upper one";
            return Err(setting("pixel range", format!("{low} to {high}"), expected));
        }
        let of = |end: usize| {
            let values = self.0.iter().cycle().take(channels).map(|pair| pair[end] as f32);
            let values = TensorData::new(values.collect::<Vec<f32>>(), [1, channels, 1, 1]);
            Tensor::from_data(values, device)
        };
        Ok([of(0), of(1)])
    }
}
