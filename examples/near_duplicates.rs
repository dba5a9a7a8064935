//! Which test images are nearly the same as a training image, and what do they do to the accuracy? What is
//! averaging over shifted and mirrored images worth?

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::cli;
use selvedge::data::near_duplicates;
use selvedge::prelude::*;
use selvedge::train::Tta;

/// Finds near-duplicates between the training and the test images of a published data set, trains a network
/// and measures it with and without them, and on shifted and mirrored test images (test-time augmentation).
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    data: cli::DataArgs,
    /// The least correlation of two images that count as nearly the same, above 0 and at most 1
    #[arg(long, default_value_t = 0.995)]
    threshold: f64,
    /// How many pairs to list, the most similar ones
    #[arg(long, default_value_t = 10)]
    list: usize,
    #[command(flatten)]
    network: cli::NetworkArgs,
    /// Epochs for which it is trained; 0 for none
    #[arg(long, default_value_t = 3)]
    epochs: usize,
    #[command(flatten)]
    augmentation: cli::AugmentationArgs,
    /// Seeds with which it is trained
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let network = args.network.network_or("mnist_cnn")?;
    args.augmentation.check(args.data.shape()?)?;
    let (context, _) = args.common.context("near-duplicates")?;
    let split = args.data.split(&args.common.source())?;
    let (train, test) = (&split.train, split.test()?);
    let data = args.augmentation.of(FitData::from(&split))?;
    let start = Instant::now();
    let found = near_duplicates(train, test, args.threshold)?;
    let apart = found.of_different_classes(train, test).len();
    let seconds = start.elapsed().as_secs_f64();
    cli::print(&format!("{found} ({seconds:.1} s)\n{apart} pairs are of different classes\n"))?;
    let mut pairs = found.pairs.clone();
    pairs.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    for pair in pairs.iter().take(args.list) {
        let name = |view: &View, i: usize| view.classes()[usize::from(view.label(i))].clone();
        let (here, there) = (name(test, pair.test), name(train, pair.train));
        cli::print(&format!(
            "test image {} ({here}), training image {} ({there}): {:.4}; {} in all\n",
            pair.test, pair.train, pair.similarity, pair.matches
        ))?;
    }

    let architecture = network.with_input(split.shape())?.with_classes(split.classes().len())?;
    for seed in 0..if args.epochs > 0 { args.seeds } else { 0 } {
        let network = architecture.init(Initialization::PyTorch, seed, &context.device)?;
        let config = FitConfig { epochs: args.epochs, seed, ..FitConfig::default() };
        let fitted = fit(network, &data, &config, &context)?;
        let accuracy = |view: &View| {
            let measured = evaluate(&fitted.model, view, &data.normalization, &context)?;
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
            let measured = tta.evaluate(&fitted.model, test, &data.normalization, &context)?;
            line += &format!(", averaged over {name} {:.2} %", 100.0 * measured.metrics.accuracy);
        }
        cli::print(&format!("{line}\n"))?;
        cli::ended(&fitted)?;
    }
    Ok(())
}
