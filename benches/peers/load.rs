//! What `benches/costs` measures of reading: Fashion-MNIST from files compressed by gzip to images in memory.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::cli;
use selvedge::prelude::*;

/// Reads Fashion-MNIST five times, and prints the least seconds as a line of JSON.
#[derive(Parser)]
struct Args {}

fn main() -> ExitCode {
    cli::run(|_: Args| {
        let mut least = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            let images = FASHION_MNIST.load(&Source::default())?;
            least = least.min(start.elapsed().as_secs_f64());
            assert_eq!(images.train.len(), 60_000);
        }
        Ok(cli::print(&format!("{{\"seconds\": {least:.4}}}\n"))?)
    })
}
