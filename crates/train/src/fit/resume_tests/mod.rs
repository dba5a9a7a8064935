//! Runs that are stopped, damaged and carried on.

mod bits;
mod folders;

use burn::tensor::Device;
use selvedge_data::{ImageDataset, Normalization, View};
use selvedge_models::{Architecture, Initialization, Network, state};

use super::*;
use crate::{FitData, Observer, ObserverError, StepDone, StepInterval, Stop};

/// Noise whose label is the quadrant in which one bright square lies.
fn squares(count: usize, offset: usize) -> View {
    let pixel = |i: usize, p: usize| {
        let (row, column, quadrant) = (p / 8, p % 8, i % 4);
        let inside = (row >= 4) == (quadrant >= 2) && (column >= 4) == (quadrant % 2 == 1);
        let noise = (((i + offset) * 64 + p) as f64 * 12.9898).sin().abs() * 100.0;
        noise as u8 + if inside { 60 } else { 0 }
    };
    let images = (0..count).flat_map(|i| (0..64).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 4) as u16).collect();
    let classes = (0..4).map(|i| format!("quadrant {i}")).collect();
    ImageDataset::new("squares", images, [1, 8, 8], labels, classes).unwrap().view()
}

fn data() -> FitData {
    FitData::new(squares(90, 0), squares(40, 1000), Normalization::unit())
}

/// With what a run could forget: running statistics and dropout.
fn network() -> Network {
    let network = Architecture::new("small", [1, 8, 8])
        .conv("conv1", 4, 3, 1)
        .batch_norm("bn1")
        .relu()
        .max_pool(2)
        .channel_dropout(0.2)
        .flatten()
        .linear("fc1", 8)
        .relu()
        .dropout(0.3)
        .linear("fc2", 4);
    network.init(Initialization::PyTorch, 3, &Device::flex()).unwrap()
}

fn context() -> Context {
    Context::new(&Device::flex())
}

fn config() -> FitConfig {
    FitConfig { epochs: 4, batch_size: 16, seed: 5, ..FitConfig::default() }
}

/// Stops a run after a step.
struct StopAfter(usize, Stop);

impl Observer for StopAfter {
    fn interval(&self) -> StepInterval {
        StepInterval::Steps(self.0)
    }

    fn step(&mut self, _: &StepDone<'_>) -> Result<(), ObserverError> {
        self.1.request();
        Ok(())
    }
}

/// What a run leaves, but for seconds.
#[derive(Debug, PartialEq)]
struct Left {
    model: state::State,
    best: usize,
    scores: Vec<(Metrics, Option<Metrics>, f64)>,
}

fn left(fitted: &Fitted<Network>) -> Left {
    let scores = fitted.history.epochs.iter().map(|e| (e.train, e.validation, e.learning_rate));
    Left { model: state::read(&fitted.model), best: fitted.best.epoch, scores: scores.collect() }
}
