//! Finds the test images that are nearly the same as a training image, and measures a classifier with and
//! without them; test-time augmentation beside it.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::cli;
use selvedge::data::near_duplicates;
use selvedge::data::transform::{RandomHorizontalFlip, RandomShift};
use selvedge::prelude::*;
use selvedge::train::Tta;

/// Finds near-duplicates between the training and the test images of a published data set.
#[derive(Parser)]
struct Args {
    /// The folder of the data set
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The least correlation of two images that count as nearly the same, above 0 and at most 1
    #[arg(long, default_value_t = 0.995)]
    threshold: f64,
    /// How many pairs to list, the most similar ones
    #[arg(long, default_value_t = 10)]
    list: usize,
    /// Epochs for which a small network is trained and then measured; 0 for none
    #[arg(long, default_value_t = 3)]
    epochs: usize,
    /// Shifts and mirrors the training images at random
    #[arg(long)]
    augment: bool,
    /// Seeds with which it is trained
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Device
    #[arg(long, default_value = "auto")]
    device: String,
}

fn main() -> ExitCode {
    cli::run(|args: Args| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let source = args.data.as_ref().map_or_else(Source::default, Source::folder);
    let split = FASHION_MNIST.load(&source)?.split_official()?;
    let (train, test) = (&split.train, split.test()?);
    let start = Instant::now();
    let found = near_duplicates(train, test, args.threshold)?;
    println!("{found} ({:.1} s)", start.elapsed().as_secs_f64());
    println!("{} pairs are of different classes", found.of_different_classes(train, test).len());
    let mut pairs = found.pairs.clone();
    pairs.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    for pair in pairs.iter().take(args.list) {
        let name = |view: &View, i: usize| view.classes()[usize::from(view.label(i))].clone();
        let (here, there) = (name(test, pair.test), name(train, pair.train));
        println!(
            "test image {} ({here}), training image {} ({there}): {:.4}; {} in all",
            pair.test, pair.train, pair.similarity, pair.matches
        );
    }

    let context = Context::new(&selvedge::device::open(&args.device)?);
    let mut data = FitData::from(&split);
    if args.augment {
        let shift = RandomShift::new(1);
        data = data
            .with_transforms(Transforms::new().with(shift).with(RandomHorizontalFlip::default()));
    }
    for seed in 0..if args.epochs > 0 { args.seeds } else { 0 } {
        let network = named("mnist_cnn")?.init(Initialization::PyTorch, seed, &context.device)?;
        let config = FitConfig { epochs: args.epochs, seed, ..FitConfig::default() };
        let model = fit(network, &data, &config, &context)?.model;
        let accuracy = |view: &View| {
            let measured = evaluate(&model, view, &data.normalization, &context)?;
            Ok::<_, Box<dyn Error>>(100.0 * measured.metrics.accuracy)
        };
        let mut line = format!("seed {seed}: all {:.2} %", accuracy(test)?);
        for (name, part) in [("without", found.without(test)?), ("only", found.only(test)?)] {
            if !part.is_empty() {
                line += &format!(", {name} near-duplicates {:.2} %", accuracy(&part)?);
            }
        }
        for (name, tta) in [
            ("flips", Tta::flips()),
            ("shifts", Tta::shifts(1)),
            ("flips and shifts", Tta::shifts(1).with_flips()),
        ] {
            let measured = tta.evaluate(&model, test, &data.normalization, &context)?;
            line += &format!(", averaged over {name} {:.2} %", 100.0 * measured.metrics.accuracy);
        }
        println!("{line}");
    }
    Ok(())
}
