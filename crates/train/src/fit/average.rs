//! Averages of the weights over the steps or epochs of a run.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// An average of the weights, which is often better than the last ones. It is what validation measures
/// and what [`fit`](crate::fit) returns; the steps themselves do not see it. Running statistics of batch
/// normalization are averaged with the weights, as by PyTorch's `AveragedModel` with `use_buffers`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "name", deny_unknown_fields)]
pub enum Averaging {
    /// Exponential moving average (Polyak and Juditsky, 1992): it keeps `decay` of itself and takes the rest
    /// from the weights, after every so many steps. It begins with the weights of the first of these.
    Exponential {
        /// At least 0 and below 1.
        decay: f64,
        /// Steps from one update to the next: 1.
        #[serde(default = "one")]
        every: usize,
    },
    /// Stochastic weight averaging (Izmailov et al., 2018): the mean of the weights after each epoch from
    /// this one on. Until then, there is no average.
    Stochastic {
        /// The first epoch that counts, from 1.
        from_epoch: usize,
    },
}

fn one() -> usize {
    1
}

impl Averaging {
    /// An exponential moving average that is updated after every step.
    pub const fn exponential(decay: f64) -> Self {
        Self::Exponential { decay, every: 1 }
    }

    pub(super) fn check(&self, epochs: usize) -> Result<(), TrainError> {
        match *self {
            Self::Exponential { decay, every } => {
                let possible = (0.0..1.0).contains(&decay);
                require(possible, "decay of the average", decay, "at least 0 and below 1")?;
                require(every > 0, "steps between updates of the average", every, "at least 1")
            }
            Self::Stochastic { from_epoch } => {
                let possible = (1..=epochs).contains(&from_epoch);
                require(possible, "first averaged epoch", from_epoch, "one of the epochs")
            }
        }
    }

    /// Whether the average is updated after the step of that number, counted from 1.
    pub(super) fn after_step(&self, step: usize) -> bool {
        matches!(*self, Self::Exponential { every, .. } if step.is_multiple_of(every))
    }

    /// Whether the average is updated after that epoch.
    pub(super) fn after_epoch(&self, epoch: usize) -> bool {
        matches!(*self, Self::Stochastic { from_epoch } if epoch >= from_epoch)
    }

    /// The share of the weights in an average of so many.
    fn share(&self, count: usize) -> f64 {
        match *self {
            Self::Exponential { decay, .. } => 1.0 - decay,
            Self::Stochastic { .. } => 1.0 / (count + 1) as f64,
        }
    }
}

/// An average so far: a model that is ready for inference.
pub(super) struct Average<M> {
    pub model: M,
    /// How often the weights entered it.
    pub count: usize,
}

impl<M: Module> Average<M> {
    /// Takes in the weights of `current`, which is ready for inference.
    pub fn update(average: Option<Self>, current: M, how: &Averaging) -> Self {
        let Some(Self { model, count }) = average else {
            return Self { model: current, count: 1 };
        };
        let mut collector = Collector(GradientsParams::new());
        current.visit(&mut collector);
        let mut mixer = Mixer { current: collector.0, share: how.share(count) };
        Self { model: model.map(&mut mixer), count: count + 1 }
    }
}

/// Collects the tensors of a module by the ids of its parameters.
struct Collector(GradientsParams);

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Mixer {
    current: GradientsParams,
    share: f64,
}

impl ModuleMapper for Mixer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.current.remove::<D>(param.id) {
            Some(current) => {
                param.map(|average| average.clone() + (current - average).mul_scalar(self.share))
            }
            None => param,
        }
    }
}
