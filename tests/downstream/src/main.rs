//! A program that depends on `selvedge` alone: it trains a network of its own on images that it
//! makes itself, writes the weights, and reads them back.

use selvedge::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = selvedge::device::open("auto")?;
    let split = stripes(512)?.view().split_stratified_three([0.6, 0.2, 0.2], 1)?;
    let data = FitData::from(&split);
    let network = Architecture::new("stripes", [1, 12, 12])
        .conv("conv1", 4, 3, 1)
        .relu()
        .max_pool(2)
        .flatten()
        .linear("fc1", 2);
    let model = network.init(Initialization::HeNormal, 1, &device)?;
    let config = FitConfig { epochs: 3, batch_size: 16, ..FitConfig::default() };
    let context = Context::new(&device);
    let fitted = fit(model, &data, &config, &context)?;

    let file = std::env::temp_dir().join(format!("stripes-{}.safetensors", std::process::id()));
    Bundle::new(fitted.model.clone(), &data).save(&file)?;
    let loaded = Bundle::load(&file, &device)?;
    std::fs::remove_file(&file)?;
    let test = split.test()?;
    let [trained, read] = [&fitted.model, loaded.network()]
        .map(|model| evaluate(model, test, &data.normalization, &context));
    let (trained, read) = (trained?.metrics, read?.metrics);
    assert_eq!(trained, read, "weights that were read back behave as those that were written");
    println!("accuracy {:.1} %", 100.0 * trained.accuracy);
    Ok(())
}

/// Images of 12 × 12 pixels: every even one has horizontal stripes, every odd one vertical ones.
fn stripes(count: usize) -> Result<ImageDataset, selvedge::data::DataError> {
    let pixel = |i: usize, p: usize| {
        let along = if i.is_multiple_of(2) { p / 12 } else { p % 12 };
        if (along + i / 2) % 4 < 2 { 220 } else { 30 }
    };
    let images = (0..count).flat_map(|i| (0..144).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 2) as u16).collect();
    let classes = vec!["horizontal".into(), "vertical".into()];
    ImageDataset::new("stripes", images, [1, 12, 12], labels, classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs() {
        main().unwrap();
    }

    #[test]
    fn stripes_are_labelled_in_turn() {
        let images = stripes(4).unwrap();
        assert_eq!(images.labels(), [0, 1, 0, 1]);
        assert_eq!(images.image(0)[..12], [220; 12]);
        assert_eq!(images.image(1)[..4], [220, 220, 30, 30]);
    }
}
