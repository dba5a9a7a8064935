//! RMSprop in one pass over memory.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::optim::{RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};

use super::rule::{Rule, Tensors, initial_state};
use super::step::step;

/// Constants of RMSprop (Hinton 2012). The defaults are PyTorch's. For the centred variant there is
/// Burn's [`RmsPropConfig`](burn::optim::RmsPropConfig).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropOptions {
    /// Decay of the mean square of the gradients: 0.99.
    pub alpha: f32,
    /// Share of the last step that is kept: 0, which needs no memory.
    pub momentum: f32,
    /// Added to the root of the mean square: 1e-8.
    pub epsilon: f32,
    /// Factor of the parameter that is added to its gradient, if any: none.
    pub weight_decay: Option<f32>,
}

impl Default for RmsPropOptions {
    fn default() -> Self {
        RmsPropOptions { alpha: 0.99, momentum: 0.0, epsilon: 1e-8, weight_decay: None }
    }
}

impl RmsPropOptions {
    /// The optimizer, for all parameters of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(FusedRmsProp::new(self))
    }
}

/// Burn's [`RmsProp`](burn::optim::RmsProp), not centred, bit for bit, without its temporary tensors.
///
/// On the flex device a step reads and writes every parameter and its state once, in place and on all
/// threads; elsewhere, and for other types than `f32`, Burn's operations compute it. Records of
/// [`RmsProp`](burn::optim::RmsProp) load into it, and the other way round.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use selvedge_kernels::RmsPropOptions;
///
/// let options = RmsPropOptions { momentum: 0.9, ..Default::default() };
/// let optimizer: ModuleOptimizer = options.init();
/// ```
#[derive(Clone, Debug)]
pub struct FusedRmsProp {
    options: RmsPropOptions,
}

/// State of [`FusedRmsProp`]. In a record it looks like Burn's
/// [`RmsPropState`](burn::optim::RmsPropState).
#[derive(Clone, Debug)]
pub struct FusedRmsPropState<const D: usize> {
    /// Mean of the squared gradients, older ones decayed.
    pub square_avg: Tensor<D>,
    /// The last step before its learning rate; without momentum there is none.
    pub momentum: Option<Tensor<D>>,
}

impl<const D: usize> RecordState for FusedRmsPropState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let mut push = |part: &str, leaf: &str, tensor: &Tensor<D>| {
            out.push_tensor(&join_path(prefix, part), leaf, tensor.to_data());
        };
        push("square_avg", "square_avg", &self.square_avg);
        // The variance around a mean of zero, which Burn's state holds a second time.
        push("centered", "avg", &self.square_avg);
        if let Some(momentum) = &self.momentum {
            push("momentum", "buf", momentum);
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let mut take = |part: &str, leaf: &str| {
            let data = src.take_tensor(&join_path(prefix, part), leaf);
            data.map(|data| Tensor::from_data(data, device))
        };
        let square_avg = take("square_avg", "square_avg")?;
        Some(FusedRmsPropState { square_avg, momentum: take("momentum", "buf") })
    }
}

impl FusedRmsProp {
    /// The optimizer for one group of parameters.
    pub fn new(options: RmsPropOptions) -> Self {
        FusedRmsProp { options }
    }

    /// The step out of Burn's operations.
    fn compose<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        mut grad: Tensor<D>,
        state: Option<FusedRmsPropState<D>>,
    ) -> (Tensor<D>, FusedRmsPropState<D>) {
        let RmsPropOptions { alpha, momentum, epsilon, weight_decay } = self.options;
        if let Some(decay) = weight_decay {
            grad = parameter.clone().mul_scalar(decay).add(grad);
        }
        let square = grad.clone().square().mul_scalar(1.0 - alpha);
        let (square_avg, last) = match state {
            Some(state) => (state.square_avg.mul_scalar(alpha).add(square), state.momentum),
            None => (square, None),
        };
        let mut step = grad.div(square_avg.clone().sqrt().add_scalar(epsilon));
        if let (true, Some(last)) = (momentum > 0.0, last) {
            step = last.mul_scalar(momentum).add(step);
        }
        let kept = (momentum > 0.0).then(|| step.clone());
        (parameter - step.mul_scalar(lr), FusedRmsPropState { square_avg, momentum: kept })
    }
}

impl Optimizer for FusedRmsProp {
    type State<const D: usize> = FusedRmsPropState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<FusedRmsPropState<D>>,
    ) -> (Tensor<D>, Option<FusedRmsPropState<D>>) {
        let (tensor, state) = self.step_in_one_pass(lr, tensor, grad, state);
        (tensor, Some(state))
    }

    fn to_device<const D: usize>(
        state: FusedRmsPropState<D>,
        device: &Device,
    ) -> FusedRmsPropState<D> {
        FusedRmsPropState {
            square_avg: state.square_avg.to_device(device),
            momentum: state.momentum.map(|momentum| momentum.to_device(device)),
        }
    }
}

impl FusedRmsProp {
    fn step_in_one_pass<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<FusedRmsPropState<D>>,
    ) -> (Tensor<D>, FusedRmsPropState<D>) {
        let rule = RmsPropRule { options: self.options, lr: lr as f32 };
        let known = state.as_ref().map(|state| state.momentum.is_some());
        let (square_avg, last) = match state {
            Some(state) => (state.square_avg, state.momentum),
            None => (initial_state(&parameter), None),
        };
        // The state as it was before, where the pass leaves everything unchanged.
        let restore = |square_avg, last: Option<Tensor<D>>| {
            let last = last.filter(|_| known == Some(true));
            known.map(|_| FusedRmsPropState { square_avg, momentum: last })
        };
        if self.options.momentum > 0.0 {
            let last = last.unwrap_or_else(|| initial_state(&parameter));
            match step(rule, Tensors { parameter, grad, state: [square_avg, last] }) {
                Ok((parameter, [square_avg, last])) => {
                    (parameter, FusedRmsPropState { square_avg, momentum: Some(last) })
                }
                Err(unchanged) => {
                    let Tensors { parameter, grad, state: [square_avg, last] } = *unchanged;
                    self.compose(lr, parameter, grad, restore(square_avg, Some(last)))
                }
            }
        } else {
            match step(rule, Tensors { parameter, grad, state: [square_avg] }) {
                Ok((parameter, [square_avg])) => {
                    (parameter, FusedRmsPropState { square_avg, momentum: None })
                }
                Err(unchanged) => {
                    let Tensors { parameter, grad, state: [square_avg] } = *unchanged;
                    self.compose(lr, parameter, grad, restore(square_avg, last))
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct RmsPropRule {
    options: RmsPropOptions,
    lr: f32,
}

impl RmsPropRule {
    /// The mean square after the step, and the gradient divided by its root.
    #[inline(always)]
    fn normalized(&self, parameter: f32, square_avg: f32, grad: f32) -> (f32, f32) {
        let RmsPropOptions { alpha, epsilon, weight_decay, .. } = self.options;
        let grad = match weight_decay {
            Some(decay) => parameter * decay + grad,
            None => grad,
        };
        let square_avg = square_avg * alpha + grad * grad * (1.0 - alpha);
        (square_avg, grad / (square_avg.sqrt() + epsilon))
    }
}

impl Rule<1> for RmsPropRule {
    #[inline(always)]
    fn step(self, parameter: f32, [square_avg]: [f32; 1], grad: f32) -> (f32, [f32; 1]) {
        let (square_avg, step) = self.normalized(parameter, square_avg, grad);
        (parameter - step * self.lr, [square_avg])
    }
}

impl Rule<2> for RmsPropRule {
    #[inline(always)]
    fn step(self, parameter: f32, [square_avg, last]: [f32; 2], grad: f32) -> (f32, [f32; 2]) {
        let (square_avg, step) = self.normalized(parameter, square_avg, grad);
        let step = last * self.options.momentum + step;
        (parameter - step * self.lr, [square_avg, step])
    }
}
