//! One program of the comparison in `benches/peers`: applies each transform to a batch of images for a
//! while, on one thread, and prints images a second as a line of JSON.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::cli;
use selvedge::data::SplitMix64;
use selvedge::data::transform::{
    ColorJitter, ColorOp, GaussianBlur, GaussianNoise, Grayscale, ImageRef, RandAugment,
    RandomAffine, RandomCrop, RandomErasing, RandomHorizontalFlip, RandomResizedCrop,
    RandomRotation, Resize, Transform, TrivialAugmentWide,
};

/// Times transforms of images.
#[derive(Parser)]
struct Args {
    /// Channels of an image
    #[arg(long, default_value_t = 1)]
    channels: usize,
    /// Rows and columns of an image
    #[arg(long, default_value_t = 28)]
    side: usize,
    /// Images a batch
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Each transform is timed for at least this long
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

fn main() -> ExitCode {
    cli::run(|args: Args| run(&args))
}

/// The same names and settings as in `torch_transforms.py`.
fn cases(channels: usize, side: usize) -> Vec<(&'static str, Box<dyn Transform>)> {
    let color = if channels == 3 { 0.4 } else { 0.0 };
    let hue = if channels == 3 { 0.1 } else { 0.0 };
    let size = [side, side];
    let mut cases: Vec<(&'static str, Box<dyn Transform>)> = vec![
        ("horizontal flip", Box::new(RandomHorizontalFlip { p: 1.0 })),
        ("crop, reflected padding 4", Box::new(RandomCrop::new(size, 4).reflected())),
        ("rotation, nearest", Box::new(RandomRotation::new(15.0))),
        ("rotation, bilinear", Box::new(RandomRotation::new(15.0).bilinear())),
        (
            "affine, bilinear",
            Box::new(RandomAffine {
                translate: [0.1, 0.1],
                scale: [0.9, 1.1],
                shear_x: [-5.0, 5.0],
                interpolation: RandomRotation::new(1.0).bilinear().interpolation,
                ..RandomAffine::new(10.0)
            }),
        ),
        ("resized crop", Box::new(RandomResizedCrop::new(size))),
        ("resize to half, bilinear", Box::new(Resize::exactly([side / 2; 2]))),
        ("resize to half, bicubic", Box::new(Resize::exactly([side / 2; 2]).bicubic())),
        ("color jitter", Box::new(ColorJitter::new(0.4, 0.4, color, hue))),
        ("blur, 5 x 5", Box::new(GaussianBlur::new(5))),
        ("gaussian noise", Box::new(GaussianNoise::default())),
        ("random erasing", Box::new(RandomErasing { p: 1.0, ..RandomErasing::default() })),
        ("equalize", Box::new(ColorOp::Equalize {})),
        ("autocontrast", Box::new(ColorOp::Autocontrast {})),
        ("sharpness", Box::new(ColorOp::Sharpness { factor: 1.5 })),
        ("RandAugment", Box::new(RandAugment::default())),
        ("TrivialAugmentWide", Box::new(TrivialAugmentWide::default())),
    ];
    if channels == 3 {
        cases.push(("saturation", Box::new(ColorOp::Saturation { factor: 1.3 })));
        cases.push(("hue", Box::new(ColorOp::Hue { factor: 0.1 })));
        cases.push(("grayscale", Box::new(Grayscale {})));
    }
    cases
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let shape = [args.channels, args.side, args.side];
    let size: usize = shape.iter().product();
    let mut rng = SplitMix64::new(1);
    let pixels: Vec<u8> = (0..args.batch * size).map(|_| rng.below(256) as u8).collect();
    let mut rates = Vec::new();
    for (name, transform) in cases(args.channels, args.side) {
        let out_size: usize = transform.output_shape(shape)?.iter().product();
        let mut output = vec![0; args.batch * out_size];
        let mut batch = || {
            let images = pixels.chunks_exact(size).zip(output.chunks_exact_mut(out_size));
            for (pixels, output) in images {
                transform.apply(ImageRef { pixels, shape }, &mut rng, output);
            }
        };
        batch();
        let (start, mut batches) = (Instant::now(), 0);
        while batches == 0 || start.elapsed().as_secs_f64() < args.seconds {
            batch();
            batches += 1;
        }
        let rate = (batches * args.batch) as f64 / start.elapsed().as_secs_f64();
        rates.push(format!("{name:?}: {rate:.1}"));
    }
    println!("{{{}}}", rates.join(", "));
    Ok(())
}
