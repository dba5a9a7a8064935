//! What do the layers of a CNN see, and what does an autoencoder keep of an image?

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::prelude::*;
use selvedge::report::plot::{
    FeatureMaps, ImageRow, ImageRows, ImageValues, LayerMaps, Picture, PlotError, SheetImage,
    first_of_each_class,
};

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
    let (classes, test) = (fm1.classes(), fm1.test()?);
    let folder = args.run.folder("runs/report_a");

    // The CNN learns from pixels as they are, 0 to 255.
    let train = fm1.train.stratified_fraction(fraction, args.seed)?;
    let data = FitData::new(train, fm1.validation.clone(), Normalization::raw());
    let cnn = Cnn::cnn3(classes.len()).with_dropout(0.5).architecture();
    let network = cnn.init(Initialization::PyTorch, args.seed, &context.device)?;
    let slow = FitConfig { learning_rate: 1e-4, batch_size: 256, ..config.clone() };
    let observed = args.run.observed(&context, folder.join("cnn3"), &data.train);
    let fitted = fit(network, &data, &slow, &observed)?;
    cli::ended(&fitted)?;
    let score = evaluate(&fitted.model, test, &data.normalization, &context)?.metrics;
    cli::print(&format!("CNN, epoch {} of {epochs}: test {score}\n", fitted.best.epoch))?;

    // Of the first training image of each class, the maps after the ReLU behind each convolution.
    let first = fm1.train.take(&first_of_each_class(&fm1.train, 1))?;
    let (convolutions, relus): (Vec<_>, Vec<_>) = cnn.convolutions().into_iter().unzip();
    let images = pixels(&first, &data.normalization, &context)?;
    let found = fitted.model.valid().feature_maps(&relus, images)?;
    let layers = convolutions.iter().zip(found).map(|(convolution, (_, maps))| {
        LayerMaps::new(format!("{convolution} after its ReLU"), maps)
    });
    let images = SheetImage::all(&first);
    let maps = FeatureMaps { images, layers: layers.collect(), channels: 6 };
    let below = Some("Each layer has one scale, the same for all classes");
    for (i, class) in classes.iter().enumerate() {
        let picture = maps.picture_of(
            i,
            &format!("What do three layers make of an image of the class {class}?"),
            below,
        )?;
        let name = class.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_");
        save(&picture, &folder, &format!("maps_{name}"))?;
    }
    let title = "What do three layers make of five kinds of clothing?";
    save(&maps.picture(title, below)?, &folder, "maps")?;

    // The autoencoder learns without labels: from all of FM-2, and FM-1's training images.
    let views = [&fm2.train, &fm2.validation, fm2.test()?, &fm1.train];
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    for view in views {
        (0..view.len()).for_each(|i| bytes.extend_from_slice(view.image(i)));
        labels.extend_from_slice(view.labels());
    }
    let train = ImageDataset::new("unlabelled", bytes, fm1.shape(), labels, classes.to_vec())?;
    let train = train.view().stratified_fraction(fraction, args.seed)?;
    let data = FitData::new(train, fm1.validation.clone(), Normalization::unit());
    let network = named("conv_autoencoder")?;
    let network = network.init(Initialization::PyTorch, args.seed, &context.device)?;
    let config = FitConfig { epochs: epochs.div_ceil(10), ..config };
    let observed = args.run.observed(&context, folder.join("autoencoder"), &data.train);
    let fitted = fit_autoencoder(network, &data, &config, &observed)?;
    cli::ended(&fitted)?;
    let loss = |view| evaluate_autoencoder(&fitted.model, view, &data.normalization, &context);
    let (validation, tested) = (loss(&fm1.validation)?.loss, loss(test)?.loss);
    let text = format!("mean squared error: validation {validation:.5}, test {tested:.5}");
    cli::print(&format!(
        "autoencoder, epoch {} of {}: {text}\n",
        fitted.best.epoch, config.epochs
    ))?;

    // Images that it has not seen, of classes that it has: two of each.
    let ten = test.take(&first_of_each_class(test, 2))?;
    let given = pixels(&ten, &data.normalization, &context)?;
    let made: Vec<f32> = fitted.model.valid().reconstruct(given).into_data().try_to_vec()?;
    let images = SheetImage::all(&ten);
    let originals: Vec<u8> = images.iter().flat_map(|image| image.pixels).copied().collect();
    let original = ImageRow { name: "original".into(), values: ImageValues::Bytes(&originals) };
    let made = ImageRow { name: "reconstructed".into(), values: ImageValues::Unit(&made) };
    let labels = images.iter().map(|image| image.caption[0].clone()).collect();
    let rows = vec![original, made];
    let rows = ImageRows { shape: ten.shape(), labels, rows, across: 10 };
    let title = "What does an autoencoder keep of test images?";
    save(&rows.picture(title, Some(&text))?, &folder, "reconstructions")?;
    cli::print(&format!("models, curves and pictures are in {}\n", folder.display()))?;
    Ok(())
}

/// All images of a view as one batch.
fn pixels(
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Tensor<4>, Box<dyn Error>> {
    let loader = BatchLoader::new(view.clone(), view.len(), normalization, &context.device)?;
    Ok(loader.gather(&(0..view.len()).collect::<Vec<_>>())?.images)
}

fn save(picture: &Picture, folder: &Path, name: &str) -> Result<(), PlotError> {
    picture.save(folder.join(format!("{name}.svg")))?;
    picture.save(folder.join(format!("{name}.png")))
}
