//! How much does a network learn in one pass over ten classes?

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use selvedge::cli;
use selvedge::models::CourseCnn;
use selvedge::prelude::*;
use selvedge::report::plot::{self, SheetImage};
use selvedge::report::{StepLog, write_evaluation};
use selvedge::train::{Metrics, predictions};

/// Trains one of four networks with SGD and weight decay, by default for one epoch. Shows loss and error by the
/// number of images seen, before training too, and what the network says of six test images.
#[derive(Parser)]
struct Args {
    /// The network
    #[arg(long, default_value = "mnist_cnn3")]
    model: Course,
    /// The images
    #[arg(long, default_value = "fashion_mnist")]
    dataset: Images,
    /// A line of progress every so many batches
    #[arg(long, value_name = "BATCHES")]
    log_every: Option<NonZeroUsize>,
    /// A fiftieth of the training images: a check that everything works
    #[arg(long)]
    quick: bool,
    /// Decides the initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
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

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Images {
    Mnist,
    FashionMnist,
}

impl Course {
    /// The network for ten classes, and how its weights begin.
    fn network(self) -> (Architecture, Initialization) {
        let networks = CourseCnn::new(10);
        match self {
            Self::MnistCnn => (networks.mnist_cnn(), Initialization::HeNormal),
            Self::MnistCnn2 => (networks.mnist_cnn2(), Initialization::HeNormal),
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
        epochs: 1,
        batch_size: 64,
        learning_rate: 0.001,
        optimizer: OptimizerConfig::sgd(0.9),
        weight_decay: 0.04,
        seed: args.seed,
        ..FitConfig::default()
    })?;
    config.check()?;
    let (network, initialization) = args.model.network();
    let name = network.name.clone();
    let (context, _) = args.common.context(&name)?;
    let set = match args.dataset {
        Images::Mnist => &MNIST,
        Images::FashionMnist => &FASHION_MNIST,
    };
    let mut split = set.load(&args.common.source())?.split_official()?;
    if args.quick {
        split.train = split.train.stratified_fraction(0.02, args.seed)?;
    }
    // By the mean and the standard deviation of these training images, not of another data set's.
    let data = FitData::from(&split);
    let network = network.init(initialization, args.seed, &context.device)?;
    let folder = args.run.folder("runs/report_c");
    let measure = |network: &Network, view: &View| -> Result<Metrics, Box<dyn Error>> {
        Ok(evaluate(network, view, &data.normalization, &context)?.metrics)
    };
    let [before, untrained] =
        [&split.validation, split.test()?].map(|view| measure(&network, view));
    let (before, untrained) = (before?, untrained?);
    cli::print(&format!("before training: test {untrained}\n"))?;

    let log = StepLog::every(args.log_every.map_or(20, NonZeroUsize::get));
    let log = if args.log_every.is_some() { log.with_messages() } else { log };
    let observed = args.run.observed(&context, &folder, &split.train).with_observer(log);
    let fitted = fit(network, &data, &config, &observed)?;

    let test = predictions(&fitted.model, split.test()?, &data.normalization, &context)?;
    let score = test.metrics();
    cli::print(&format!(" after training: test {score}\n"))?;
    let seen = |epoch: usize| epoch * split.train.len();
    let ends =
        fitted.history.epochs.iter().map(|e| (seen(e.epoch), e.validation.unwrap_or_default()));
    let validation: Vec<_> = std::iter::once((0, before)).chain(ends).collect();
    let steps = StepLog::read(&folder)?;
    let title = format!(
        "How much does {name} learn of {}? {:.2} % of {} test images are right after {} epochs, {:.2} % before",
        split.train.dataset().name(),
        100.0 * score.accuracy,
        test.len(),
        fitted.best.epoch,
        100.0 * untrained.accuracy,
    );
    let picture = plot::images_seen(&title, None, &steps, &validation);
    picture.save(folder.join("images_seen.svg"))?;
    picture.save(folder.join("images_seen.png"))?;
    six(&name, split.test()?, &test.predicted())?.save(folder.join("predictions.png"))?;
    write_evaluation(&folder, &name, split.test()?, &test)?;
    cli::print(&format!("model, curves and pictures are in {}\n", folder.display()))?;
    cli::ended(&fitted)
}

/// The first six test images, two rows of three, each with its class and what it was taken for.
fn six(model: &str, test: &View, predicted: &[usize]) -> Result<plot::Picture, plot::PlotError> {
    let classes = test.classes();
    let image = |i: usize| {
        let truth = usize::from(test.label(i));
        let caption = [("truth", truth), ("prediction", predicted[i])];
        let caption = caption.map(|(what, class)| format!("{what}: {}", classes[class])).to_vec();
        SheetImage { pixels: test.image(i), shape: test.shape(), caption }
    };
    let images: Vec<_> = (0..6).map(image).collect();
    let right = (0..6).filter(|&i| usize::from(test.label(i)) == predicted[i]).count();
    let title = format!("What does {model} say of the first six test images? {right} are right");
    plot::grid(&title, None, 3, &images)
}
