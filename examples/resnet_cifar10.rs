//! How well does a ResNet-18 tell ten kinds of things apart, and what do its stages see?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::data::published::CIFAR10;
use selvedge::data::transform::{RandomHorizontalFlip, RandomResizedCrop};
use selvedge::models::ResNet;
use selvedge::prelude::*;
use selvedge::report::plot::{FeatureMaps, LayerMaps, first_of_each_class};
use selvedge::report::{StepLog, write_evaluation};

/// A ResNet-18 for small images learns CIFAR-10 by Adam in batches of 64 images, mirrored and cut at random: 45,000
/// train, the first 5,000 validate, 10,000 test, and only those that train are changed. Ten epochs take two
/// cores an hour and more: stopped or killed, it goes on with `--resume`.
#[derive(Parser)]
struct Args {
    /// Channels of each layer whose maps are shown
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=512))]
    channels: u16,
    #[command(flatten)]
    fit: cli::FitArgs,
    #[command(flatten)]
    run: cli::RunArgs,
}

fn main() -> ExitCode {
    cli::run(|args: Args| train(&args))
}

fn train(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.fit.config(FitConfig { batch_size: 64, ..FitConfig::default() })?;
    let context = args.fit.context("report D")?;
    let dataset = CIFAR10.load(&args.fit.common.source())?;
    let images = dataset.train.view();
    let [train, validation] = [5_000..images.len(), 0..5_000].map(|part| images.range(part));
    let split = Split::new(train?, validation?, dataset.test.map(|test| test.view()))?;
    let split = args.fit.split(split)?;
    // The means and deviations of the report.
    let normalization =
        Normalization { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.2023, 0.1994, 0.2010] };
    let transforms = Transforms::new()
        .with(RandomHorizontalFlip::default())
        .with(RandomResizedCrop::new([32, 32]));
    let data = FitData::from(&split).with_normalization(normalization).with_transforms(transforms);
    let resnet = ResNet::resnet18_cifar(split.classes().len()).architecture()?;
    let network = resnet.init(Initialization::PyTorch, args.fit.seed, &context.device)?;
    let folder = args.run.folder("runs/resnet_cifar10");

    let observed = args.run.observed(&context, &folder, &split.train);
    let fitted = fit(network, &data, &config, &observed.with_observer(StepLog::every(100)))?;

    let test = split.test()?;
    let measured = predictions(&fitted.model, test, &data.normalization, &context)?;
    let (best, epochs) = (fitted.best.epoch, fitted.history.epochs.len());
    cli::print(&format!("epoch {best} of {epochs} is the best: test {}\n", measured.metrics()))?;
    cli::print(&format!("\n{}\n", measured.confusion().report().classification()))?;
    write_evaluation(&folder, "resnet18", test, &measured)?;

    // What the ReLU behind the stem, and behind the last block of each stage, makes of a test image.
    let behind =
        |(name, layers)| resnet.layers.iter().skip_while(move |l| l.name != name).nth(layers);
    let ends = [("conv1", 2), ("layer1.1", 1), ("layer2.1", 1), ("layer3.1", 1), ("layer4.1", 1)];
    let first = test.take(&first_of_each_class(test, 1)[..1])?;
    let shown = first.batch(&data.normalization, &context.device)?.images;
    let layers = ends.into_iter().filter_map(behind).map(|layer| layer.name.as_str());
    let layers: Vec<&str> = layers.collect();
    let maps = fitted.model.valid().feature_maps(&layers, shown)?.into_iter();
    let names = ["stem", "stage 1", "stage 2", "stage 3", "stage 4"];
    let maps = maps.zip(names).map(|((_, maps), name)| LayerMaps::new(name, maps));
    let maps = FeatureMaps { channels: args.channels.into(), ..FeatureMaps::of(&first, maps) };
    let title = "What do the stem and the four stages make of a test image?";
    maps.picture_of(0, title, Some("Each layer has one scale"))?.save_as(&folder, "maps")?;
    cli::print(&format!("model, curves and pictures are in {}\n", folder.display()))?;
    cli::ended(&fitted)
}
