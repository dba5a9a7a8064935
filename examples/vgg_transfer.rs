//! What does a network that learned from photographs know about clothes?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::data::ImageExamples;
use selvedge::data::transform::{CenterCrop, GrayToRgb, Resize};
use selvedge::files::Output;
use selvedge::models::ImageResize;
use selvedge::prelude::*;
use selvedge::report::{plot, write_evaluation};
use selvedge::train::features::{FeatureData, Features};
use selvedge::train::predictions_on;

/// Freezes a network with trained weights up to its last layer, and lets a new last layer learn ten classes from features
/// that are computed once: images resized to 256, the middle 224, and the statistics of what the network learned from.
/// `--pretrained vgg16` is the network of the report. Stopped or killed, it goes on with `--resume`.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    network: cli::PretrainedArgs,
    /// A published data set
    #[arg(long, default_value = "fashion_mnist")]
    dataset: String,
    /// Share of the images that is used
    #[arg(long, default_value = "100%")]
    fraction: cli::Fraction,
    /// Height and width of the images that the network sees, of an eighth more the middle
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u16).range(8..))]
    image_size: u16,
    #[command(flatten)]
    fit: cli::FitArgs,
    #[command(flatten)]
    run: cli::RunFolderArgs,
}

fn main() -> ExitCode {
    cli::run(|args: Args| transfer(&args))
}

fn transfer(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.fit.config(FitConfig { batch_size: 100, ..FitConfig::default() })?;
    let context = args.fit.context("transfer")?;
    let (seed, size, device) = (args.fit.seed, usize::from(args.image_size), &context.device);
    let start = args.network.open(device)?;
    let images = PublishedSet::named(&args.dataset)?.load(&args.fit.common.source())?;
    let mut split = args.fit.split(images.split_stratified(0.8, seed)?)?;
    for view in [&mut split.train, &mut split.validation].into_iter().chain(&mut split.test) {
        *view = view.stratified_fraction(args.fraction.0, seed)?;
    }
    let network = start.network([3, size, size], split.classes().len(), seed, device)?;
    let name = network.architecture().name.clone();
    let head = network.architecture().head().ok_or("the network has no linear layer")?.to_owned();
    let (trunk, head) = network.cut_at(&head)?;

    let mut transforms = Transforms::new();
    if split.shape()[0] == 1 {
        transforms = transforms.with(GrayToRgb::default());
    }
    let transforms =
        transforms.with(Resize::exactly([size * 8 / 7; 2])).with(CenterCrop::new([size; 2]));
    let normalization = start.normalization.unwrap_or_else(Normalization::imagenet);
    let output = Output::new(args.run.folder("runs/vgg_transfer"))?;
    // Hours of work: what is there of the features is kept, and `--resume` goes on.
    let kept = output.path("features");
    let features = |view: &View| -> Result<Features, Box<dyn Error>> {
        let examples = ImageExamples::transformed(view.clone(), &transforms, &normalization)?;
        let loader = BatchLoader::of(examples, trunk.inference_batch(), device)?;
        Ok(Features::extract_into(&kept, &trunk, &loader, &context)?)
    };
    let data = FeatureData {
        train: features(&split.train)?,
        validation: Some(features(&split.validation)?),
    };
    let test = features(split.test()?)?.loader(256, device)?;
    let run = context.clone().with_run_folder(output.path("head"));
    let fitted = fit(head, &data, &config, &run)?;
    let measured = predictions_on(&fitted.model, &test)?;
    let matrix = measured.confusion();
    cli::print(&format!("{name}, only its last layer learned: test {}\n", measured.metrics()))?;
    cli::print(&format!("\n{}\n{}\n", matrix.report().classification(), matrix.findings()))?;
    let end = cli::ended(&fitted);
    // Whole again, with how it sees images: for `predict` and `look_inside`.
    let (classes, Normalization { mean, std }) = (split.classes().to_vec(), normalization);
    let whole = trunk.join(fitted.model)?;
    Bundle::from_parts(whole, classes, mean, std)
        .with_resize(Some(ImageResize::ShorterSide(size * 8 / 7)))
        .save(output.path("model.safetensors"))?;
    write_evaluation(output.folder(), &name, split.test()?, &measured)?;
    let title = format!("How well does {name} tell each class from all others?");
    plot::one_vs_rest(&title, &matrix)?.save_as(output.folder(), "one_vs_rest")?;
    if end.is_ok() {
        std::fs::remove_dir_all(kept)?;
    }
    let folder = output.folder().display();
    cli::print(&format!("the network, curves and pictures are in {folder}\n"))?;
    end
}
