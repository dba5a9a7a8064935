//! What makes pictures of maps.

use burn::tensor::{Device, Tensor, TensorData};

use super::subject::setting;
use crate::ModelError;

/// The largest absolute value over the channels, `[batch, channels, height, width]` to `[batch, 1, height, width]`: how
/// Simonyan et al. (2014) show a gradient.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::explain::largest_over_channels;
///
/// let map = Tensor::<4>::from_data([[[[1.0, 2.0]], [[-3.0, 0.5]]]], &Device::flex());
/// assert_eq!(largest_over_channels(map).into_data().try_to_vec::<f32>()?, [3.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn largest_over_channels(maps: Tensor<4>) -> Tensor<4> {
    maps.abs().max_dim(1)
}

/// Maps in another size, `[height, width]`, by bilinear interpolation: `[batch, channels, rows, columns]` to `[batch,
/// channels, height, width]`. As PyTorch's `interpolate` with `mode="bilinear", align_corners=False`: the middle of
/// pixel i of n lies at (i + 1/2) / n of the side, and beyond the outermost middles the map stays what it is there.
///
/// # Errors
///
/// [`ModelError::Setting`] for a map or a size without pixels.
pub fn upsample(maps: Tensor<4>, size: [usize; 2]) -> Result<Tensor<4>, ModelError> {
    let [_, _, rows, columns] = maps.dims();
    let [height, width] = size;
    for (name, [a, b]) in [("size", size), ("the size of the maps", [rows, columns])] {
        if a.min(b) == 0 {
            return Err(setting(name, format!("{a} × {b}"), "at least 1 × 1"));
        }
    }
    let maps = maps.inner();
    let device = maps.device();
    let over_rows = between(rows, height, &device);
    let over_columns = between(columns, width, &device).swap_dims(2, 3);
    Ok(over_rows.matmul(maps).matmul(over_columns))
}

/// The matrix, `[1, 1, to, from]`, that takes `from` values to `to` values between them.
fn between(from: usize, to: usize, device: &Device) -> Tensor<4> {
    let mut matrix = vec![0f32; to * from];
    for (i, row) in matrix.chunks_mut(from).enumerate() {
        let place = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let place = place.clamp(0.0, (from - 1) as f64);
        let left = place as usize;
        let share = place - left as f64;
        row[left] += (1.0 - share) as f32;
        row[(left + 1).min(from - 1)] += share as f32;
    }
    Tensor::from_data(TensorData::new(matrix, [1, 1, to, from]), device)
}
