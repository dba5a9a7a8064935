//! Features that are kept on the disk while they are computed: of a large trunk they take hours.

use std::fs;
use std::path::Path;

use burn::tensor::Tensor;
use selvedge_data::BatchSource;
use selvedge_files::{Hasher, sha256, write};
use selvedge_models::{Network, state};

use super::Features;
use crate::metrics::to_host;
use crate::{Context, TrainError};

/// Hexadecimal digits of the checksum that is the first line of a file.
const DIGITS: usize = 64;

impl Features {
    /// As [`extract_from`](Self::extract_from), and keeps each batch in a file of `folder` as soon as it is computed: the
    /// same call, after a stop or a kill, computes only what is left.
    ///
    /// A file is named by a checksum of the trunk, the device, the images and the version of this crate; one that is
    /// damaged is computed again. The files take as much room as the features do in memory, and are of no use
    /// once those are not needed again.
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract), and [`TrainError::Folder`] if a file cannot be written.
    pub fn extract_into(
        folder: impl AsRef<Path>,
        trunk: &Network,
        source: &dyn BatchSource,
        context: &Context,
    ) -> Result<Self, TrainError> {
        let folder = folder.as_ref();
        let refused = |error: std::io::Error| TrainError::Folder {
            path: folder.into(),
            reason: format!("cannot keep features in {}: {error}", folder.display()),
        };
        fs::create_dir_all(folder).map_err(refused)?;
        let (output, fast) = (trunk.architecture().output_shape()?, trunk.for_inference());
        let of = checksum_of(trunk, context);
        Self::computed(trunk, output, source, context, |images| {
            let count = images.dims()[0] * output.size();
            let file = folder.join(piece(&of, &images));
            if let Some(values) = read(&file).filter(|values| values.len() == count) {
                return Ok(values);
            }
            let values = to_host(fast.forward(images));
            let bytes = bytes(&values);
            let head = format!("{}\n", sha256(&bytes)).into_bytes();
            write(&file, [head, bytes].concat()).map_err(refused)?;
            Ok(values)
        })
    }
}

/// A checksum of all that decides about features, but for the images.
fn checksum_of(trunk: &Network, context: &Context) -> String {
    let mut hasher = Hasher::new();
    let version = env!("CARGO_PKG_VERSION");
    let layers = trunk.architecture();
    // By the program of a network, which rounds differently from its layers one by one.
    hasher.update(format!("{version}, program, {:?}, {layers:?}", context.device).as_bytes());
    for (name, data) in state::read(trunk) {
        let bytes = data.as_bytes();
        hasher.update(format!("{name}, {}: ", bytes.len()).as_bytes());
        hasher.update(bytes);
    }
    hasher.finish()
}

/// The name of the file of a batch.
fn piece(trunk: &str, images: &Tensor<4>) -> String {
    let mut hasher = Hasher::new();
    hasher.update(format!("{trunk}, {:?}", images.dims()).as_bytes());
    hasher.update(&bytes(&to_host(images.clone().flatten(1, 3))));
    hasher.finish()
}

/// The values of a file, if it is there and whole.
fn read(file: &Path) -> Option<Vec<f32>> {
    let content = fs::read(file).ok()?;
    let (head, bytes) = content.split_at_checked(DIGITS + 1)?;
    if head != format!("{}\n", sha256(bytes)).as_bytes() {
        return None;
    }
    let (values, rest) = bytes.as_chunks();
    rest.is_empty().then(|| values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
