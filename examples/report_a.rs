//! What do the layers of a CNN see, and what does an autoencoder keep of an image?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::prelude::*;
use selvedge::report::plot::{FeatureMaps, ImageRows, LayerMaps, first_of_each_class};

/// Two tasks of a course on five kinds of clothing (FM-1): the feature maps of a CNN of three convolutions
/// that learned from raw pixels, for an image of each class; and an autoencoder's reconstructions of images
/// that it has not seen. Stopped or killed, it goes on with `--resume`.
#[derive(Parser)]
struct Args {
    /// Epochs of the CNN; the autoencoder has a tenth of them
    #[arg(long, default_value_t = 200)]
    epochs: usize,
    /// One epoch each on a fiftieth of the images: a check that everything works
    #[arg(long, conflicts_with = "epochs")]
    quick: bool,
    /// Decides the initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    run: cli::RunArgs,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| report(&args))
}

fn report(args: &Args) -> Result<(), Box<dyn Error>> {
    let (epochs, fraction) = if args.quick { (1, 0.02) } else { (args.epochs, 1.0) };
    let config = FitConfig { epochs, seed: args.seed, ..FitConfig::default() };
    config.check()?;
    let (context, _) = args.common.context("report A")?;
    let all = FASHION_MNIST.load(&args.common.source())?.split_official()?;
    let (fm1, fm2) = (all.select(&ClassSubset::fm1())?, all.select(&ClassSubset::fm2())?);
    let (test, seed, device) = (fm1.test()?, args.seed, &context.device);
    let folder = args.run.folder("runs/report_a");

    // The CNN learns from pixels as they are, 0 to 255.
    let train = fm1.train.stratified_fraction(fraction, seed)?;
    let data = FitData::new(train, fm1.validation.clone(), Normalization::raw());
    let cnn = Cnn::cnn3(fm1.classes().len()).with_dropout(0.5).architecture();
    let network = cnn.init(Initialization::PyTorch, seed, device)?;
    let slow = FitConfig { learning_rate: 1e-4, batch_size: 256, ..config.clone() };
    let observed = args.run.observed(&context, folder.join("cnn3"), &data.train);
    let fitted = fit(network, &data, &slow, &observed)?;
    cli::ended(&fitted)?;
    let score = evaluate(&fitted.model, test, &data.normalization, &context)?.metrics;
    cli::print(&format!("CNN, epoch {} of {epochs}: test {score}\n", fitted.best.epoch))?;

    // Of the first training image of each class, the maps after the ReLU behind each convolution.
    let first = fm1.train.take(&first_of_each_class(&fm1.train, 1))?;
    let (convolutions, relus): (Vec<_>, Vec<_>) = cnn.convolutions().into_iter().unzip();
    let images = first.batch(&data.normalization, device)?.images;
    let found = fitted.model.valid().feature_maps(&relus, images)?;
    let layers = convolutions.iter().zip(found).map(|(convolution, (_, maps))| {
        LayerMaps::new(format!("{convolution} after its ReLU"), maps)
    });
    let maps = FeatureMaps::of(&first, layers);
    let below = Some("Each layer has one scale, the same for all classes");
    for (i, class) in fm1.classes().iter().enumerate() {
        let title = format!("What do three layers make of an image of the class {class}?");
        let name = class.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_");
        maps.picture_of(i, &title, below)?.save_as(&folder, &format!("maps_{name}"))?;
    }
    let title = "What do three layers make of five kinds of clothing?";
    maps.picture(title, below)?.save_as(&folder, "maps")?;

    // The autoencoder learns without labels: from all of FM-2, and FM-1's training images.
    let views = [&fm2.train, &fm2.validation, fm2.test()?, &fm1.train];
    let train = ImageDataset::joined("unlabelled", &views, fm1.classes())?;
    let train = train.view().stratified_fraction(fraction, seed)?;
    let data = FitData::new(train, fm1.validation.clone(), Normalization::unit());
    let network = named("conv_autoencoder")?.init(Initialization::PyTorch, seed, device)?;
    let config = FitConfig { epochs: epochs.div_ceil(10), ..config };
    let observed = args.run.observed(&context, folder.join("autoencoder"), &data.train);
    let fitted = fit_autoencoder(network, &data, &config, &observed)?;
    cli::ended(&fitted)?;
    let loss = |view| evaluate_autoencoder(&fitted.model, view, &data.normalization, &context);
    let (validation, tested) = (loss(&fm1.validation)?.loss, loss(test)?.loss);
    let text = format!("mean squared error: validation {validation:.5}, test {tested:.5}");
    let best = fitted.best.epoch;
    cli::print(&format!("autoencoder, epoch {best} of {}: {text}\n", config.epochs))?;

    // Images that it has not seen, of classes that it has: two of each.
    let ten = test.take(&first_of_each_class(test, 2))?;
    let given = ten.batch(&data.normalization, device)?.images;
    let made: Vec<f32> = fitted.model.valid().reconstruct(given).into_data().try_to_vec()?;
    let rows = ImageRows::of(&ten).with("reconstructed", &made);
    let title = "What does an autoencoder keep of test images?";
    rows.picture(title, Some(&text))?.save_as(&folder, "reconstructions")?;
    cli::print(&format!("models, curves and pictures are in {}\n", folder.display()))?;
    Ok(())
}
