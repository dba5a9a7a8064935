//! A first convolution that makes the patches of images uncorrelated.

use burn::tensor::{Tensor, TensorData};

use super::{Network, state};
use crate::symmetric::eigen;
use crate::{ModelError, Op};

impl Network {
    /// Sets the weights of a convolution so that it whitens patches of `images`, `[batch, channels, height, width]`,
    /// normalized as the network takes them: each of its first half of filters is an eigenvector of the patches'
    /// covariance divided by √(eigenvalue + `epsilon`), the other half are their negatives, so that nothing is lost in
    /// an activation that follows; its bias, if it has one, is 0 (Jordan, 2024, arXiv 2404.00498). Such a layer is meant to stay as it is:
    /// [`freeze`](Self::freeze) it.
    ///
    /// The layer is one that the images reach first, without anything before it, in one group, and has twice as many
    /// output channels as its kernel has values of an input: 24 for colour images and 2 × 2 pixels. Some thousand
    /// images are enough.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_models::{Airbench, Initialization};
    ///
    /// let device = Device::flex();
    /// let network = Airbench::default().architecture().init(Initialization::PyTorchDirac, 0, &device)?;
    /// let images = Tensor::random([8, 3, 32, 32], burn::tensor::Distribution::Default, &device);
    /// let network = network.whiten("whiten", images, 5e-4)?.freeze(&"whiten.weight".parse()?)?;
    /// assert_eq!(network.frozen(), ["whiten.weight"]);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] if there is no such layer, it cannot be whitened, the images do not fit, `epsilon` is
    /// not above 0, or a pixel is not a number.
    pub fn whiten(self, layer: &str, images: Tensor<4>, epsilon: f64) -> Result<Self, ModelError> {
        let ([out_channels, in_channels, height, width], has_bias) = self.can_whiten(layer)?;
        let wrong = |name, value: String, expected: &str| ModelError::Setting {
            name,
            value,
            expected: expected.to_string().into(),
        };
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(wrong("epsilon of the whitening", epsilon.to_string(), "above 0"));
        }
        let dims = images.dims();
        if dims[1..] != self.architecture.input || dims[0] == 0 {
            let expected = format!("at least one of {:?}", self.architecture.input);
            return Err(wrong("images to whiten", format!("{dims:?}"), &expected));
        }
        let pixels = images.into_data().convert::<f32>();
        let pixels: Vec<f32> = pixels.try_to_vec().expect("they were converted");
        if pixels.iter().any(|pixel| !pixel.is_finite()) {
            return Err(wrong("images to whiten", "NaN or infinity".into(), "finite numbers"));
        }
        let covariance = covariance(&pixels, dims, [height, width]);
        let n = in_channels * height * width;
        let (values, vectors) = eigen(covariance, n);
        let mut weight: Vec<f32> = Vec::with_capacity(out_channels * n);
        for sign in [1.0, -1.0] {
            for (column, value) in values.iter().enumerate() {
                let vector = || (0..n).map(|row| vectors[row * n + column]);
                // The largest entry is positive, so that the sign does not depend on how the vector was found.
                let largest = vector().reduce(|a, b| if b.abs() > a.abs() { b } else { a });
                let sign = sign * largest.map_or(1.0, f64::signum);
                let scale = sign / (value + epsilon).sqrt();
                weight.extend(vector().map(|v| (v * scale) as f32));
            }
        }
        let weight = TensorData::new(weight, [out_channels, in_channels, height, width]);
        let mut state = state::State::from([(format!("{layer}.weight"), weight)]);
        if has_bias {
            let bias = TensorData::zeros::<f32, _>([out_channels]);
            state.insert(format!("{layer}.bias"), bias);
        }
        Ok(state::write(self, state))
    }

    /// The shape of the weight of a layer that can be whitened, and whether it has a bias.
    fn can_whiten(&self, layer: &str) -> Result<([usize; 4], bool), ModelError> {
        let refused = |expected: String| ModelError::Setting {
            name: "layer to whiten",
            value: format!("`{layer}`"),
            expected: expected.into(),
        };
        let [in_channels, rows, columns] = self.architecture.input;
        let first = self.architecture.layers.first().filter(|first| first.name == layer);
        let Some(Op::Conv2d { out_channels, kernel, groups: 1, dilation: 1, bias, .. }) =
            first.map(|l| &l.op)
        else {
            let first = self.architecture.layers.first().map_or("", |first| first.name.as_str());
            return Err(refused(format!(
                "the first layer, `{first}`, if it is a convolution of one group"
            )));
        };
        let [height, width] = kernel.each();
        let expected = 2 * in_channels * height * width;
        match *out_channels == expected && height <= rows && width <= columns {
            true => Ok(([expected, in_channels, height, width], *bias)),
            false => Err(refused(format!(
                "{expected} output channels, twice the values under its kernel, not {out_channels}"
            ))),
        }
    }
}

/// The mean product of any two values of a patch, which is their covariance where the mean is 0, row by row.
fn covariance(
    pixels: &[f32],
    [_, channels, rows, columns]: [usize; 4],
    [height, width]: [usize; 2],
) -> Vec<f64> {
    let n = channels * height * width;
    let mut sums = vec![0f64; n * n];
    let mut patch = vec![0f64; n];
    let mut patches = 0usize;
    for image in pixels.chunks_exact(channels * rows * columns) {
        for top in 0..=rows - height {
            for left in 0..=columns - width {
                let mut values = patch.iter_mut();
                for plane in image.chunks_exact(rows * columns) {
                    for row in top..top + height {
                        let pixels = &plane[row * columns + left..][..width];
                        pixels
                            .iter()
                            .zip(&mut values)
                            .for_each(|(p, value)| *value = f64::from(*p));
                    }
                }
                for (a, sums) in patch.iter().zip(sums.chunks_exact_mut(n)) {
                    patch.iter().zip(sums).for_each(|(b, sum)| *sum += a * b);
                }
                patches += 1;
            }
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= patches as f64);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Conv, Initialization, Padding};
    use burn::tensor::{Device, Distribution};

    fn network(out_channels: usize) -> Network {
        let conv = Conv::new(out_channels, 2).padding(Padding::default());
        let net = Architecture::new("w", [3, 9, 7]).layer("whiten", conv);
        net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
    }

    #[test]
    fn whitened_patches_are_uncorrelated_and_of_variance_one() {
        let device = Device::flex();
        device.seed(3);
        // Neighbouring pixels that have much in common.
        let noise = Tensor::<4>::random([64, 3, 10, 8], Distribution::Normal(0.0, 1.0), &device);
        let images = noise.clone().slice([0..64, 0..3, 0..9, 0..7])
            + noise.clone().slice([0..64, 0..3, 1..10, 0..7])
            + noise.slice([0..64, 0..3, 0..9, 1..8]);
        let network = network(24).whiten("whiten", images.clone(), 1e-9).unwrap();
        let state = state::read(&network);
        assert_eq!(state["whiten.bias"].clone().try_to_vec::<f32>().unwrap(), [0.0; 24]);
        let maps = network.feature_maps(&["whiten"], images).unwrap().remove(0).1;
        let maps: Vec<f32> = maps.into_data().try_to_vec().unwrap();
        let (places, n) = (8 * 6, 64 * 8 * 6);
        let channel = |c: usize| {
            let maps = &maps;
            let map = move |i: usize| maps[(i * 24 + c) * places..][..places].iter();
            (0..64).flat_map(move |i| map(i).map(|v| f64::from(*v)))
        };
        for a in 0..12 {
            for b in 0..12 {
                let product =
                    channel(a).zip(channel(b)).map(|(a, b)| a * b).sum::<f64>() / n as f64;
                let expected = f64::from(u8::from(a == b));
                assert!((product - expected).abs() < 1e-4, "{a}, {b}: {product}");
            }
            assert!(channel(a).zip(channel(a + 12)).all(|(a, b)| (a + b).abs() < 1e-4));
        }
    }

    #[test]
    fn what_cannot_be_whitened_is_refused() {
        let images = || Tensor::<4>::ones([2, 3, 9, 7], &Device::flex());
        let message = |result: Result<Network, ModelError>| result.unwrap_err().to_string();
        let other = message(network(24).whiten("conv1", images(), 1e-3));
        assert!(other.contains("`conv1`") && other.contains("`whiten`"), "{other}");
        let narrow = message(network(20).whiten("whiten", images(), 1e-3));
        assert!(narrow.contains("24 output channels") && narrow.contains("not 20"), "{narrow}");
        assert!(network(24).whiten("whiten", images(), 0.0).is_err());
        assert!(network(24).whiten("whiten", images() * f32::NAN, 1e-3).is_err());
        let small = Tensor::<4>::ones([2, 3, 8, 7], &Device::flex());
        assert!(network(24).whiten("whiten", small, 1e-3).is_err());
    }
}
