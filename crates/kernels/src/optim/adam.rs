//! Adam in one pass over memory.

use burn::optim::AdaptiveMomentumState;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use super::rule::{Rule, Tensors, initial_state};
use super::step::step;

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
        self.step_in_one_pass(lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}

impl FusedAdam {
    fn step_in_one_pass<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let is_new = state.is_none();
        let momentum = match state {
            // A record of the AMSGrad variant, which only Burn's operations compute.
            Some(state) if state.momentum.max_moment_2.is_some() => {
                return self.composed.step(lr, parameter, grad, Some(state));
            }
            Some(state) => state.momentum,
            None => {
                let moment = || initial_state(&parameter);
                AdaptiveMomentumState::new(0, moment(), moment())
            }
        };
        let time = momentum.time;
        let rule = AdamRule::new(&self.options, lr, time + 1);
        let state = [momentum.moment_1, momentum.moment_2];
        let state_after = |time, [moment_1, moment_2]: [Tensor<D>; 2]| {
            Some(AdamState::new(AdaptiveMomentumState::new(time, moment_1, moment_2)))
        };
        match step(rule, Tensors { parameter, grad, state }) {
            Ok((parameter, state)) => (parameter, state_after(time + 1, state)),
            Err(unchanged) => {
                let Tensors { parameter, grad, state } = *unchanged;
                let state = if is_new { None } else { state_after(time, state) };
                self.composed.step(lr, parameter, grad, state)
            }
        }
    }
}

/// The constants of a step, in the precision and order in which Burn computes them.
#[derive(Clone, Copy)]
struct AdamRule {
    beta_1: f32,
    beta_2: f32,
    combined: f32,
    epsilon: f32,
    lr: f32,
    weight_decay: Option<f32>,
}

impl AdamRule {
    fn new(options: &AdamOptions, lr: LearningRate, time: usize) -> Self {
        let time = time as i32;
        let root = (1.0 - options.beta_2.powi(time)).sqrt();
        AdamRule {
            beta_1: options.beta_1,
            beta_2: options.beta_2,
            combined: root / (1.0 - options.beta_1.powi(time)),
            epsilon: options.epsilon * root,
            lr: lr as f32,
            weight_decay: options.weight_decay,
        }
    }
}

impl Rule<2> for AdamRule {
    #[inline(always)]
    fn step(self, parameter: f32, [m, v]: [f32; 2], grad: f32) -> (f32, [f32; 2]) {
        let grad = match self.weight_decay {
            Some(decay) => parameter * decay + grad,
            None => grad,
        };
        let m = m * self.beta_1 + grad * (1.0 - self.beta_1);
        let v = v * self.beta_2 + grad * grad * (1.0 - self.beta_2);
        let update = m * self.combined / (v.sqrt() + self.epsilon);
        (parameter - update * self.lr, [m, v])
    }
}
