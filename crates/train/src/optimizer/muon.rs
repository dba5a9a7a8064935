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

/// State of one parameter: of the optimizer that trains it.
#[derive(Clone)]
pub(super) struct State<const D: usize> {
    muon: Option<MuonState<2>>,
    adamw: Option<AdamState<D>>,
}

/// Whether Muon trains parameters of so many dimensions: weights of linear layers and of convolutions.
const fn is_weight(dimensions: usize) -> bool {
    matches!(dimensions, 2 | 4)
}

impl<const D: usize> RecordState for State<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(muon) = &self.muon {
            muon.state_flatten(prefix, out);
        }
        if let Some(adamw) = &self.adamw {
            adamw.state_flatten(prefix, out);
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        Some(match is_weight(D) {
            true => {
                State { muon: Some(MuonState::state_unflatten(prefix, src, device)?), adamw: None }
            }
            false => {
                State { muon: None, adamw: Some(AdamState::state_unflatten(prefix, src, device)?) }
            }
        })
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
        let State { muon, adamw } = state.unwrap_or(State { muon: None, adamw: None });
        if !is_weight(D) {
            let (tensor, adamw) = self.adamw.step(lr, tensor, grad, adamw);
            return (tensor, Some(State { muon: None, adamw }));
        }
        let shape = tensor.shape();
        let (tensor, muon) = self.muon.step(lr, matrix(tensor), matrix(grad), muon);
        (tensor.reshape(shape), Some(State { muon, adamw: None }))
    }

    fn to_device<const D: usize>(state: State<D>, device: &Device) -> State<D> {
        State {
            muon: state.muon.map(|muon| Muon::to_device(muon, device)),
            adamw: state.adamw.map(|adamw| FusedAdam::to_device(adamw, device)),
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
