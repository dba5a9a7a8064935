//! Muon for weights, AdamW for everything else.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamState, AdjustLrFn, Muon, MuonConfig, MuonState};
use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};
use selvedge_kernels::{AdamOptions, FusedAdam};

/// Muon for matrices and for kernels of convolutions, which it takes as matrices; AdamW for vectors.
#[derive(Clone)]
pub(super) struct MuonWithAdamW {
    muon: Muon,
    adamw: FusedAdam,
}

impl MuonWithAdamW {
    /// The optimizer for one group of parameters.
    pub fn new(momentum: f64, nesterov: bool, weight_decay: f64) -> Self {
        let momentum = MomentumConfig { momentum, dampening: 0.0, nesterov };
        let decay = (weight_decay > 0.0).then(|| WeightDecayConfig::new(weight_decay as f32));
        let muon = MuonConfig::new().with_momentum(momentum).with_weight_decay(decay);
        // The scale of a step is then the same for a matrix and for its transpose: Burn's linear layers
        // have `[in, out]`, PyTorch's `[out, in]`.
        let muon = muon.with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW).build();
        let adamw =
            AdamOptions { beta_2: 0.95, epsilon: 1e-10, ..AdamOptions::adamw(weight_decay) };
        MuonWithAdamW { muon, adamw: FusedAdam::new(adamw) }
    }
}

/// State of one parameter.
#[derive(Clone)]
pub(super) enum State<const D: usize> {
    /// Of a matrix.
    Muon(MuonState<2>),
    /// Of anything else.
    AdamW(AdamState<D>),
}

/// Whether Muon trains parameters of so many dimensions: weights of linear layers and of convolutions.
const fn is_weight(dimensions: usize) -> bool {
    matches!(dimensions, 2 | 4)
}

impl<const D: usize> RecordState for State<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        match self {
            State::Muon(state) => state.state_flatten(prefix, out),
            State::AdamW(state) => state.state_flatten(prefix, out),
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        match is_weight(D) {
            true => MuonState::state_unflatten(prefix, src, device).map(State::Muon),
            false => AdamState::state_unflatten(prefix, src, device).map(State::AdamW),
        }
    }
}

impl Optimizer for MuonWithAdamW {
    type State<const D: usize> = State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<State<D>>,
    ) -> (Tensor<D>, Option<State<D>>) {
        if !is_weight(D) {
            let state = state.and_then(|state| match state {
                State::AdamW(state) => Some(state),
                State::Muon(_) => None,
            });
            let (tensor, state) = self.adamw.step(lr, tensor, grad, state);
            return (tensor, state.map(State::AdamW));
        }
        let state = state.and_then(|state| match state {
            State::Muon(state) => Some(state),
            State::AdamW(_) => None,
        });
        let shape = tensor.shape();
        let (tensor, grad) = (matrix(tensor), matrix(grad));
        let (tensor, state) = self.muon.step(lr, tensor, grad, state);
        (tensor.reshape(shape), state.map(State::Muon))
    }

    fn to_device<const D: usize>(state: State<D>, device: &Device) -> State<D> {
        match state {
            State::Muon(state) => State::Muon(Muon::to_device(state, device)),
            State::AdamW(state) => State::AdamW(FusedAdam::to_device(state, device)),
        }
    }
}

/// `[rows, …]` as `[rows, all others]`.
fn matrix<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let [rows, rest @ ..] = &tensor.shape().dims::<D>()[..] else {
        unreachable!("weights have dimensions")
    };
    let shape = [*rows, rest.iter().product()];
    tensor.reshape(shape)
}
