use burn::tensor::Tensor;

use crate::plot::pixels;

/// Filters that are drawn.
const MOST: usize = 40;

/// The first filters as images.
#[derive(Debug)]
pub(super) struct Filters {
    /// The layer that has them.
    pub layer: String,
    /// Of the first of them, in the shape beside it.
    pub images: Vec<Vec<u8>>,
    /// `[channels, rows, columns]`: grey or coloured.
    pub shape: [usize; 3],
    /// How many there are, drawn or not.
    pub count: usize,
}

impl Filters {
    /// Grey or coloured images with one scale for all, 0 in the middle, of a weight `[filters, channels, rows,
    /// columns]`.
    pub fn of(layer: String, weight: Tensor<4>) -> Self {
        let [count, channels, height, width] = weight.dims();
        // Of other numbers of channels than pictures have, their mean.
        let (weight, channels) = match channels {
            1 | 3 => (weight, channels),
            _ => (weight.mean_dim(1), 1),
        };
        let largest = weight.clone().abs().max().into_scalar::<f32>().max(f32::MIN_POSITIVE);
        let all = pixels(weight / (2.0 * largest) + 0.5);
        let size = channels * height * width;
        let images = all.chunks(size).take(count.min(MOST)).map(<[u8]>::to_vec).collect();
        Self { layer, images, shape: [channels, height, width], count }
    }
}
