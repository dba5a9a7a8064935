//! How well does a network tell the classes of a data set apart?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli::{self, Classes};
use selvedge::prelude::*;
use selvedge::report::write_evaluation;
use selvedge::train::fit_task;

/// Trains a network and keeps it with its curves, its confusion matrix and the images that it finds
/// hardest: by default two convolutions of 10 and 20 channels on five kinds of clothing (FM-1), 30 epochs
/// of Adam. Stopped or killed, it goes on with `--resume`.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    network: cli::NetworkArgs,
    #[command(flatten)]
    data: cli::DataArgs,
    /// How pixels are normalized
    #[arg(long, default_value = "standardized")]
    normalization: cli::Normalization,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    augmentation: cli::AugmentationArgs,
    #[command(flatten)]
    loss: cli::LossArgs,
    /// Decides the initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    run: cli::RunArgs,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| train(&args))
}

fn train(args: &Args) -> Result<(), Box<dyn Error>> {
    let base = FitConfig { epochs: 30, seed: args.seed, ..FitConfig::default() };
    let config = args.training.config(base)?;
    config.check()?;
    let network = args.network.network_or("cnn2_small")?;
    args.augmentation.check(args.data.shape()?)?;
    let (context, device) = args.common.context(&network.name)?;
    let split = args.data.or_classes(Classes::Fm1).split(&args.common.source())?;
    let normalization = NormalizationKind::from(args.normalization).normalization(&split.train);
    let data = FitData::from(&split).with_normalization(normalization);
    let data = args.augmentation.of(data)?;
    let model = network.name.clone();
    let architecture = network.with_input(split.shape())?.with_classes(split.classes().len())?;
    let network = architecture.init(Initialization::PyTorch, args.seed, &context.device)?;
    let folder = args.run.folder("runs/train");

    let observed = args.run.observed(&context, &folder, &split.train);
    let fitted = fit_task(&args.loss.task(), network, &data, &config, &observed)?;

    let best = fitted.best.epoch;
    let measure = |view| predictions(&fitted.model, view, &data.normalization, &context);
    let test = measure(split.test()?)?;
    let scores = [
        ("train", measure(&split.train)?.metrics()),
        ("validation", measure(&split.validation)?.metrics()),
        ("test", test.metrics()),
    ];
    cli::print(&format!("epoch {best} of {} is the best, on {device}\n", config.epochs))?;
    for (name, score) in scores {
        cli::print(&format!("{name:>10}: {score}\n"))?;
    }
    cli::print(&format!("\n{}\n", test.confusion().report().classification()))?;
    write_evaluation(&folder, &model, split.test()?, &test)?;
    cli::print(&format!("model, curves and pictures are in {}\n", folder.display()))?;
    cli::ended(&fitted)
}
