use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use selvedge_models::Model;

/// A model of Burn's own modules, whose clones share their running statistics.
#[derive(Module, Debug)]
pub struct Shared {
    norm: BatchNorm,
    fc: Linear,
}

impl Shared {
    /// For grey images of so many pixels.
    pub fn new(pixels: usize, classes: usize) -> Self {
        let device = Device::flex();
        let fc = LinearConfig::new(pixels, classes).init(&device);
        Self { norm: BatchNormConfig::new(1).init(&device), fc }
    }
}

impl Model for Shared {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc.forward(self.norm.forward::<4>(images).flatten(1, 3))
    }
}
