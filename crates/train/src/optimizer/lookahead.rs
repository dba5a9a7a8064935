//! Slow weights that follow an optimizer.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource, join_path};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// Lookahead (Zhang et al. 2019, arXiv:1907.08610): after every `k` steps of the optimizer, slow weights
/// move by `alpha` of their distance to its weights, and it goes on from there. Its own state, such as
/// momentum, is kept.
///
/// The slow weights are a copy of all parameters; they belong to the optimizer's state and are saved with
/// it. Between two such moments the model has the fast weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lookahead {
    /// Steps of the optimizer for one of the slow weights, at least 1: 5.
    pub k: usize,
    /// How far the slow weights go towards the others, above 0 and at most 1: 0.5.
    pub alpha: f64,
}

impl Default for Lookahead {
    fn default() -> Self {
        Lookahead { k: 5, alpha: 0.5 }
    }
}

impl Lookahead {
    /// Whether the settings are in their ranges.
    pub(super) fn check(self) -> Result<(), TrainError> {
        require(self.k > 0, "k of the lookahead", self.k, "at least 1")?;
        let in_range = self.alpha > 0.0 && self.alpha <= 1.0;
        require(in_range, "alpha of the lookahead", self.alpha, "above 0 and at most 1")
    }
}

/// An optimizer with slow weights behind it.
#[derive(Clone)]
pub(super) struct WithSlowWeights<O> {
    fast: O,
    lookahead: Lookahead,
}

impl<O: Optimizer> WithSlowWeights<O> {
    /// The optimizer for one group of parameters.
    pub fn new(fast: O, lookahead: Lookahead) -> Self {
        WithSlowWeights { fast, lookahead }
    }
}

/// The state of an optimizer, and the slow weights of a parameter.
#[derive(Clone)]
pub(super) struct SlowState<S, const D: usize> {
    fast: Option<S>,
    slow: Tensor<D>,
    /// Steps since the slow weights moved.
    steps: usize,
}

impl<S: RecordState, const D: usize> RecordState for SlowState<S, D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(fast) = &self.fast {
            fast.state_flatten(&join_path(prefix, "fast"), out);
        }
        out.push_tensor(prefix, "slow", self.slow.to_data());
        out.push_scalar(prefix, "steps", self.steps.into());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let fast = S::state_unflatten(&join_path(prefix, "fast"), src, device);
        let slow = Tensor::from_data(src.take_tensor(prefix, "slow")?, device);
        let steps = src.take_scalar(prefix, "steps")?.try_into().ok()?;
        Some(SlowState { fast, slow, steps })
    }
}

impl<O: Optimizer> Optimizer for WithSlowWeights<O> {
    type State<const D: usize> = SlowState<O::State<D>, D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let SlowState { fast, slow, steps } =
            state.unwrap_or_else(|| SlowState { fast: None, slow: tensor.clone(), steps: 0 });
        let (tensor, fast) = self.fast.step(lr, tensor, grad, fast);
        if steps + 1 < self.lookahead.k {
            return (tensor, Some(SlowState { fast, slow, steps: steps + 1 }));
        }
        let slow = tensor.sub(slow.clone()).mul_scalar(self.lookahead.alpha).add(slow);
        (slow.clone(), Some(SlowState { fast, slow, steps: 0 }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        SlowState {
            fast: state.fast.map(|fast| O::to_device(fast, device)),
            slow: state.slow.to_device(device),
            steps: state.steps,
        }
    }
}
