use burn::tensor::TensorData;
use rand::{Rng as _, SeedableRng, rngs::Xoshiro256PlusPlus};
use serde::{Deserialize, Serialize};

/// How the weights of a network are drawn before training.
///
/// The values are drawn on the host by one generator with a fixed algorithm (xoshiro256++), tensor
/// after tensor in the order of the layers: the same seed gives the same weights on every device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialization {
    /// PyTorch's default: weights and biases uniform in ±1/√fan_in.
    #[default]
    #[serde(rename = "pytorch", alias = "py_torch")]
    PyTorch,
    /// The same, but convolutions begin as the identity: as many of their first output channels as there are inputs
    /// pass these through (PyTorch's `dirac_`; Jordan, 2024, arXiv 2404.00498). Those with kernels without a middle, of
    /// one pixel, or in groups are left as they are.
    #[serde(rename = "pytorch_dirac")]
    PyTorchDirac,
    /// Normal with standard deviation √(2 / fan_in); biases 0 (He et al., 2015).
    HeNormal,
    /// The same, but √(1 / fan_in) for the last linear layer, which no ReLU follows: PyTorch's `kaiming_normal_` with
    /// `nonlinearity='linear'` there.
    HeNormalLinearHead,
    /// Uniform in ±√(6 / fan_in); biases 0 (He et al., 2015).
    HeUniform,
    /// Normal with standard deviation √(2 / (fan_in + fan_out)); biases 0 (Glorot and Bengio, 2010).
    XavierNormal,
    /// Uniform in ±√(6 / (fan_in + fan_out)); biases 0 (Glorot and Bengio, 2010).
    XavierUniform,
}

/// The number of inputs that reach one output, and the number of outputs that one input reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fan {
    pub input: usize,
    pub output: usize,
}

/// Draws the initial values of one network.
pub(crate) struct Sampler {
    initialization: Initialization,
    rng: Xoshiro256PlusPlus,
}

impl Sampler {
    pub fn new(initialization: Initialization, seed: u64) -> Self {
        Self { initialization, rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The values of a weight tensor of `shape`.
    pub fn weight(&mut self, shape: &[usize], fan: Fan) -> TensorData {
        let (input, output) = (fan.input as f64, fan.output as f64);
        match self.initialization {
            Initialization::PyTorch | Initialization::PyTorchDirac => {
                self.uniform(shape, 1.0 / input.sqrt())
            }
            Initialization::HeUniform => self.uniform(shape, (6.0 / input).sqrt()),
            Initialization::XavierUniform => self.uniform(shape, (6.0 / (input + output)).sqrt()),
            Initialization::HeNormal | Initialization::HeNormalLinearHead => {
                self.normal(shape, (2.0 / input).sqrt())
            }
            Initialization::XavierNormal => self.normal(shape, (2.0 / (input + output)).sqrt()),
        }
    }

    /// The weight of a convolution of one group, `[out_channels, in_channels, height, width]`.
    pub fn conv_weight(&mut self, shape: [usize; 4], fan: Fan) -> TensorData {
        let weight = self.weight(&shape, fan);
        let [out_channels, in_channels, height, width] = shape;
        let is_identity = self.initialization == Initialization::PyTorchDirac
            && height % 2 == 1
            && width % 2 == 1
            && height * width > 1;
        if !is_identity {
            return weight;
        }
        let mut values = weight.try_to_vec::<f32>().expect("weights are drawn as f32");
        let (kernel, middle) = (height * width, height / 2 * width + width / 2);
        for channel in 0..in_channels.min(out_channels) {
            let filter = channel * in_channels * kernel;
            values[filter..][..in_channels * kernel].fill(0.0);
            values[filter + channel * kernel + middle] = 1.0;
        }
        TensorData::new(values, shape)
    }

    /// The factor of the last linear layer's weights.
    pub fn head_scale(&self) -> Option<f64> {
        matches!(self.initialization, Initialization::HeNormalLinearHead)
            .then_some(std::f64::consts::FRAC_1_SQRT_2)
    }

    /// The values of a bias of `length` entries.
    pub fn bias(&mut self, length: usize, fan: Fan) -> TensorData {
        match self.initialization {
            Initialization::PyTorch | Initialization::PyTorchDirac => {
                self.uniform(&[length], 1.0 / (fan.input as f64).sqrt())
            }
            _ => TensorData::new(vec![0f32; length], [length]),
        }
    }

    fn uniform(&mut self, shape: &[usize], bound: f64) -> TensorData {
        let rng = &mut self.rng;
        fill(shape, || ((2.0 * unit(rng) - 1.0) * bound) as f32)
    }

    fn normal(&mut self, shape: &[usize], std: f64) -> TensorData {
        let rng = &mut self.rng;
        // Box and Muller's transform; 1 - u is never 0, so the logarithm is finite.
        fill(shape, || {
            let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
            (radius * (std::f64::consts::TAU * unit(rng)).cos() * std) as f32
        })
    }
}

/// A number in [0, 1) from the upper 53 bits of the generator's next word.
pub(crate) fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn fill(shape: &[usize], mut next: impl FnMut() -> f32) -> TensorData {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    TensorData::new(values, shape.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAN: Fan = Fan { input: 300, output: 100 };

    fn values(initialization: Initialization, seed: u64) -> Vec<f32> {
        let data = Sampler::new(initialization, seed).weight(&[100, 300], FAN);
        data.try_to_vec().unwrap()
    }

    fn std(values: &[f32]) -> f64 {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| *v as f64).sum::<f64>() / n;
        (values.iter().map(|v| (*v as f64 - mean).powi(2)).sum::<f64>() / n).sqrt()
    }

    #[test]
    fn standard_deviations_are_those_of_the_papers() {
        // A uniform distribution in ±b has standard deviation b / √3.
        for (init, expected) in [
            (Initialization::PyTorch, (1.0f64 / 300.0 / 3.0).sqrt()),
            (Initialization::HeNormal, (2.0f64 / 300.0).sqrt()),
            (Initialization::HeUniform, (2.0f64 / 300.0).sqrt()),
            (Initialization::XavierNormal, (2.0f64 / 400.0).sqrt()),
            (Initialization::XavierUniform, (2.0f64 / 400.0).sqrt()),
        ] {
            let found = std(&values(init, 1));
            assert!((found / expected - 1.0).abs() < 0.02, "{init:?}: {found} against {expected}");
        }
    }

    #[test]
    fn uniform_values_stay_within_their_bound() {
        let bound = (1.0f32 / 300.0).sqrt();
        assert!(values(Initialization::PyTorch, 2).iter().all(|v| v.abs() <= bound));
    }

    #[test]
    fn the_seed_alone_decides() {
        assert_eq!(values(Initialization::HeNormal, 3), values(Initialization::HeNormal, 3));
        assert_ne!(values(Initialization::HeNormal, 3), values(Initialization::HeNormal, 4));
    }

    #[test]
    fn dirac_kernels_pass_their_inputs_through() {
        let fan = Fan { input: 18, output: 27 };
        let mut sampler = Sampler::new(Initialization::PyTorchDirac, 5);
        let weight = sampler.conv_weight([3, 2, 3, 3], fan).try_to_vec::<f32>().unwrap();
        for (filter, values) in weight.chunks(18).enumerate() {
            for (at, value) in values.iter().enumerate() {
                match filter {
                    2 => assert!(*value != 0.0 && value.abs() <= 1.0 / 18f32.sqrt()),
                    // The middle of the kernel of the channel of the same number.
                    _ => assert_eq!(*value, f32::from(u8::from(at == filter * 9 + 4))),
                }
            }
        }
        // Of two by two pixels, none is the middle.
        let drawn = sampler.conv_weight([3, 2, 2, 2], fan).try_to_vec::<f32>().unwrap();
        assert!(drawn.iter().all(|value| *value != 0.0));
    }

    #[test]
    fn biases_are_zero_unless_pytorch_draws_them() {
        let zero = Sampler::new(Initialization::HeNormal, 0).bias(4, FAN);
        assert_eq!(zero.try_to_vec::<f32>().unwrap(), [0.0; 4]);
        let drawn = Sampler::new(Initialization::PyTorch, 0).bias(4, FAN);
        assert!(drawn.try_to_vec::<f32>().unwrap().iter().all(|v| *v != 0.0));
    }
}
