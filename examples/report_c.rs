//! How much does a network learn in one pass over ten classes?

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use selvedge::cli;
use selvedge::models::CourseCnn;
use selvedge::prelude::*;
use selvedge::report::{StepLog, plot, write_evaluation};
use selvedge::train::predictions;

/// Trains one of four networks with SGD and weight decay, by default for one epoch. Shows loss and error by the
/// number of images seen, before training too, and what the network says of six test images.
#[derive(Parser)]
struct Args {
    /// The network
    #[arg(long, default_value = "mnist_cnn3")]
    model: Course,
    #[command(flatten)]
    data: cli::DataArgs,
    /// A line of progress every so many batches
    #[arg(long, value_name = "BATCHES")]
    log_every: Option<NonZeroUsize>,
    /// Decides the initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    quick: cli::QuickArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    run: cli::RunArgs,
    #[command(flatten)]
    common: cli::Common,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Course {
    MnistCnn,
    MnistCnn2,
    MnistCnn3,
    BnCnn,
}

impl Course {
    /// The network for such images, and how its weights begin.
    fn network(self, split: &Split) -> (Architecture, Initialization) {
        let networks = CourseCnn::new(split.classes().len()).with_input(split.shape());
        match self {
            Self::MnistCnn => (networks.mnist_cnn(), Initialization::HeNormalLinearHead),
            Self::MnistCnn2 => (networks.mnist_cnn2(), Initialization::HeNormalLinearHead),
            Self::MnistCnn3 => (networks.mnist_cnn3(0.05), Initialization::PyTorch),
            Self::BnCnn => (networks.bn_cnn(0.05), Initialization::PyTorch),
        }
    }
}

fn main() -> ExitCode {
    cli::run(|args: Args| train(&args))
}

fn train(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.training.config(FitConfig {
        epochs: args.quick.epochs(1),
        batch_size: 64,
        learning_rate: 0.001,
        optimizer: OptimizerConfig::sgd(0.9),
        weight_decay: 0.04,
        seed: args.seed,
        ..FitConfig::default()
    })?;
    config.check()?;
    let (context, _) = args.common.context("report C")?;
    let split = args.quick.split(args.data.split(&args.common.source())?)?;
    // Normalized by the mean and the standard deviation of these training images, not of another data set's.
    let data = FitData::from(&split);
    let (network, initialization) = args.model.network(&split);
    let network = network.init(initialization, args.seed, &context.device)?;
    let name = network.name().to_string();
    let measure = |view| evaluate(&network, view, &data.normalization, &context);
    let (validated, tested) = (measure(&split.validation)?, measure(split.test()?)?);
    cli::print(&format!("before training: test {}\n", tested.metrics))?;

    let folder = args.run.folder("runs/report_c");
    let log = StepLog::every(args.log_every.map_or(20, NonZeroUsize::get));
    let log = log.with_messages(args.log_every.is_some());
    let observed = args.run.observed(&context, &folder, &split.train).with_observer(log);
    let fitted = fit(network.clone(), &data, &config, &observed)?;

    let test = predictions(&fitted.model, split.test()?, &data.normalization, &context)?;
    cli::print(&format!("after training: test {}\n", test.metrics()))?;
    let ends = fitted.history.epochs.iter();
    let ends = ends.filter_map(|e| Some((e.epoch * split.train.len(), e.validation?)));
    let validation: Vec<_> = std::iter::once((0, validated.metrics)).chain(ends).collect();
    let title = format!(
        "How much does {name} learn? Right test images: {:.1} % before training, {:.1} % after epoch {}",
        100.0 * tested.metrics.accuracy,
        100.0 * test.metrics().accuracy,
        fitted.best.epoch
    );
    let seen = plot::images_seen(&title, None, &StepLog::read(&folder)?, &validation);
    seen.save(folder.join("images_seen.svg"))?;
    seen.save(folder.join("images_seen.png"))?;
    let title = format!("What does {name} take the first six test images for?");
    let six = plot::predicted_images(&title, split.test()?, &test, 6, 3)?;
    six.save(folder.join("predictions.png"))?;
    write_evaluation(&folder, &name, split.test()?, &test)?;
    cli::print(&format!("model, curves and pictures are in {}\n", folder.display()))?;
    cli::ended(&fitted)
}
