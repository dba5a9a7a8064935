//! What covering a part of the image does.

use burn::tensor::{Tensor, TensorData};

use super::subject::{Subject, setting};
use crate::{ModelError, Network};

/// What [`occlusion`] covers the image with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occlusion {
    /// The sides of the window, `[height, width]`, in pixels.
    pub window: [usize; 2],
    /// Its steps, in pixels; not more than its sides, so that every pixel is covered.
    pub stride: [usize; 2],
    /// The value that all channels have in it, normalized as the network takes them: 0 is the mean of the training
    /// images after normalization.
    pub baseline: f64,
}

impl Default for Occlusion {
    /// Windows of 5 × 5 pixels in steps of 2, filled with 0.
    fn default() -> Self {
        Self { window: [5; 2], stride: [2; 2], baseline: 0.0 }
    }
}

/// Occlusion (Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014): how much each image's
/// logit falls when a window is filled with one value; for each pixel the mean over the windows that cover it. From
/// `[batch, channels, height, width]` to `[batch, 1, height, width]`; negative where the logit rises.
///
/// A last window may reach over the border. It is a pass of the network for every place of the window.
///
/// # Errors
///
/// As [`saliency`](super::saliency), and [`ModelError::Setting`] for a window without pixels or larger than the image, a
/// stride of 0 or larger than the window, and a baseline that is not finite.
pub fn occlusion(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    settings: Occlusion,
) -> Result<Tensor<4>, ModelError> {
    let [_, height, width] = network.architecture().input;
    let Occlusion { window, stride, baseline } = settings;
    if window.contains(&0) || window[0] > height || window[1] > width {
        let expected = format!("1 × 1 to {height} × {width}, the size of the image");
        return Err(setting("window", format!("{} × {}", window[0], window[1]), expected));
    }
    if stride.contains(&0) || stride[0] > window[0] || stride[1] > window[1] {
        let expected = format!("1 × 1 to {} × {}, the size of the window", window[0], window[1]);
        return Err(setting("stride", format!("{} × {}", stride[0], stride[1]), expected));
    }
    if !(baseline as f32).is_finite() {
        return Err(setting("baseline", baseline, "finite"));
    }
    let subject = Subject::new(network, images, classes)?;
    let images = subject.images.clone();
    let [batch, channels, ..] = images.dims();
    let whole = host(subject.logits(images.clone()));
    let [rows, columns] = [[height, 0], [width, 1]].map(|[side, axis]| {
        let last = (side - window[axis]).div_ceil(stride[axis]);
        let starts = (0..=last).map(|i| i * stride[axis]);
        starts.map(|start| start..(start + window[axis]).min(side)).collect::<Vec<_>>()
    });
    let places: Vec<_> =
        rows.iter().flat_map(|r| columns.iter().map(move |q| (r.clone(), q.clone()))).collect();
    let pixels = height * width;
    let (mut falls, mut counts) = (vec![0f64; batch * pixels], vec![0f64; pixels]);
    for places in places.chunks(subject.together()) {
        let covered = places.iter().map(|(r, q)| {
            let shape = [batch, channels, r.len(), q.len()];
            let patch = Tensor::full(shape, baseline, &subject.device());
            images.clone().slice_assign([0..batch, 0..channels, r.clone(), q.clone()], patch)
        });
        let logits = host(subject.logits(Tensor::cat(covered.collect(), 0)));
        for ((r, q), logits) in places.iter().zip(logits.chunks(batch)) {
            for pixel in r.clone().flat_map(|row| q.clone().map(move |column| row * width + column))
            {
                counts[pixel] += 1.0;
                for (n, (whole, covered)) in whole.iter().zip(logits).enumerate() {
                    falls[n * pixels + pixel] += (whole - covered) as f64;
                }
            }
        }
    }
    let means = falls.iter().zip(counts.iter().cycle()).map(|(fall, count)| (fall / count) as f32);
    let map = TensorData::new(means.collect::<Vec<f32>>(), [batch, 1, height, width]);
    subject.finite(Tensor::from_data(map, &subject.device()))
}

fn host(values: Tensor<1>) -> Vec<f32> {
    values.into_data().iter::<f32>().collect()
}
