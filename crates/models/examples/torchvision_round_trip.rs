//! The half of `tests/python/torchvision_round_trip.py` that is not Python: reads a file of weights,
//! writes it again, and prints what the network that it fits makes of two images.

use std::error::Error;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use selvedge_models::weights::FitKind;
use selvedge_models::{Init, catalog, weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = &arguments[..] else {
        return Err("usage: torchvision_round_trip IN OUT".into());
    };
    let file = weights::inspect(input)?;
    let fit = file.best_fits(&catalog()).into_iter().find(|fit| fit.kind == FitKind::Exact);
    let architecture = fit.ok_or("the file fits no known network")?.architecture;
    eprintln!("{input} fits {}", architecture.name);
    let device = Device::flex();
    let network = file.load_into(architecture.init(Init::PyTorch, 0, &device)?)?;
    network.save_safetensors(output)?;

    // The same numbers as in the script, exact in f32.
    let [channels, height, width] = architecture.input;
    let numbers = 2 * channels * height * width;
    let pixels: Vec<f32> = (0..numbers).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    let images = TensorData::new(pixels, [2, channels, height, width]);
    let logits = network.valid().forward(Tensor::from_data(images, &device));
    for value in logits.into_data().try_to_vec::<f32>()? {
        println!("{value:e}");
    }
    Ok(())
}
