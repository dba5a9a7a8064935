//! Does an autoencoder take noise away, and does it have to be shown images without noise for that?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::data::transform::{
    RandomHorizontalFlip, UniformNoise, augmented_set, flip_and_noise,
};
use selvedge::files::Output;
use selvedge::models::LinearAutoencoder;
use selvedge::prelude::*;
use selvedge::report::plot::{self, SheetImage};
use selvedge::train::{Reconstruct, evaluate_task};

/// Trains an autoencoder of linear layers on five kinds of clothing, mirrored and with noise, twice: to give
/// back what it was given, and to give back the images without the noise. Shows what both make of ten test
/// images, and the four kinds of training images that classifiers of this report learn from.
#[derive(Parser)]
struct Args {
    /// 1 epoch of a fiftieth of the images: a check that everything works
    #[arg(long)]
    quick: bool,
    /// The most that is added to or taken from a pixel, which is 0 to 1
    #[arg(long, default_value_t = 0.1)]
    noise: f64,
    /// Decides the initial weights, the order of the images and the noise
    #[arg(long, default_value_t = 0)]
    seed: u64,
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
    let (epochs, seed) = (if args.quick { 1 } else { 15 }, args.seed);
    let base = FitConfig { epochs, batch_size: 100, seed, ..FitConfig::default() };
    let config = args.training.config(base)?;
    config.check()?;
    let (context, _) = args.common.context("autoencoder")?;
    let odd = ClassSubset::new("odd", [1, 3, 5, 7, 9])?;
    let mut split = FASHION_MNIST.load(&args.common.source())?.split_official()?.select(&odd)?;
    if args.quick {
        split.train = split.train.stratified_fraction(0.02, seed)?;
    }
    let output = Output::new(args.run.folder("runs/report_b"))?;
    samples(&split.train, args.noise)?.save(output.path("samples.png"))?;

    let unit = Normalization::unit();
    let flipped = Transforms::new().with(RandomHorizontalFlip { p: 0.5 });
    let data = FitData::from(&split).with_normalization(unit.clone());
    let given = flipped.clone().with(UniformNoise::new(args.noise));
    let ways = [
        ("what is given", "given", data.clone().with_transforms(given)),
        (
            "the images without noise",
            "clean",
            data.with_transforms(flipped).with_input_noise(args.noise),
        ),
    ];
    let ten = BatchLoader::new(split.test()?.range(0..10)?, 10, &unit, &context.device)?;
    let ten = ten.with_input_noise(args.noise)?.epoch(0).next().ok_or("no test images")??;
    let clean = ten.clean.clone().unwrap_or_else(|| ten.images.clone());
    let mut rows = vec![bytes(clean.flatten(1, 3)), bytes(ten.images.clone().flatten(1, 3))];
    let mut losses = Vec::new();
    for (target, name, data) in &ways {
        let network = LinearAutoencoder::default().architecture();
        let network = network.init(Initialization::HeNormal, seed, &context.device)?;
        let run = context.clone().with_run_folder(output.path(name));
        let fitted = fit_autoencoder(network, data, &config, &run)?;
        cli::ended(&fitted)?;
        let test = BatchLoader::new(split.test()?.clone(), 256, &unit, &context.device)?;
        let clean = evaluate_task(&Reconstruct::default(), &fitted.model, &test)?.loss;
        let test = test.with_input_noise(args.noise)?;
        let noisy = evaluate_task(&Reconstruct::default(), &fitted.model, &test)?.loss;
        cli::print(&format!(
            "learned to give back {target}: test loss {noisy:.5} with noise, {clean:.5} without\n"
        ))?;
        rows.push(bytes(fitted.model.forward(ten.images.clone())));
        losses.push(noisy);
    }
    let title = format!(
        "Does an autoencoder take noise away? Its squared error to the image without noise is {:.4} if it \
         learned to give back what it was given, {:.4} if it learned from images without noise",
        losses[0], losses[1]
    );
    let how = "From top to bottom: ten test images, what the autoencoders were given, \
               what the first made of it, what the second made of it.";
    let names = ten.labels.iter().map(|label| split.classes()[usize::from(*label)].clone());
    let captions = names.map(|name| vec![name]).chain(std::iter::repeat(Vec::new()));
    let images = rows.iter().flat_map(|row| row.chunks(784)).zip(captions);
    let images: Vec<_> = images
        .map(|(pixels, caption)| SheetImage { pixels, shape: split.shape(), caption })
        .collect();
    plot::grid(&title, Some(how), 10, &images)?.save(output.path("reconstructions.png"))?;
    cli::print(&format!("models, curves and pictures are in {}\n", output.folder().display()))?;
    Ok(())
}

/// The first image of each class in a row, once for each kind: as it is, mirrored, with noise, both.
fn samples(train: &View, noise: f64) -> Result<plot::Picture, Box<dyn Error>> {
    let kinds = ["as it is", "mirrored", "with noise", "mirrored, with noise"];
    let firsts = (0..train.classes().len() as u16)
        .filter_map(|class| train.labels().iter().position(|label| *label == class));
    let sets = firsts.map(|at| augmented_set(&train.range(at..at + 1)?, &flip_and_noise(noise), 0));
    let sets: Vec<_> = sets.collect::<Result<_, _>>()?;
    let images = kinds.iter().enumerate().flat_map(|(kind, name)| {
        let image = move |set| (set, kind, name);
        sets.iter().map(image)
    });
    let images: Vec<_> = images
        .map(|(set, kind, name)| SheetImage {
            pixels: set.image(kind),
            shape: set.shape(),
            caption: vec![set.classes()[usize::from(set.label(kind))].clone(), (*name).into()],
        })
        .collect();
    let title = "What does a classifier of this report learn from? Each image four times";
    let how = format!("Noise: uniform, at most {noise} either way, where a pixel is 0 to 1.");
    Ok(plot::sheet(title, Some(&how), &images)?)
}

/// Values of 0 to 1 as pixels.
fn bytes(values: Tensor<2>) -> Vec<u8> {
    let values = values.into_data();
    values.iter::<f32>().map(|value| (255.0 * value).round().clamp(0.0, 255.0) as u8).collect()
}
