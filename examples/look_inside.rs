//! What does a trained classifier see in images?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::files::Output;
use selvedge::prelude::*;
use selvedge::report::command_line;
use selvedge::report::looking::{LookError, LookedAt, PICTURES, Reference};

/// Looks inside the classifier of a bundle: which pixels of images matter by eight methods, what its layers make of
/// them, what its first filters look for. Writes a page, `look.html`, and its pictures as SVG and PNG into a folder:
/// `sheet` is the contact sheet.
#[derive(Parser)]
struct Args {
    /// The file of the network, as `train`, `finetune` and `predict` have it
    bundle: PathBuf,
    /// Files of images of any size and colour: 1 to 50
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    look: cli::LookArgs,
    /// A published data set of the same classes: with the training images that the network takes for the nearest, maps
    /// of them by t-SNE and by principal components, and the accuracy on corrupted test images
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// How many images of it are looked at: 4 or more
    #[arg(long, default_value_t = 2000, value_name = "NUMBER", requires = "dataset",
          value_parser = clap::value_parser!(u32).range(4..))]
    among: u32,
    /// Its classes [default: all of them]
    #[arg(long, requires = "dataset")]
    classes: Option<cli::Classes>,
    /// Where page and pictures are written
    #[arg(long, default_value = "runs/look_inside")]
    folder: PathBuf,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| look(&args))
}

fn look(args: &Args) -> Result<(), Box<dyn Error>> {
    let (context, _) = args.common.context("look inside")?;
    let bundle = Bundle::load(&args.bundle, &context.device)?;
    let pixels = cli::read_images(&bundle, &args.images)?.into_iter();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let images = args.images.iter().zip(pixels);
    let images = images.map(|(path, pixels)| LookedAt { name: name(path), pixels }).collect();
    let look = args.look.look(&bundle, images)?.with_stop(context.stop.clone());
    // A data set that does not fit is refused before anything is computed.
    let data = args.dataset.as_deref().map(|name| reference(args, &bundle, name)).transpose()?;
    let output = Output::new(&args.folder)?;
    let mut seen = look.compute()?;
    if let Some(data) = &data {
        seen = seen.compared(data, &context)?;
    }
    for note in seen.notes() {
        cli::print(&format!("{note}\n"))?;
    }
    let command = command_line("look_inside", std::env::args().skip(1));
    let (pictures, page) = (seen.pictures()?, seen.page(&command)?.to_html());
    let files = PICTURES.iter().flat_map(|name| [format!("{name}.svg"), format!("{name}.png")]);
    let files: Vec<String> = files.chain(["look.html".into()]).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    if context.stop.is_requested() {
        return Err(LookError::Stopped.into());
    }
    output.replace(&files, |new| {
        pictures.iter().try_for_each(|(name, picture)| picture.save_as(new.folder(), name))?;
        Ok::<(), selvedge::Error>(new.write("look.html", &page)?)
    })?;
    cli::print(&format!("page and pictures are in {}\n", args.folder.display()))?;
    Ok(())
}

fn reference(args: &Args, bundle: &Bundle, name: &str) -> Result<Reference, Box<dyn Error>> {
    let data = cli::DataArgs { dataset: name.into(), classes: args.classes };
    let split = data.split(&args.common.source())?;
    Ok(Reference::new(bundle, name, (&split.train, split.test()?), args.among as usize)?)
}
