//! What do trained weights make of one's own photos, and of other classes?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::files::{Output, next_free};
use selvedge::prelude::*;

/// Teaches a network the classes of a folder of images, or of a published data set. With weights from
/// elsewhere it goes as fastai's `fine_tune`: a fresh head alone, on features that are computed once; then
/// all layers, the first ones more slowly. Without weights all layers learn from the beginning. The network
/// ends in one file, which `predict` takes.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    images: cli::ImageArgs,
    #[command(flatten)]
    network: cli::PretrainedArgs,
    /// Share of the training images that is used
    #[arg(long, default_value = "100%")]
    fraction: cli::Fraction,
    #[command(flatten)]
    tuning: cli::FineTuneArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    augmentation: cli::AugmentationArgs,
    /// Folder for the network; if it is taken, the next of FOLDER2, FOLDER3 …
    #[arg(long, default_value = "runs/finetune", value_name = "FOLDER")]
    output_dir: PathBuf,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| finetune(&args))
}

fn finetune(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut config = args.training.config(args.tuning.base()?)?;
    config.check()?;
    let (context, _) = args.common.context("fine-tuning")?;
    let start = args.network.open(&context.device)?;
    let shape = args.images.shape(start.architecture.input)?;
    args.tuning.check(&start.architecture, shape, &config)?;
    args.augmentation.check(shape)?;
    let cli::ChosenImages { split, resize } =
        args.images.read(shape, config.seed, &args.common, &context)?;
    // A file of that name is a mistake, which is named.
    let folder = match args.output_dir.is_file() {
        true => args.output_dir.clone(),
        false => next_free(&args.output_dir),
    };
    let output = Output::new(&folder)?;
    let normalization = args.images.normalization(start.normalization.as_ref(), &split)?;
    let mut data = FitData::from(&split).with_normalization(normalization);
    data.train = split.train.stratified_fraction(args.fraction.0, config.seed)?;
    let augmented = args.augmentation.of(data.clone())?;
    let (judge, part) = match &split.test {
        Some(test) => (test, "test"),
        None => (&split.validation, "validation"),
    };
    let [train, validation] = [&data.train, &split.validation].map(View::len);
    let (classes, [channels, height, width]) = (split.classes().len(), split.shape());
    cli::print(&format!(
        "{classes} classes; {train} images train, {validation} validate, {channels} × {height} × {width}\n"
    ))?;

    let mut network = start.network(split.shape(), classes, config.seed, &context.device)?;
    let mut end = Ok(());
    if start.has_weights() {
        let (trained, head) = args.tuning.train_head(network, &data, &config, &context)?;
        network = trained;
        if let Some(head) = head {
            let score = evaluate(&network, judge, &data.normalization, &context)?;
            cli::print(&format!("head alone: {part} {}\n", score.metrics))?;
            end = cli::ended(&head);
        }
        config = args.tuning.all_layers(&network, &config)?;
    }
    if end.is_ok() && !args.tuning.head_only {
        let fitted = fit(network, &augmented, &config, &context)?;
        let score = evaluate(&fitted.model, judge, &data.normalization, &context)?;
        cli::print(&format!("all layers: {part} {}\n", score.metrics))?;
        end = cli::ended(&fitted);
        network = fitted.model;
    }
    Bundle::new(network, &data).with_resize(resize).save(output.path("model.safetensors"))?;
    cli::print(&format!("the network is in {}\n", folder.display()))?;
    end
}
