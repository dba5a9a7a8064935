use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng as _;

use crate::Rng;

/// Sets single values to 0 with `probability` and scales the others by 1 / (1 - probability).
///
/// The choice is drawn on the host from `rng`: it is then the same on every device, and independent
/// of whatever else draws random numbers in the same process.
pub(crate) fn values<const D: usize>(x: Tensor<D>, probability: f64, rng: &mut Rng) -> Tensor<D> {
    let shape = x.dims();
    masked(x, shape, probability, rng)
}

/// Sets whole channels of `[batch, channels, height, width]` to 0 with `probability` and scales the
/// others by 1 / (1 - probability).
pub(crate) fn channels(x: Tensor<4>, probability: f64, rng: &mut Rng) -> Tensor<4> {
    let [batch, channels, _, _] = x.dims();
    let factors = factors([batch, channels], probability, rng, &x.device());
    x * factors.reshape([batch, channels, 1, 1])
}

/// Sets all values of an image to 0 with `probability` and scales the others by 1 / (1 - probability).
pub(crate) fn rows<const D: usize>(x: Tensor<D>, probability: f64, rng: &mut Rng) -> Tensor<D> {
    let mut shape = [1; D];
    shape[0] = x.dims()[0];
    masked(x, shape, probability, rng)
}

/// The product with a mask of this shape, in which a side of 1 stands for all.
fn masked<const D: usize>(
    x: Tensor<D>,
    shape: [usize; D],
    probability: f64,
    rng: &mut Rng,
) -> Tensor<D> {
    let mask = Tensor::from_data(mask(&shape, probability, rng), &x.device());
    x * mask
}

/// The factors of [`channels`], `[batch, channels]`, for whoever applies them.
pub(crate) fn factors(
    shape: [usize; 2],
    probability: f64,
    rng: &mut Rng,
    device: &Device,
) -> Tensor<2> {
    Tensor::from_data(mask(&shape, probability, rng), device)
}

fn mask(shape: &[usize], probability: f64, rng: &mut Rng) -> TensorData {
    let scale = (1.0 / (1.0 - probability)) as f32;
    // Each draw of 64 bits decides about two values, without a jump, which the processor could not
    // foresee.
    let dropped = (probability * 2.0_f64.powi(32)) as u32;
    let value = |bits: u32| f32::from(u8::from(bits >= dropped)) * scale;
    let len = shape.iter().product::<usize>();
    let mut values = vec![0.0; len.next_multiple_of(2)];
    for pair in values.chunks_exact_mut(2) {
        let bits = rng.next_u64();
        pair.copy_from_slice(&[value(bits as u32), value((bits >> 32) as u32)]);
    }
    values.truncate(len);
    TensorData::new(values, shape.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_dropped_channel_is_zero_everywhere_and_the_others_are_scaled() {
        let x = Tensor::<4>::ones([50, 20, 2, 3], &Device::flex());
        let y = channels(x, 0.2, &mut Rng::seed_from_u64(7));
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        let mut dropped = 0;
        for channel in y.chunks(6) {
            assert!(channel.iter().all(|v| *v == channel[0]));
            assert!(channel[0] == 0.0 || channel[0] == 1.25, "{}", channel[0]);
            dropped += usize::from(channel[0] == 0.0);
        }
        // 1000 draws with p = .2: mean 200, standard deviation 12.6; five deviations allowed.
        assert!((137..=263).contains(&dropped), "{dropped}");
    }

    #[test]
    fn an_image_is_left_out_as_a_whole() {
        let x = Tensor::<4>::ones([500, 2, 2, 3], &Device::flex());
        let y = rows(x, 0.2, &mut Rng::seed_from_u64(7)).into_data().try_to_vec::<f32>().unwrap();
        let is_one_of = |image: &[f32], v: f32| image.iter().all(|value| *value == v);
        assert!(y.chunks(12).all(|image| is_one_of(image, 0.0) || is_one_of(image, 1.25)));
        let dropped = y.chunks(12).filter(|image| image[0] == 0.0).count();
        // 500 draws with p = .2: mean 100, standard deviation 8.9; five deviations allowed.
        assert!((55..=145).contains(&dropped), "{dropped}");
        let features =
            rows(Tensor::<2>::ones([9, 4], &Device::flex()), 0.5, &mut Rng::seed_from_u64(1));
        assert!(
            features.into_data().try_to_vec::<f32>().unwrap().chunks(4).all(|r| is_one_of(r, r[0]))
        );
    }

    #[test]
    fn the_mean_is_kept() {
        let x = Tensor::<2>::ones([100, 100], &Device::flex());
        let y = values(x, 0.5, &mut Rng::seed_from_u64(7)).mean().into_scalar::<f32>();
        // 10,000 values of 0 or 2: standard deviation of the mean .01; five deviations allowed.
        assert!((y - 1.0).abs() < 0.05, "{y}");
    }
}
