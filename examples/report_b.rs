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
    #[command(flatten)]
    fit: cli::FitArgs,
    #[command(flatten)]
    run: cli::RunFolderArgs,
}

fn main() -> ExitCode {
    cli::run(|args: Args| denoise(&args))
}

fn denoise(args: &Args) -> Result<(), Box<dyn Error>> {
    let usual = FitConfig { epochs: 15, batch_size: 100, ..FitConfig::default() };
    let config = args.fit.config(usual)?;
    let context = args.fit.context("autoencoder")?;
    let odd = ClassSubset::new("odd", [1, 3, 5, 7, 9])?;
    let split = FASHION_MNIST.load(&args.fit.common.source())?.split_official()?;
    let split = args.fit.split(split.select(&odd)?)?;
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
    let mut rows = vec![plot::pixels(without), plot::pixels(ten.clone())];
    let mut errors = Vec::new();
    for (target, data) in &runs {
        let network = LinearAutoencoder::default().architecture();
        let network = network.init(Initialization::HeNormal, args.fit.seed, &context.device)?;
        let run = context.clone().with_run_folder(output.path(target));
        let fitted = fit_autoencoder(network, data, &config, &run)?;
        cli::ended(&fitted)?;
        let error = |test| evaluate_task(&Reconstruct::default(), &fitted.model, test);
        let [with, without] = [error(&noisy)?.loss, error(&clean)?.loss];
        let losses = format!("test loss {with:.5} with noise, {without:.5} without");
        cli::print(&format!("target {target}: {losses}\n"))?;
        rows.push(plot::pixels(fitted.model.forward(ten.clone())));
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
    let set = augmented_set(&one_each, &flip_and_noise(noise), 0)?.view();
    let kinds = ["as it is", "mirrored", "with noise", "mirrored, with noise"];
    let mut images = SheetImage::all(&set);
    for (i, image) in images.iter_mut().enumerate() {
        image.caption.push(kinds[i / one_each.len()].into());
    }
    let title = "What do the classifiers of this report learn from? From each image four times";
    let how =
        format!("The noise is uniform and at most {noise} either way, where a pixel is 0 to 1.");
    Ok(plot::sheet(title, Some(&how), &images)?)
}
