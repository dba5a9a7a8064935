use std::path::PathBuf;

/// What can be wrong with an architecture, or with the weights that are to fill it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An operation does not fit the shape that reaches it, or its name cannot be used.
    #[error("layer `{}` of `{}`: {reason}", printable(layer), printable(architecture))]
    Layer {
        /// The architecture's name.
        architecture: String,
        /// The layer's name.
        layer: String,
        /// What is wrong: the shape that was found, for example.
        reason: String,
    },
    /// Two layers of one network have the same path, so their parameters would collide.
    #[error("`{}` has two layers named `{}`", printable(architecture), printable(layer))]
    DuplicateLayer {
        /// The architecture's name.
        architecture: String,
        /// The path that occurs twice.
        layer: String,
    },
    /// A probability, size or count is outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed.
        expected: std::borrow::Cow<'static, str>,
    },
    /// The network has no linear layer that could be its head, or not at its end where it must be.
    #[error("`{architecture}` has no linear layer that could serve as its head")]
    NoHead {
        /// The architecture's name.
        architecture: String,
    },
    /// No parameter of the network is selected.
    #[error("no parameter of `{architecture}` is selected by `{selection}`")]
    NothingSelected {
        /// The architecture's name.
        architecture: String,
        /// The selection as it was given.
        selection: String,
    },
    /// A pattern of names cannot be read.
    #[error("pattern `{pattern}`: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A network has no layer of this name where it was looked for.
    #[error(
        "`{}` has no layer named `{}`; {}",
        printable(architecture),
        short(layer),
        nearest(layer, known)
    )]
    UnknownLayer {
        /// The architecture's name.
        architecture: String,
        /// The name as it was given.
        layer: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Of the parameters that were to be carried over, the source has none in the right shape.
    #[error("nothing of `{source_name}` fits `{architecture}`: {} parameters are missing or of another shape", unfit.len())]
    NothingFits {
        /// The name of the architecture that was to take the parameters.
        architecture: String,
        /// The name of the architecture that was to give them.
        source_name: String,
        /// The parameters that were to be carried over.
        unfit: Vec<String>,
    },
    /// A file of weights cannot be read or written.
    #[error("{}: {}", origin(path), printable(reason))]
    File {
        /// The file; `None` for bytes in memory.
        path: Option<PathBuf>,
        /// What went wrong.
        reason: String,
    },
    /// Published weights are not found, or cannot be downloaded.
    #[cfg(feature = "pretrained")]
    #[error(transparent)]
    Fetch(#[from] selvedge_fetch::FetchError),
    /// The tensors of a file are not those of the network.
    #[error("{}: the weights do not fit `{}`: {}", origin(path), printable(architecture), printable(&describe(missing, unexpected, shapes)))]
    Mismatch {
        /// The file; `None` for bytes in memory.
        path: Option<PathBuf>,
        /// The architecture's name.
        architecture: String,
        /// Parameters of the network that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network does not have.
        unexpected: Vec<String>,
        /// Parameters whose shapes differ: name, expected, found; in PyTorch's layout.
        shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
    },
    /// What the network computes cannot be used.
    #[error("`{architecture}`: {reason}")]
    Outputs {
        /// The architecture's name.
        architecture: String,
        /// What is wrong with its outputs.
        reason: String,
    },
    /// The network would need a larger ONNX file than any reader accepts.
    #[error("`{architecture}` needs {bytes} bytes as ONNX, a file holds at most {}", i32::MAX)]
    OnnxTooLarge {
        /// The architecture's name.
        architecture: String,
        /// The size of the file.
        bytes: u64,
    },
    /// The network cannot be put into ONNX.
    #[error("`{architecture}` cannot become ONNX: {reason}")]
    Onnx {
        /// The architecture's name.
        architecture: String,
        /// What went wrong.
        reason: String,
    },
}

/// `Ok` for images from 28 × 28 up, the smallest that residual networks and VGG are meant for.
pub(crate) fn require_28_pixels([_, height, width]: [usize; 3]) -> Result<(), ModelError> {
    if height.min(width) >= 28 {
        return Ok(());
    }
    Err(ModelError::Setting {
        name: "image size",
        value: format!("{height} × {width}"),
        expected: "at least 28 × 28".into(),
    })
}

pub(crate) fn nothing_selected(
    architecture: &str,
    selection: impl std::fmt::Display,
) -> ModelError {
    let selection = selection.to_string();
    ModelError::NothingSelected { architecture: architecture.into(), selection }
}

fn describe(
    missing: &[String],
    unexpected: &[String],
    shapes: &[(String, Vec<usize>, Vec<usize>)],
) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing {}", listed(missing)));
    }
    if !unexpected.is_empty() {
        parts.push(format!("unexpected {}", listed(unexpected)));
    }
    for (name, expected, found) in shapes.iter().take(MOST_NAMES) {
        parts.push(format!("{} has shape {found:?}, expected {expected:?}", short(name)));
    }
    if shapes.len() > MOST_NAMES {
        parts.push(format!("{} others of other shapes", shapes.len() - MOST_NAMES));
    }
    parts.join("; ")
}

/// As many names are told of a group.
const MOST_NAMES: usize = 12;

/// The names, each printable and no longer than a line, and how many there are beyond the first dozen.
pub(crate) fn listed(names: &[impl AsRef<str>]) -> String {
    let told = names.iter().take(MOST_NAMES).map(|name| short(name.as_ref()));
    let told = told.collect::<Vec<_>>().join(", ");
    match names.len() > MOST_NAMES {
        true => format!("{told} and {} others", names.len() - MOST_NAMES),
        false => told,
    }
}

/// The layers there are, or of more than a dozen those whose names are the nearest to `layer`.
fn nearest(layer: &str, known: &[String]) -> String {
    if known.len() <= MOST_NAMES {
        return format!("its layers are {}", listed(known));
    }
    let mut names: Vec<&String> = known.iter().collect();
    names.sort_by_key(|name| edits(&shortened(layer, 100), name));
    format!("the nearest of its {} layers are {}", known.len(), listed(&names[..5]))
}

/// How many characters have to be put in, taken out or replaced to make `b` of `a` (Levenshtein, 1966).
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A name of a file, printable and no longer than a line.
fn short(name: &str) -> String {
    printable(&shortened(name, 100))
}

/// A text of a file for a message, cut after `most` characters.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Where something was read from, as messages begin.
pub(crate) fn origin(path: &Option<PathBuf>) -> String {
    match path {
        Some(path) => printable(&path.display().to_string()),
        None => "bytes in memory".into(),
    }
}

/// `text` without what would steer a terminal: names in files can hold any character. Control
/// characters, and those that turn the direction of writing, become escapes such as `\u{1b}`.
pub(crate) fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut printed = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) {
            true => printed.extend(c.escape_debug()),
            false => printed.push(c),
        }
    }
    printed
}
