//! The files of the page, and the network that it begins with.

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use selvedge::cli;
use selvedge::prelude::*;

/// The folder of the sources.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies what is written by hand.
pub fn copy_page(out: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(workspace().join("web/page"))? {
        let path = entry?.path();
        fs::copy(&path, out.join(path.file_name().expect("a file of a folder has a name")))?;
    }
    Ok(())
}

/// The images that the page's network learns from.
pub fn fashion_mnist(source: &Source) -> Result<Split, Box<dyn Error>> {
    Ok(FASHION_MNIST.load(source)?.split_official()?)
}

/// The network that the page begins with.
pub struct First {
    /// Its file in the folder of the page.
    pub file: &'static str,
    /// Its classes.
    pub classes: Vec<String>,
}

/// Puts the network that the page begins with into its folder: the given one, or one that learns now, unless it is there.
pub fn bundle(
    out: &Path,
    given: Option<&Path>,
    split: &Split,
    epochs: NonZeroUsize,
    context: &Context,
) -> Result<First, Box<dyn Error>> {
    let file = "network.safetensors";
    if let Some(given) = given {
        // Read before it is written: it may be the file of the folder itself.
        let bytes = fs::read(given).map_err(|e| format!("cannot read {}: {e}", given.display()))?;
        let classes = Bundle::load(given, &context.device)?.classes().to_vec();
        selvedge::files::write(out.join(file), &bytes)?;
        return Ok(First { file, classes });
    }
    let (file, path) = ("fashion.safetensors", out.join("fashion.safetensors"));
    if !path.is_file() {
        let network = Cnn::cnn2_small(10).architecture();
        let network = network.init(Initialization::PyTorch, 0, &context.device)?;
        let data = FitData::from(split);
        let config = FitConfig { epochs: epochs.get(), batch_size: 64, ..FitConfig::default() };
        let fitted = fit(network, &data, &config, context)?;
        let test = evaluate(&fitted.model, split.test()?, &data.normalization, context)?;
        let accuracy = 100.0 * test.metrics.accuracy;
        cli::print(&format!("the page's network knows {accuracy:.2} % of the test images\n"))?;
        Bundle::new(fitted.model, &data).save(&path)?;
    }
    Ok(First { file, classes: split.classes().to_vec() })
}
