//! Refuses images that are too large to be learned from, before any of them is read.

use selvedge_models::Architecture;

use crate::Error;

/// Arguments for the memory that training takes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct MemoryArgs {
    /// The most memory that a step of training may take by an estimate, in GiB; above it the run is refused before
    /// an image is read
    #[arg(long, default_value_t = 16.0, value_name = "GIB", value_parser = gibibytes, allow_negative_numbers = true)]
    pub memory_limit: f64,
}

fn gibibytes(text: &str) -> Result<f64, &'static str> {
    let limit = text.parse().ok().filter(|limit: &f64| *limit > 0.0 && limit.is_finite());
    limit.ok_or("expected a number above 0")
}

const GIB: f64 = (1u64 << 30) as f64;

impl MemoryArgs {
    /// Refuses a network that takes more for a step on `batch` images, by
    /// [`training_bytes`](Architecture::training_bytes).
    ///
    /// # Errors
    ///
    /// [`Error::Terminal`], which says the size of images and of batches that fit; [`Error::Model`] if the layers do
    /// not fit one another.
    pub fn check(&self, network: &Architecture, batch: usize) -> Result<(), Error> {
        let limit = self.memory_limit;
        let takes = |network: &Architecture, batch| -> Result<f64, Error> {
            Ok(network.training_bytes(batch)? as f64 / GIB)
        };
        let found = takes(network, batch)?;
        if found <= limit {
            return Ok(());
        }
        // As many digits as show that it is more.
        let more = |text: &String| text.parse().is_ok_and(|shown: f64| shown > limit);
        let told = (1..=15).map(|digits| format!("{found:.digits$}")).find(more);
        let told = told.unwrap_or_else(|| found.to_string());
        let [channels, height, width] = network.input;
        let sized = |side| network.clone().with_input([channels, side, side]);
        // Of a network that cannot take small images, too: larger ones are tried then.
        let fits = |side| {
            sized(side).map_or(true, |network| takes(&network, batch).is_ok_and(|n| n <= limit))
        };
        let largest_side = largest(height.min(width), fits).filter(|&side| sized(side).is_ok());
        let largest_batch = largest(batch, |n| takes(network, n).is_ok_and(|n| n <= limit));
        let mut ways = Vec::new();
        ways.extend(largest_side.map(|side| format!("--image-size {side}")));
        ways.extend(largest_batch.map(|batch| format!("--batch-size {batch}")));
        let ways = match ways.is_empty() {
            true => "no smaller one fits".to_owned(),
            false => format!("{} fits", ways.join(" or ")),
        };
        Err(Error::Terminal(format!(
            "a step on {batch} images of {channels} × {height} × {width} takes about {told} GiB of memory, \
             above --memory-limit {limit}: {ways}"
        )))
    }
}

/// The largest number from 1 to below `end` that fits, where all below one that fits do, too.
fn largest(end: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, end);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match fits(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    (low > 0).then_some(low)
}

#[cfg(test)]
mod tests {
    use selvedge_models::named;

    use super::*;

    #[test]
    fn images_that_would_take_too_much_are_refused_with_those_that_fit() {
        let args = MemoryArgs { memory_limit: 16.0 };
        let sized = |side| named("resnet18").unwrap().with_input([3, side, side]).unwrap();
        args.check(&sized(224), 64).unwrap();
        let message = args.check(&sized(2000), 64).unwrap_err().to_string();
        let number = |flag: &str| -> usize {
            let (_, rest) = message.split_once(flag).unwrap();
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        assert!(message.starts_with("a step on 64 images of 3 × 2000 × 2000 takes about "));
        let (side, batch) = (number("--image-size "), number("--batch-size "));
        assert!((300..1500).contains(&side) && batch < 20, "{message}");
        // What is said to fit does, and one more does not.
        args.check(&sized(side), 64).unwrap();
        args.check(&sized(2000), batch).unwrap();
        assert!(args.check(&sized(side + 1), 64).is_err());
        assert!(args.check(&sized(2000), batch + 1).is_err());
        let none = MemoryArgs { memory_limit: 1e-3 }.check(&sized(2000), 64).unwrap_err();
        assert!(none.to_string().ends_with("above --memory-limit 0.001: no smaller one fits"));
        let small = named("cnn2_small").unwrap();
        let message = MemoryArgs { memory_limit: 1e-5 }.check(&small, 1).unwrap_err().to_string();
        let (_, told) = message.split_once("takes about ").unwrap();
        let told: f64 = told.split(' ').next().unwrap().parse().unwrap();
        assert!(told > 1e-5, "{message}");
    }
}
