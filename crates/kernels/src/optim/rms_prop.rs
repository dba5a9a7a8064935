//! RMSprop in one pass over memory.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::optim::{RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};

use super::rule::{Rule, Tensors, floor_beside};
use super::step::step;

/// Constants of RMSprop (Hinton 2012). The defaults are PyTorch's. For the centred variant there is
/// Burn's [`RmsPropConfig`](burn::optim::RmsPropConfig).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropOptions {
    /// Decay of the mean square of the gradients: 0.99.
    pub alpha: f64,
    /// Share of the last step that is kept: 0, which needs no memory.
    pub momentum: f64,
    /// Added to the root of the mean square: 1e-8.
    pub epsilon: f64,
    /// Factor of the parameter that is added to its gradient, if any: none.
    pub weight_decay: Option<f64>,
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

/// RMSprop, not centred, as PyTorch and Burn define it, without temporary tensors and more exactly.
///
/// On the flex device a step reads and writes every parameter and its state once, in place and on all
/// threads; elsewhere, and for other types than `f32`, tensor operations compute the same formula.
/// Records of Burn's [`RmsProp`](burn::optim::RmsProp) load into it, and the other way round.
///
/// The mean square is moved by a share of its distance from the square of the gradient,
/// s + (1 − α)(g² − s): α is rounded, and with α s + (1 − α) g² the weights of the mean would not sum to 1.
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
        let constants = Constants { options: self.options, lr };
        let (square_avg, last) = match state {
            Some(state) => (state.square_avg, state.momentum),
            None => (tensor.zeros_like(), None),
        };
        if self.options.momentum == 0.0 {
            let tensors = Tensors { parameter: tensor, grad, state: [square_avg] };
            let (parameter, [square_avg]) = match step(RmsPropRule::from(constants), tensors) {
                Ok(stepped) => stepped,
                Err(unchanged) => constants.compose(*unchanged),
            };
            return (parameter, Some(FusedRmsPropState { square_avg, momentum: None }));
        }
        let last = last.unwrap_or_else(|| tensor.zeros_like());
        let tensors = Tensors { parameter: tensor, grad, state: [square_avg, last] };
        let (parameter, [square_avg, last]) = match step(RmsPropRule::from(constants), tensors) {
            Ok(stepped) => stepped,
            Err(unchanged) => constants.compose_with_momentum(*unchanged),
        };
        (parameter, Some(FusedRmsPropState { square_avg, momentum: Some(last) }))
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

/// The constants of a step, in `f64`.
#[derive(Clone, Copy)]
struct Constants {
    options: RmsPropOptions,
    lr: LearningRate,
}

impl Constants {
    /// The mean square after the step, and the gradient divided by its root, out of tensor operations
    /// in the order of [`RmsPropRule::normalized`].
    fn normalized<const D: usize>(
        self,
        parameter: &Tensor<D>,
        square_avg: Tensor<D>,
        grad: Tensor<D>,
    ) -> (Tensor<D>, Tensor<D>) {
        let RmsPropOptions { alpha, epsilon, weight_decay, .. } = self.options;
        let grad = match weight_decay {
            Some(decay) => parameter.clone().mul_scalar(decay).add(grad),
            None => grad,
        };
        let square = grad.clone().mul(grad.clone());
        let square_avg = square.sub(square_avg.clone()).mul_scalar(1.0 - alpha).add(square_avg);
        (square_avg.clone(), grad.div(square_avg.sqrt().add_scalar(epsilon)))
    }

    fn compose<const D: usize>(self, tensors: Tensors<D, 1>) -> (Tensor<D>, [Tensor<D>; 1]) {
        let Tensors { parameter, grad, state: [square_avg] } = tensors;
        let (square_avg, step) = self.normalized(&parameter, square_avg, grad);
        (parameter - step.mul_scalar(self.lr), [square_avg])
    }

    fn compose_with_momentum<const D: usize>(
        self,
        tensors: Tensors<D, 2>,
    ) -> (Tensor<D>, [Tensor<D>; 2]) {
        let Tensors { parameter, grad, state: [square_avg, last] } = tensors;
        let (square_avg, step) = self.normalized(&parameter, square_avg, grad);
        let step = last.mul_scalar(self.options.momentum).add(step);
        (parameter - step.clone().mul_scalar(self.lr), [square_avg, step])
    }
}

/// The constants, rounded.
#[derive(Clone, Copy)]
struct RmsPropRule {
    /// 1 − α
    share: f32,
    momentum: f32,
    epsilon: f32,
    weight_decay: Option<f32>,
    lr: f32,
}

impl From<Constants> for RmsPropRule {
    fn from(Constants { options, lr }: Constants) -> Self {
        RmsPropRule {
            share: (1.0 - options.alpha) as f32,
            momentum: options.momentum as f32,
            epsilon: options.epsilon as f32,
            weight_decay: options.weight_decay.map(|decay| decay as f32),
            lr: lr as f32,
        }
    }
}

impl RmsPropRule {
    /// The mean square after the step, and the gradient divided by its root.
    #[inline(always)]
    fn normalized(&self, parameter: f32, square_avg: f32, grad: f32) -> (f32, f32) {
        let grad = match self.weight_decay {
            Some(decay) => parameter * decay + grad,
            None => grad,
        };
        let square_avg = (grad * grad - square_avg) * self.share + square_avg;
        (square_avg, grad / (square_avg.sqrt() + self.epsilon))
    }
}

impl Rule<1> for RmsPropRule {
    #[inline(always)]
    fn step(self, parameter: f32, [square_avg]: [f32; 1], grad: f32) -> (f32, [f32; 1]) {
        let (square_avg, step) = self.normalized(parameter, square_avg, grad);
        (parameter - step * self.lr, [square_avg])
    }

    #[inline(always)]
    fn floor(self) -> f32 {
        floor_beside(self.epsilon)
    }
}

impl Rule<2> for RmsPropRule {
    #[inline(always)]
    fn step(self, parameter: f32, [square_avg, last]: [f32; 2], grad: f32) -> (f32, [f32; 2]) {
        let (square_avg, step) = self.normalized(parameter, square_avg, grad);
        let step = last * self.momentum + step;
        (parameter - step * self.lr, [square_avg, step])
    }

    #[inline(always)]
    fn floor(self) -> f32 {
        floor_beside(self.epsilon)
    }
}
