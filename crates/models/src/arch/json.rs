//! Architectures in files.

use std::path::Path;

use crate::error::printable;
use crate::weights::file_error;
use crate::{Architecture, ModelError};

/// The largest file that is read. A layer takes about 100 bytes.
const LARGEST: u64 = 1 << 20;

/// As many characters are told of what is wrong.
const LONGEST: usize = 300;

impl Architecture {
    /// Reads an architecture from a file of JSON, as `serde_json` writes it.
    ///
    /// ```
    /// use selvedge_models::{Architecture, Shape};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("net.json");
    /// std::fs::write(&path, r#"{
    ///     "name": "tiny",
    ///     "input": [1, 28, 28],
    ///     "layers": [
    ///         {"name": "conv1", "op": "conv2d", "out_channels": 8, "kernel": 3, "padding": 1},
    ///         {"name": "relu1", "op": "relu"},
    ///         {"name": "flatten", "op": "flatten"},
    ///         {"name": "fc1", "op": "linear", "out_features": 10}
    ///     ]
    /// }"#).unwrap();
    /// assert_eq!(Architecture::read(&path)?.output_shape()?, Shape::Features(10));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] with the file's name and on one line: if it cannot be read or is larger than 1 MiB;
    /// for what is no JSON, or no architecture, with line and column, for a layer those of its end or of the
    /// end of the list; and for what [`shapes`](Self::shapes) refuses.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let failed = |reason: String| file_error(Some(path), reason);
        let found = path.metadata().map_err(|e| failed(e.to_string()))?;
        if !found.is_dir() && !found.is_file() {
            // To open a pipe would wait for a writer.
            return Err(failed("it is not a regular file".into()));
        }
        if found.len() > LARGEST {
            return Err(failed(format!("it has {} bytes, the largest {LARGEST}", found.len())));
        }
        let bytes = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
        let architecture: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let (text, place) = (error.to_string(), (error.line(), error.column()));
            let text = text.split(" at line ").next().unwrap_or_default();
            failed(format!("line {}, column {}: {}", place.0, place.1, shortened(text)))
        })?;
        architecture.shapes().map_err(|error| failed(shortened(&error.to_string())))?;
        Ok(architecture)
    }
}

/// What a file is told to be wrong: it can quote all of a file.
fn shortened(text: &str) -> String {
    printable(&crate::error::shortened(text, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    fn read(text: &str) -> Result<Architecture, ModelError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Architecture::read(file.path())
    }

    #[test]
    fn every_network_of_the_catalog_comes_back_from_its_file() {
        for net in catalog() {
            assert_eq!(read(&serde_json::to_string_pretty(&net).unwrap()).unwrap(), net);
        }
    }

    #[test]
    fn what_is_no_architecture_is_answered_on_one_line_with_its_place() {
        let layer = |layer: &str| {
            format!("{{\"name\": \"net\",\n\"input\": [1, 8, 8],\n\"layers\": [\n{layer}\n]}}")
        };
        let long = "x".repeat(100_000);
        for (text, parts) in [
            (String::new(), &["line 1, column 0: EOF"][..]),
            ("{\"name\": \"net\",}".into(), &["line 1, column 16: "]),
            (
                "{\"name\": \"net\", \"input\": [1, 2]}".into(),
                &["line 1, column ", "invalid length 2"],
            ),
            (
                layer(r#"{"name": "a", "op": "conv3d", "kernel": 3}"#),
                &["line 4, column ", "unknown variant `conv3d`", "`conv2d`"],
            ),
            (
                layer(r#"{"name": "a", "op": "conv2d", "kernel": 3}"#),
                &["line 4, column ", "missing field `out_channels`"],
            ),
            (
                layer(r#"{"name": "a", "op": "linear", "out_features": -1}"#),
                &["line 4, column ", "-1"],
            ),
            (
                layer(r#"{"name": "a", "op": "linear", "out_features": 5}"#),
                &["layer `a` of `net`: `fc` cannot follow images of 1 × 8 × 8"],
            ),
            (
                layer(r#"{"name": "a\u001b[2J\n", "op": "flatten"}"#),
                &[r"layer `a\u{1b}[2J\n` of `net`: "],
            ),
            (layer(&format!(r#"{{"name": "a", "op": "{long}"}}"#)), &["unknown variant `xxx"]),
            (" ".repeat(2 << 20), &["it has 2097152 bytes, the largest 1048576"]),
            ("[".repeat(100_000), &["line 1, column "]),
        ] {
            let message = read(&text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(message.len() < 600, "{}", message.len());
        }
        let missing = Architecture::read("nothing.json").unwrap_err().to_string();
        assert!(missing.starts_with("nothing.json: No such file"), "{missing}");
    }
}
