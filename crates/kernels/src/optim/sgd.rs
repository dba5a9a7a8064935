//! Stochastic gradient descent in one pass over memory.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::optim::{RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};

use super::rule::{Rule, Tensors, initial_state};
use super::step::step;

/// Constants of stochastic gradient descent. The default is the plain method: no momentum, no decay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdOptions {
    /// What is kept of the steps before, if anything.
    pub momentum: Option<MomentumOptions>,
    /// Factor of the parameter that is added to its gradient, if any.
    pub weight_decay: Option<f64>,
}

/// How the velocity of a parameter follows from its gradients. The defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumOptions {
    /// Share of the velocity that is kept: 0.9.
    pub momentum: f64,
    /// Share of a gradient that does not enter the velocity, except for the first one: 0.
    pub dampening: f64,
    /// Whether the gradient is taken at the point to which the velocity leads (Nesterov): no.
    pub nesterov: bool,
}

impl Default for MomentumOptions {
    fn default() -> Self {
        MomentumOptions { momentum: 0.9, dampening: 0.0, nesterov: false }
    }
}

impl SgdOptions {
    /// The optimizer, for all parameters of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(FusedSgd::new(self))
    }
}

/// Burn's [`Sgd`](burn::optim::Sgd), in `f32` bit for bit, without its temporary tensors.
///
/// On the flex device a step reads and writes every parameter and its velocity once, in place and on
/// all threads; elsewhere, and for other types than `f32`, Burn's operations compute it. Records of
/// [`Sgd`](burn::optim::Sgd) load into it, and the other way round.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use selvedge_kernels::{MomentumOptions, SgdOptions};
///
/// let momentum = Some(MomentumOptions { nesterov: true, ..Default::default() });
/// let optimizer: ModuleOptimizer = SgdOptions { momentum, weight_decay: Some(1e-4) }.init();
/// ```
#[derive(Clone, Debug)]
pub struct FusedSgd {
    options: SgdOptions,
}

/// State of [`FusedSgd`]. In a record it looks like Burn's [`SgdState`](burn::optim::SgdState).
#[derive(Clone, Debug)]
pub struct FusedSgdState<const D: usize> {
    /// The sum of the gradients, older ones decayed; without momentum there is none.
    pub velocity: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for FusedSgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            let data = velocity.to_data();
            out.push_tensor(&join_path(prefix, "momentum"), "velocity", data);
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let velocity = src.take_tensor(&join_path(prefix, "momentum"), "velocity");
        Some(FusedSgdState { velocity: velocity.map(|data| Tensor::from_data(data, device)) })
    }
}

impl FusedSgd {
    /// The optimizer for one group of parameters.
    pub fn new(options: SgdOptions) -> Self {
        FusedSgd { options }
    }

    /// The step out of Burn's operations.
    fn compose<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        mut grad: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        if let Some(decay) = self.options.weight_decay {
            grad = parameter.clone().mul_scalar(decay).add(grad);
        }
        let Some(MomentumOptions { momentum, dampening, nesterov }) = self.options.momentum else {
            return (parameter - grad.mul_scalar(lr), velocity);
        };
        let velocity = match velocity {
            Some(velocity) => {
                grad.clone().mul_scalar(1.0 - dampening).add(velocity.mul_scalar(momentum))
            }
            None => grad.clone(),
        };
        let step = match nesterov {
            true => velocity.clone().mul_scalar(momentum).add(grad),
            false => velocity.clone(),
        };
        (parameter - step.mul_scalar(lr), Some(velocity))
    }
}

impl Optimizer for FusedSgd {
    type State<const D: usize> = FusedSgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<FusedSgdState<D>>,
    ) -> (Tensor<D>, Option<FusedSgdState<D>>) {
        let velocity = state.and_then(|state| state.velocity);
        let (tensor, velocity) = self.step_in_one_pass(lr, tensor, grad, velocity);
        (tensor, Some(FusedSgdState { velocity }))
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        FusedSgdState { velocity: state.velocity.map(|velocity| velocity.to_device(device)) }
    }
}

impl FusedSgd {
    fn step_in_one_pass<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        velocity: Option<Tensor<D>>,
    ) -> (Tensor<D>, Option<Tensor<D>>) {
        let weight_decay = self.options.weight_decay.map(|decay| decay as f32);
        let plain = PlainRule { lr: lr as f32, weight_decay };
        let Some(MomentumOptions { momentum, dampening, nesterov }) = self.options.momentum else {
            return match step(plain, Tensors { parameter, grad, state: [] }) {
                Ok((parameter, [])) => (parameter, velocity),
                Err(unchanged) => {
                    let Tensors { parameter, grad, .. } = *unchanged;
                    self.compose(lr, parameter, grad, velocity)
                }
            };
        };
        let is_new = velocity.is_none();
        // The first velocity is the first gradient.
        let share = if is_new { 1.0 } else { 1.0 - dampening };
        let rule = MomentumRule { plain, momentum: momentum as f32, share: share as f32, nesterov };
        let state = [velocity.unwrap_or_else(|| initial_state(&parameter))];
        match step(rule, Tensors { parameter, grad, state }) {
            Ok((parameter, [velocity])) => (parameter, Some(velocity)),
            Err(unchanged) => {
                let Tensors { parameter, grad, state: [velocity] } = *unchanged;
                self.compose(lr, parameter, grad, (!is_new).then_some(velocity))
            }
        }
    }
}

/// A step against the gradient.
#[derive(Clone, Copy)]
struct PlainRule {
    lr: f32,
    weight_decay: Option<f32>,
}

impl PlainRule {
    #[inline(always)]
    fn decayed(self, parameter: f32, grad: f32) -> f32 {
        match self.weight_decay {
            Some(decay) => parameter * decay + grad,
            None => grad,
        }
    }
}

impl Rule<0> for PlainRule {
    #[inline(always)]
    fn step(self, parameter: f32, _: [f32; 0], grad: f32) -> (f32, [f32; 0]) {
        (parameter - self.decayed(parameter, grad) * self.lr, [])
    }
}

/// A step against the velocity.
#[derive(Clone, Copy)]
struct MomentumRule {
    plain: PlainRule,
    momentum: f32,
    /// Share of the gradient that enters the velocity.
    share: f32,
    nesterov: bool,
}

impl Rule<1> for MomentumRule {
    #[inline(always)]
    fn step(self, parameter: f32, [velocity]: [f32; 1], grad: f32) -> (f32, [f32; 1]) {
        let grad = self.plain.decayed(parameter, grad);
        let velocity = grad * self.share + velocity * self.momentum;
        let step = if self.nesterov { velocity * self.momentum + grad } else { velocity };
        (parameter - step * self.plain.lr, [velocity])
    }
}
