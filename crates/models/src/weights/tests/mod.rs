//! Files of every format, whole and damaged. `tests/data/README.md` says where the files come from.

mod arrays;
mod checkpoints;
mod document;
mod dtypes;
mod formats;
mod hostile;
mod mutated;
mod names;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};

use crate::{Architecture, Initialization, Network};

/// The network of the files in `tests/data`.
fn tiny() -> Architecture {
    Architecture::new("tiny", [1, 8, 8])
        .conv("conv1", 3, 3, 1)
        .batch_norm("bn1")
        .relu()
        .max_pool(2)
        .flatten()
        .linear("fc1", 5)
        .relu()
        .linear("fc2", 4)
}

fn network(architecture: &Architecture, seed: u64) -> Network {
    architecture.init(Initialization::PyTorch, seed, &Device::flex()).unwrap()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The files that hold every tensor of [`tiny`], each as another kind of `torch.save` or
/// `save_file` wrote it.
const WHOLE: [&str; 13] = [
    "tiny.pt",
    "tiny_legacy.pt",
    "tiny_protocol4.pt",
    "tiny_checkpoint.pt",
    "tiny_data_parallel.pt",
    "tiny_f16.pt",
    "tiny_f64.pt",
    "tiny_views.pt",
    "tiny_module.pt",
    "tiny_commands.pt",
    "tiny.safetensors",
    "tiny_f16.safetensors",
    "tiny_bf16.safetensors",
];

/// The parameters that `make_weights.py` gives the network, by name.
fn expected() -> crate::state::State {
    // PyTorch's order of the state dict, with the count of batches, the seventh.
    let tensors: [(&str, &[usize]); 11] = [
        ("conv1.weight", &[3, 1, 3, 3]),
        ("conv1.bias", &[3]),
        ("bn1.weight", &[3]),
        ("bn1.bias", &[3]),
        ("bn1.running_mean", &[3]),
        ("bn1.running_var", &[3]),
        ("", &[]),
        ("fc1.weight", &[5, 48]),
        ("fc1.bias", &[5]),
        ("fc2.weight", &[4, 5]),
        ("fc2.bias", &[4]),
    ];
    let mut state = crate::state::State::new();
    for (t, (name, shape)) in tensors.into_iter().enumerate().filter(|(_, (n, _))| !n.is_empty()) {
        let added = if name == "bn1.running_var" { 1.0 } else { 0.0 };
        let value = |j: usize| (((31 * j + 17 * t) % 64) as f32 - 32.0) / 64.0 + added;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        state.insert(name.into(), TensorData::new(values, shape));
    }
    state
}

/// What the network makes of the two images of `make_weights.py`.
fn logits(network: &Network) -> Vec<f32> {
    let pixels: Vec<f32> = (0..2 * 64).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [2, 1, 8, 8]), &Device::flex());
    network.forward(images).into_data().try_to_vec().unwrap()
}
