//! What happens to gradients between the loss and the optimizer: they are added up over several batches,
//! scaled, joined by those of a penalty, and clipped. All of it stays on the device.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::{Clip, FitConfig};

/// Keeps the factor of a norm of 0 finite, as PyTorch does.
const NORM_EPSILON: f64 = 1e-6;

/// The gradients of the batches of one step.
#[derive(Default)]
pub(super) struct Accumulated {
    sum: Option<GradientsParams>,
    /// The batches in it.
    pub batches: usize,
    /// What they count for.
    weight: f64,
}

impl Accumulated {
    /// Adds the gradients of a batch's mean loss. `several` says whether there may be more of them for this
    /// step: then they count by their weights, such as their images, so that the mean is that of all images.
    pub fn add<M: Module>(
        &mut self,
        gradients: GradientsParams,
        weight: f64,
        several: bool,
        model: &M,
    ) {
        self.batches += 1;
        self.weight += weight;
        let gradients = match several {
            true => change(model, gradients, Change::Multiply(weight)),
            false => gradients,
        };
        self.sum = Some(match self.sum.take() {
            Some(sum) => change(model, gradients, Change::Add(sum)),
            None => gradients,
        });
    }

    /// The gradients of the step, of which nothing is left; `None` if there was no batch.
    pub fn take<M: Module>(
        &mut self,
        several: bool,
        config: &FitConfig,
        model: &M,
    ) -> Option<GradientsParams> {
        let Self { sum, weight, .. } = std::mem::take(self);
        let mut gradients = sum?;
        if several {
            gradients = change(model, gradients, Change::Multiply(1.0 / weight));
        }
        if config.l2 > 0.0 {
            // The gradient of λ‖p‖² is 2 λ p.
            gradients = change(model, gradients, Change::AddParameter(2.0 * config.l2));
        }
        Some(match config.clip {
            None => gradients,
            Some(Clip::Value(most)) => change(model, gradients, Change::Clamp(most)),
            Some(Clip::Norm(most)) => clip_norm(model, gradients, most),
        })
    }
}

/// The sum of the gradients, each times its factor.
pub(super) fn weighted_sum<M: Module>(
    model: &M,
    parts: impl IntoIterator<Item = (f64, GradientsParams)>,
) -> GradientsParams {
    let scaled = parts.into_iter().map(|(f, part)| change(model, part, Change::Multiply(f)));
    scaled.reduce(|sum, part| change(model, part, Change::Add(sum))).unwrap_or_default()
}

/// Scales the gradients so that their norm is at most `most`.
fn clip_norm<M: Module>(model: &M, gradients: GradientsParams, most: f64) -> GradientsParams {
    let mut squares = Squares { gradients: &gradients, sums: Vec::new() };
    model.visit(&mut squares);
    if squares.sums.is_empty() {
        return gradients;
    }
    let norm = Tensor::cat(squares.sums, 0).sum().sqrt();
    let factor = (norm + NORM_EPSILON).recip().mul_scalar(most).clamp_max(1.0);
    change(model, gradients, Change::MultiplyBy(Box::new(factor)))
}

/// The sums of the squares of each gradient, on its device.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push((gradient.clone() * gradient).sum());
        }
    }
}

/// What is done with every gradient.
enum Change {
    Multiply(f64),
    /// Boxed: a tensor is much larger than the others.
    MultiplyBy(Box<Tensor<1>>),
    Add(GradientsParams),
    AddParameter(f64),
    Clamp(f64),
}

fn change<M: Module>(model: &M, gradients: GradientsParams, what: Change) -> GradientsParams {
    let mut changer = Changer { gradients, what, changed: GradientsParams::new() };
    model.visit(&mut changer);
    changer.changed
}

struct Changer {
    gradients: GradientsParams,
    what: Change,
    changed: GradientsParams,
}

impl ModuleVisitor for Changer {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.remove::<D>(param.id);
        let gradient = match (gradient, &mut self.what) {
            // A batch may not reach every parameter.
            (None, Change::Add(sum)) => sum.remove::<D>(param.id),
            (None, _) => None,
            (Some(gradient), Change::Multiply(factor)) => Some(gradient.mul_scalar(*factor)),
            (Some(gradient), Change::MultiplyBy(factor)) => {
                let factor: Tensor<1> = (**factor).clone();
                Some(gradient * factor.reshape([1; D]))
            }
            (Some(gradient), Change::Add(sum)) => Some(match sum.remove::<D>(param.id) {
                Some(sum) => sum + gradient,
                None => gradient,
            }),
            (Some(gradient), Change::AddParameter(factor)) => {
                Some(gradient + param.val().inner().mul_scalar(*factor))
            }
            (Some(gradient), Change::Clamp(most)) => Some(gradient.clamp(-*most, *most)),
        };
        if let Some(gradient) = gradient {
            self.changed.register(param.id, gradient);
        }
    }
}
