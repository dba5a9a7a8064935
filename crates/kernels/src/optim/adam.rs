//! Adam and AdamW in one pass over memory.

use burn::optim::AdaptiveMomentumState;
use burn::optim::{Adam, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use super::rule::{Rule, Tensors, floor_beside};
use super::step::step;

/// Constants of Adam (Kingma and Ba 2015, arXiv:1412.6980) and AdamW (Loshchilov and Hutter 2019,
/// arXiv:1711.05101). The defaults are those of PyTorch's `Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamOptions {
    /// Decay of the mean of the gradients: 0.9.
    pub beta_1: f64,
    /// Decay of the mean of their squares: 0.999.
    pub beta_2: f64,
    /// Added to the root of the mean square: 1e-8.
    pub epsilon: f64,
    /// λ, if parameters decay: none.
    pub weight_decay: Option<f64>,
    /// Whether a parameter shrinks by its learning rate times λ in every step, apart from the gradient,
    /// as in AdamW; else λ times the parameter is added to the gradient, as in Adam: no.
    pub decoupled: bool,
}

impl Default for AdamOptions {
    fn default() -> Self {
        AdamOptions {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: None,
            decoupled: false,
        }
    }
}

impl AdamOptions {
    /// AdamW with this weight decay; PyTorch's default is 0.01.
    pub fn adamw(weight_decay: f64) -> Self {
        AdamOptions { weight_decay: Some(weight_decay), decoupled: true, ..Default::default() }
    }

    /// The optimizer, for all parameters of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(FusedAdam::new(self))
    }
}

/// Adam and AdamW, as PyTorch and Burn define them, without temporary tensors and more exactly.
///
/// On the flex device a step reads and writes every parameter and its two moments once, in place and on
/// all threads; elsewhere, and for other types than `f32`, tensor operations compute the same formula.
/// The state is that of Burn's [`Adam`]: records of one load into the other.
///
/// What depends on the constants alone, like 1 − β₂ᵗ, is computed in `f64` and rounded once: in `f32`
/// the difference cancels. And the moments are moved by a share of their distance from the gradient,
/// m + (1 − β)(g − m), because β itself is rounded: with β m + (1 − β) g, which PyTorch computes for the
/// squares, the weights of the mean sum to 1.000013 for β₂ = 0.999. So, over 200 steps, parameters are
/// nearer to those computed in `f64` than PyTorch's and Burn's are (`tests/optim_exact.rs`).
///
/// A gradient whose square overflows, from 1.8e19 on, makes its parameter a NaN in the next step, so that
/// the run is seen to diverge; PyTorch's parameter stays as it is for ever.
///
/// ```
/// use burn::optim::ModuleOptimizer;
/// use selvedge_kernels::AdamOptions;
///
/// let adam: ModuleOptimizer = AdamOptions::default().init();
/// let adamw: ModuleOptimizer = AdamOptions::adamw(0.01).init();
/// ```
#[derive(Clone, Debug)]
pub struct FusedAdam {
    options: AdamOptions,
}

impl FusedAdam {
    /// The optimizer for one group of parameters.
    pub fn new(options: AdamOptions) -> Self {
        FusedAdam { options }
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
        let before = state.map(|state| state.momentum).unwrap_or_else(|| {
            let (first, second) = (tensor.zeros_like(), tensor.zeros_like());
            AdaptiveMomentumState::new(0, first, second)
        });
        let time = before.time + 1;
        let constants = Constants::new(&self.options, lr, time);
        let state = [before.moment_1, before.moment_2];
        let tensors = Tensors { parameter: tensor, grad, state };
        let (parameter, [moment_1, moment_2]) = match step(AdamRule::from(constants), tensors) {
            Ok(stepped) => stepped,
            Err(unchanged) => constants.compose(*unchanged),
        };
        let mut after = AdaptiveMomentumState::new(time, moment_1, moment_2);
        // A record of the AMSGrad variant keeps what only Burn's optimizer uses.
        after.max_moment_2 = before.max_moment_2;
        (parameter, Some(AdamState::new(after)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}

/// What a parameter loses.
#[derive(Clone, Copy)]
enum Decay<T> {
    None,
    /// This share of the parameter is added to its gradient.
    Gradient(T),
    /// This share of the parameter is subtracted from it.
    Parameter(T),
}

/// The constants of a step, each computed in `f64`.
#[derive(Clone, Copy)]
struct Constants {
    /// 1 − β₁
    share_1: f64,
    /// 1 − β₂
    share_2: f64,
    /// lr √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    step_size: f64,
    /// ε √(1 − β₂ᵗ)
    epsilon: f64,
    decay: Decay<f64>,
}

impl Constants {
    fn new(options: &AdamOptions, lr: LearningRate, time: usize) -> Self {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        let root = (1.0 - options.beta_2.powi(time)).sqrt();
        Constants {
            share_1: 1.0 - options.beta_1,
            share_2: 1.0 - options.beta_2,
            step_size: lr * root / (1.0 - options.beta_1.powi(time)),
            epsilon: options.epsilon * root,
            decay: match options.weight_decay {
                None => Decay::None,
                Some(decay) if options.decoupled => Decay::Parameter(lr * decay),
                Some(decay) => Decay::Gradient(decay),
            },
        }
    }

    /// The step out of tensor operations, in the order of [`AdamRule::step`].
    fn compose<const D: usize>(self, tensors: Tensors<D, 2>) -> (Tensor<D>, [Tensor<D>; 2]) {
        let Tensors { parameter, grad, state: [m, v] } = tensors;
        let grad = match self.decay {
            Decay::Gradient(decay) => parameter.clone().mul_scalar(decay).add(grad),
            Decay::None | Decay::Parameter(_) => grad,
        };
        let square = grad.clone().mul(grad.clone());
        let m = grad.sub(m.clone()).mul_scalar(self.share_1).add(m);
        let v = square.sub(v.clone()).mul_scalar(self.share_2).add(v);
        let root = v.clone().sqrt().add_scalar(self.epsilon);
        let update = m.clone().mul_scalar(self.step_size).div(root);
        let update = match self.decay {
            Decay::Parameter(decay) => parameter.clone().mul_scalar(decay).add(update),
            Decay::None | Decay::Gradient(_) => update,
        };
        (parameter - update, [m, v])
    }
}

/// The constants, rounded.
#[derive(Clone, Copy)]
struct AdamRule {
    share_1: f32,
    share_2: f32,
    step_size: f32,
    epsilon: f32,
    decay: Decay<f32>,
}

impl From<Constants> for AdamRule {
    fn from(constants: Constants) -> Self {
        AdamRule {
            share_1: constants.share_1 as f32,
            share_2: constants.share_2 as f32,
            step_size: constants.step_size as f32,
            epsilon: constants.epsilon as f32,
            decay: match constants.decay {
                Decay::None => Decay::None,
                Decay::Gradient(decay) => Decay::Gradient(decay as f32),
                Decay::Parameter(decay) => Decay::Parameter(decay as f32),
            },
        }
    }
}

impl Rule<2> for AdamRule {
    #[inline(always)]
    fn step(self, parameter: f32, [m, v]: [f32; 2], grad: f32) -> (f32, [f32; 2]) {
        let grad = match self.decay {
            Decay::Gradient(decay) => parameter * decay + grad,
            Decay::None | Decay::Parameter(_) => grad,
        };
        let m = (grad - m) * self.share_1 + m;
        let v = (grad * grad - v) * self.share_2 + v;
        let update = m * self.step_size / (v.sqrt() + self.epsilon);
        // Both are taken from the parameter at once: 1 − lr λ would round most of lr λ away.
        let update = match self.decay {
            Decay::Parameter(decay) => parameter * decay + update,
            Decay::None | Decay::Gradient(_) => update,
        };
        (parameter - update, [m, v])
    }

    #[inline(always)]
    fn floor(self) -> f32 {
        floor_beside(self.epsilon)
    }
}
