//! How much does a network learn in one pass over ten classes?

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use selvedge::cli;
use selvedge::models::CourseCnn;
use selvedge::prelude::*;
use selvedge::report::{StepLog, plot, write_evaluation};

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
    #[command(flatten)]
    fit: cli::FitArgs,
    #[command(flatten)]
    run: cli::RunArgs,
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
    let config = args.fit.config(FitConfig {
        epochs: 1,
        batch_size: 64,
        learning_rate: 0.001,
        optimizer: OptimizerConfig::sgd(0.9),
        weight_decay: 0.04,
        ..FitConfig::default()
    })?;
    let context = args.fit.context("report C")?;
    let split = args.fit.split(args.data.split(&args.fit.common.source())?)?;
    let (images, size) = (split.test()?, split.train.len());
    // Normalized by the mean and the standard deviation of these training images, not of another data set's.
    let data = FitData::from(&split);
    let (network, initialization) = args.model.network(&split);
    let network = network.init(initialization, args.fit.seed, &context.device)?;
    let name = network.name().to_string();
    let measure = |view| evaluate(&network, view, &data.normalization, &context);
    let (validated, tested) = (measure(&split.validation)?, measure(images)?);
    cli::print(&format!("before training: test {}\n", tested.metrics))?;

    let folder = args.run.folder("runs/report_c");
    let log = StepLog::every(args.log_every.map_or(20, NonZeroUsize::get));
    let log = log.with_messages(args.log_every.is_some());
    let observed = args.run.observed(&context, &folder, &split.train).with_observer(log);
    let fitted = fit(network.clone(), &data, &config, &observed)?;

    let test = predictions(&fitted.model, images, &data.normalization, &context)?;
    cli::print(&format!("after training: test {}\n", test.metrics()))?;
    let ends = fitted.history.epochs.iter().filter_map(|e| Some((e.epoch * size, e.validation?)));
    let validation: Vec<_> = std::iter::once((0, validated.metrics)).chain(ends).collect();
    let [before, after] = [tested.metrics, test.metrics()].map(|metrics| 100.0 * metrics.accuracy);
    let title = format!(
        "How much does {name} learn? Right test images: {before:.1} % before training, {after:.1} % after epoch {}",
        fitted.best.epoch
    );
    let steps = StepLog::read(&folder)?;
    plot::images_seen(&title, None, &steps, &validation).save_as(&folder, "images_seen")?;
    let title = format!("What does {name} take the first six test images for?");
    plot::predicted_images(&title, images, &test, 6, 3)?.save(folder.join("predictions.png"))?;
    write_evaluation(&folder, &name, images, &test)?;
    cli::print(&format!("model, curves and pictures are in {}\n", folder.display()))?;
    cli::ended(&fitted)
}
