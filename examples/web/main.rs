//! How do I show a trained network to others, by a link?

mod data;
mod serve;
mod site;
mod wasm;

use std::error::Error;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;

/// Makes a page that runs a network in the browser, and serves it. The folder can be put onto any file
/// server as it is.
///
/// The page names what is drawn, dropped or photographed, shows what the network goes by, and trains a small
/// one. It needs `rustup target add wasm32-unknown-unknown`, once, and nothing else.
#[derive(Parser)]
struct Args {
    /// The folder of the page
    #[arg(long, default_value = "runs/web", value_name = "FOLDER")]
    out: PathBuf,
    /// The network that the page begins with, as `train` writes it [default: two convolutions that learn
    /// Fashion-MNIST now, unless the folder has them]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A picture to try, beside where visitors draw: once for each [default: test images of Fashion-MNIST, if the network
    /// has no other classes than those]
    #[arg(long, value_name = "FILE")]
    sample: Vec<PathBuf>,
    /// Epochs of that training
    #[arg(long, default_value = "4", conflicts_with = "bundle")]
    epochs: NonZeroUsize,
    /// Make the page, but do not serve it
    #[arg(long)]
    build_only: bool,
    /// Serve the page that is in the folder, without making it
    #[arg(long, conflicts_with_all = ["build_only", "bundle", "sample", "epochs"])]
    serve_only: bool,
    /// The address to serve at: 0.0.0.0 for telephones in the same network
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    host: IpAddr,
    /// The port to serve at; 0 for any that is free
    #[arg(long, default_value_t = 8000)]
    port: u16,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| page(&args))
}

fn page(args: &Args) -> Result<(), Box<dyn Error>> {
    if !args.serve_only {
        // Known before three minutes of compiling.
        let pictures = args.sample.iter().map(|path| data::Picture::read(path));
        let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
        let folder = args.out.display();
        std::fs::create_dir_all(&args.out).map_err(|e| format!("cannot make {folder}: {e}"))?;
        wasm::build(&args.out)?;
        site::copy_page(&args.out)?;
        let split = site::fashion_mnist(&args.common.source())?;
        let (context, _) = args.common.context("training the page's network")?;
        let bundle =
            site::bundle(&args.out, args.bundle.as_deref(), &split, args.epochs, &context)?;
        data::remove_samples(&args.out)?;
        let samples = match pictures.is_empty() {
            true => data::samples(&args.out, split.test()?, &bundle.classes)?,
            false => data::own_samples(&args.out, &pictures)?,
        };
        data::write_all(&args.out, bundle.file, samples, &split)?;
        let folder = args.out.display();
        cli::print(&format!("the page is in {folder}: any file server can serve it\n"))?;
    }
    match args.build_only {
        true => Ok(()),
        false => serve::serve(&args.out, args.host, args.port),
    }
}
