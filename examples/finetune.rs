//! What is a trained network worth for other classes: as it is under a new head, or trained on?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::files::{Output, next_free};
use selvedge::prelude::*;
use selvedge::train::features::FeatureData;

/// Takes the weights of a file (what `train` keeps, PyTorch's .pt and .pth, safetensors, burnpack), gives
/// the network a fresh head for the classes at hand, and trains it twice: the head alone, on features
/// that are computed once, and then all layers, those from the file at a tenth of the learning rate;
/// 5 epochs each by default.
#[derive(Parser)]
struct Args {
    /// The file of weights
    weights: PathBuf,
    #[command(flatten)]
    network: cli::NetworkArgs,
    /// Share of the training images that is used
    #[arg(long, default_value = "10%")]
    fraction: cli::Fraction,
    #[command(flatten)]
    data: cli::DataArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    /// Folder for the network that was trained as a whole; if it is taken, the next of FOLDER2, FOLDER3 …
    #[arg(long, default_value = "runs/finetune", value_name = "FOLDER")]
    output_dir: PathBuf,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| finetune(&args))
}

fn finetune(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.training.config(FitConfig { epochs: 5, ..FitConfig::default() });
    config.check()?;
    let (context, _) = args.common.context("fine-tuning")?;
    let split = args.data.split(&args.common.source())?;
    let test = split.test()?;
    // A file of that name is a mistake, which is named.
    let folder = match args.output_dir.is_file() {
        true => args.output_dir.clone(),
        false => next_free(&args.output_dir),
    };
    let output = Output::new(&folder)?;
    let mut data = FitData::from(&split);
    data.train = split.train.stratified_fraction(args.fraction.0, config.seed)?;

    // A bundle knows its network and how its images were normalized.
    let mut architecture = args.network.network_or("cnn2_small")?;
    if let Ok(bundle) = Bundle::load(&args.weights, &context.device) {
        architecture = bundle.network().architecture().clone();
        let (mean, std) = (bundle.mean().to_vec(), bundle.std().to_vec());
        data = data.with_normalization(Normalization { mean, std });
    }
    let architecture =
        architecture.with_input(split.shape())?.with_classes(split.classes().len())?;
    let network = architecture.from_pretrained(&args.weights, config.seed, &context.device)?;
    // Of a file for the same classes the head is drawn anew as well.
    let network = network.with_fresh_head(Initialization::PyTorch, config.seed)?;
    let head = architecture.head().unwrap_or_default();
    let (trunk, fresh) = network.cut_at(head)?;
    let features = FeatureData::extract(&trunk, &data, &context)?;
    let fitted = fit(fresh, &features, &config, &context)?;
    let network = trunk.join(fitted.model)?;
    let score = evaluate(&network, test, &data.normalization, &context)?;
    cli::print(&format!("head alone: test {}\n", score.metrics))?;

    let slow = ParamGroup::new(&format!("*, !{head}"), 0.1)?;
    let config = FitConfig { param_groups: vec![slow], ..config };
    let fitted = fit(network, &data, &config, &context)?;
    let score = evaluate(&fitted.model, test, &data.normalization, &context)?;
    cli::print(&format!("all layers: test {}\n", score.metrics))?;
    Bundle::new(fitted.model.clone(), &data).save(output.path("model.safetensors"))?;
    cli::print(&format!("the network is in {}\n", folder.display()))?;
    cli::ended(&fitted)
}
