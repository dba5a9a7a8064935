//! Does an autoencoder take noise away, and does it have to be shown images without noise for that?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::data::transform::{RandomHorizontalFlip, augmented_set, flip_and_noise};
use selvedge::files::Output;
use selvedge::models::LinearAutoencoder;
use selvedge::prelude::*;
use selvedge::report::plot::{self, SheetImage};
use selvedge::train::{Reconstruct, evaluate_task};

/// Trains an autoencoder of linear layers on five kinds of clothing, mirrored and with noise, twice: to give
/// back what it was given, and to give back the images without the noise. Shows what both make of ten test
/// images, and the four kinds of training images that the classifiers of this report learn from.
#[derive(Parser)]
struct Args {
    /// The most that is added to or taken from a pixel, which is 0 to 1
    #[arg(long, default_value_t = 0.1)]
    noise: f64,
    /// Decides the initial weights, the order of the images and the noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    quick: cli::QuickArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    run: cli::RunFolderArgs,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| denoise(&args))
}

fn denoise(args: &Args) -> Result<(), Box<dyn Error>> {
    let (epochs, seed) = (args.quick.epochs(15), args.seed);
    let base = FitConfig { epochs, batch_size: 100, seed, ..FitConfig::default() };
    let config = args.training.config(base)?;
    config.check()?;
    let (context, _) = args.common.context("autoencoder")?;
    let odd = ClassSubset::new("odd", [1, 3, 5, 7, 9])?;
    let split = FASHION_MNIST.load(&args.common.source())?.split_official()?.select(&odd)?;
    let split = args.quick.split(split)?;
    let unit = Normalization::unit();
    let clean = BatchLoader::new(split.test()?.clone(), 256, &unit, &context.device)?;
    let noisy = clean.clone().with_input_noise(args.noise)?;
    let output = Output::new(args.run.folder("runs/report_b"))?;

    let mirrored = Transforms::new().with(RandomHorizontalFlip { p: 0.5 });
    let data = FitData::from(&split).with_normalization(unit).with_transforms(mirrored);
    let data = data.with_input_noise(args.noise);
    let runs = [("noisy", data.clone().with_noisy_targets()), ("clean", data)];
    let first = noisy.epoch(0).next().ok_or("no test images")??;
    let ten = first.images.narrow(0, 0, 10);
    let without = first.clean.ok_or("no noise was added")?.narrow(0, 0, 10);
    let mut rows = vec![bytes(without.flatten(1, 3)), bytes(ten.clone().flatten(1, 3))];
    let mut errors = Vec::new();
    for (target, data) in &runs {
        let network = LinearAutoencoder::default().architecture();
        let network = network.init(Initialization::HeNormal, seed, &context.device)?;
        let run = context.clone().with_run_folder(output.path(target));
        let fitted = fit_autoencoder(network, data, &config, &run)?;
        cli::ended(&fitted)?;
        let error = |test| evaluate_task(&Reconstruct::default(), &fitted.model, test);
        let [with, without] = [error(&noisy)?.loss, error(&clean)?.loss];
        cli::print(&format!(
            "target {target}: test loss {with:.5} with noise, {without:.5} without\n"
        ))?;
        rows.push(bytes(fitted.model.forward(ten.clone())));
        errors.push(with);
    }
    four_kinds(&split.train, args.noise)?.save(output.path("samples.png"))?;
    // Uniform noise of at most a has the variance a² / 3.
    let title = format!(
        "Does an autoencoder take noise away? Squared error to the images without noise: {:.4} of what \
         it is given, {:.4} if it learned to give that back, {:.4} if it learned to take noise away",
        args.noise.powi(2) / 3.0,
        errors[0],
        errors[1]
    );
    let how = "From top to bottom: test images without noise; what the autoencoders are given; what \
               comes back from the first; what comes back from the second.";
    let image = |pixels| SheetImage { pixels, shape: [1, 28, 28], caption: Vec::new() };
    let images: Vec<_> = rows.iter().flat_map(|row| row.chunks(28 * 28)).map(image).collect();
    plot::grid(&title, Some(how), 10, &images)?.save(output.path("reconstructions.png"))?;
    cli::print(&format!("models and pictures are in {}\n", output.folder().display()))?;
    Ok(())
}

/// An image of each class in a row, in each of four kinds: as it is, mirrored, with noise, both.
fn four_kinds(train: &View, noise: f64) -> Result<plot::Picture, Box<dyn Error>> {
    let one_each = train.stratified_fraction(1e-9, 0)?;
    let set = augmented_set(&one_each, &flip_and_noise(noise), 0)?;
    let kinds = ["as it is", "mirrored", "with noise", "mirrored, with noise"];
    let image = |i: usize| {
        let class = set.classes()[usize::from(set.label(i))].clone();
        let caption = vec![class, kinds[i / one_each.len()].into()];
        SheetImage { pixels: set.image(i), shape: set.shape(), caption }
    };
    let images: Vec<_> = (0..set.len()).map(image).collect();
    let title = "What do the classifiers of this report learn from? From each image four times";
    let how =
        format!("The noise is uniform and at most {noise} either way, where a pixel is 0 to 1.");
    Ok(plot::sheet(title, Some(&how), &images)?)
}

/// Values of 0 to 1 as pixels.
fn bytes(values: Tensor<2>) -> Vec<u8> {
    let values = values.into_data();
    values.iter::<f32>().map(|value| (255.0 * value).round().clamp(0.0, 255.0) as u8).collect()
}
