//! Adam in one pass over memory.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

/// Constants of Adam (Kingma and Ba 2015, arXiv:1412.6980). The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamOptions {
    /// Decay of the mean of the gradients: 0.9.
    pub beta_1: f32,
    /// Decay of the mean of their squares: 0.999.
    pub beta_2: f32,
    /// Added to the root of the mean square: 1e-8.
    pub epsilon: f32,
    /// Factor of the parameter that is added to its gradient, if any: none.
    pub weight_decay: Option<f32>,
}

impl Default for AdamOptions {
    fn default() -> Self {
        AdamOptions { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: None }
    }
}

impl AdamOptions {
    /// The optimizer, for all parameters of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(FusedAdam::new(self))
    }
}

/// Burn's [`Adam`], bit for bit, without its temporary tensors.
///
/// On the flex device a step reads and writes every parameter and its two moments once, in place and on
/// all threads; elsewhere, and for other types than `f32`, Burn's operations compute it. The state is
/// that of [`Adam`]: records of one load into the other.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use selvedge_kernels::AdamOptions;
///
/// let optimizer: ModuleOptimizer = AdamOptions::default().init();
/// ```
#[derive(Clone)]
pub struct FusedAdam {
    options: AdamOptions,
    composed: Adam,
}

impl FusedAdam {
    /// The optimizer for one group of parameters.
    pub fn new(options: AdamOptions) -> Self {
        let composed = AdamConfig::new()
            .with_beta_1(options.beta_1)
            .with_beta_2(options.beta_2)
            .with_epsilon(options.epsilon)
            .with_weight_decay(options.weight_decay.map(WeightDecayConfig::new))
            .build();
        FusedAdam { options, composed }
    }
}

impl Optimizer for FusedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        #[cfg(feature = "flex")]
        if flex::is_fusable(&tensor, &grad, state.as_ref()) {
            let (tensor, state) = flex::step(&self.options, lr, (tensor, grad), state);
            return (tensor, Some(state));
        }
        self.composed.step(lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}

#[cfg(feature = "flex")]
mod flex {
    use super::AdamOptions;
    use burn::backend::{Flex, flex::FlexTensor};
    use burn::optim::{AdamState, AdaptiveMomentumState, LearningRate};
    use burn::tensor::{DType, Float, Tensor, TensorData};
    use rayon::prelude::*;

    use crate::simd::{Isa, Simd, Task};

    /// Parameters that one thread takes at a time: a quarter of a megabyte of the four arrays.
    const CHUNK: usize = 16 * 1024;

    fn is_plain_f32<const D: usize>(tensor: &Tensor<D>) -> bool {
        // A clone shares its numbers; only a successful conversion shows where they are.
        tensor.dtype() == DType::F32 && tensor.clone().try_into_primitive::<Flex>().is_ok()
    }

    /// Whether everything is `f32` on the flex device, outside of a graph.
    pub(super) fn is_fusable<const D: usize>(
        tensor: &Tensor<D>,
        grad: &Tensor<D>,
        state: Option<&AdamState<D>>,
    ) -> bool {
        let moments = state.is_none_or(|state| {
            let m = &state.momentum;
            m.max_moment_2.is_none() && is_plain_f32(&m.moment_1) && is_plain_f32(&m.moment_2)
        });
        moments && is_plain_f32(tensor) && is_plain_f32(grad)
    }

    /// The tensor with its numbers in order, all in one piece. A tensor that already is like that stays
    /// the only owner of its numbers.
    fn contiguous<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
        let tensor = tensor.try_into_primitive::<Flex>().expect("a tensor on the flex device");
        let whole = tensor.layout().num_elements() * size_of::<f32>() == tensor.bytes().len();
        match tensor.is_contiguous() && tensor.layout().start_offset() == 0 && whole {
            true => tensor,
            false => {
                let values = tensor.to_contiguous().as_slice::<f32>().expect("contiguous").to_vec();
                FlexTensor::from_data(TensorData::new(values, tensor.layout().shape().clone()))
            }
        }
    }

    fn tensor<const D: usize>(primitive: FlexTensor) -> Tensor<D, Float> {
        Tensor::from_primitive::<Flex>(primitive)
    }

    pub(super) fn step<const D: usize>(
        options: &AdamOptions,
        lr: LearningRate,
        (parameter, grad): (Tensor<D>, Tensor<D>),
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, AdamState<D>) {
        let mut momentum = state.map(|state| state.momentum).unwrap_or_else(|| {
            let zeros = || Tensor::zeros(parameter.dims(), &parameter.device());
            AdaptiveMomentumState::new(0, zeros(), zeros())
        });
        momentum.time += 1;
        let factors = Factors::new(options, lr, momentum.time);
        let grad = contiguous(grad);
        let mut arrays = [parameter, momentum.moment_1, momentum.moment_2].map(contiguous);
        {
            let [parameter, moment_1, moment_2] = &mut arrays;
            let grad = grad.as_slice::<f32>().expect("a contiguous f32 tensor");
            parameter
                .storage_mut::<f32>()
                .par_chunks_mut(CHUNK)
                .zip(moment_1.storage_mut::<f32>().par_chunks_mut(CHUNK))
                .zip(moment_2.storage_mut::<f32>().par_chunks_mut(CHUNK))
                .zip(grad.par_chunks(CHUNK))
                .for_each(|(((parameter, moment_1), moment_2), grad)| {
                    let factors = &factors;
                    Isa::current().run(Chunk { factors, parameter, moment_1, moment_2, grad });
                });
        }
        let [parameter, moment_1, moment_2] = arrays.map(tensor);
        let momentum =
            AdaptiveMomentumState { time: momentum.time, moment_1, moment_2, max_moment_2: None };
        (parameter, AdamState { momentum })
    }

    /// The numbers of a step, in the precision and order in which Burn computes them.
    struct Factors {
        beta_1: f32,
        beta_2: f32,
        combined: f32,
        epsilon: f32,
        lr: f32,
        weight_decay: Option<f32>,
    }

    impl Factors {
        fn new(options: &AdamOptions, lr: LearningRate, time: usize) -> Self {
            let time = time as i32;
            let root = (1.0 - options.beta_2.powi(time)).sqrt();
            Factors {
                beta_1: options.beta_1,
                beta_2: options.beta_2,
                combined: root / (1.0 - options.beta_1.powi(time)),
                epsilon: options.epsilon * root,
                lr: lr as f32,
                weight_decay: options.weight_decay,
            }
        }
    }

    /// A piece of a parameter. All slices have the same length.
    struct Chunk<'a> {
        factors: &'a Factors,
        parameter: &'a mut [f32],
        moment_1: &'a mut [f32],
        moment_2: &'a mut [f32],
        grad: &'a [f32],
    }

    impl Task for Chunk<'_> {
        type Output = ();

        // The compiler vectorises the loop; every operation in it is rounded the same in any width.
        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            let f = self.factors;
            let (rest_1, rest_2) = (1.0 - f.beta_1, 1.0 - f.beta_2);
            let decay = f.weight_decay.unwrap_or(0.0);
            let decays = f.weight_decay.is_some();
            let moments = self.moment_1.iter_mut().zip(self.moment_2);
            for ((p, (m, v)), &g) in self.parameter.iter_mut().zip(moments).zip(self.grad) {
                let g = if decays { *p * decay + g } else { g };
                *m = *m * f.beta_1 + g * rest_1;
                *v = *v * f.beta_2 + g * g * rest_2;
                let update = *m * f.combined / (v.sqrt() + f.epsilon);
                *p -= update * f.lr;
            }
        }
    }
}
