use std::path::PathBuf;

/// Why an event is not in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The file cannot be written: what was written before stays readable.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The image is none.
    #[error("cannot write the image `{tag}` for TensorBoard: {reason}")]
    Image {
        /// Its name.
        tag: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The layers of the network do not fit one another.
    #[error("cannot write the graph of a network for TensorBoard: {0}")]
    Graph(#[from] selvedge_models::ModelError),
    /// A run without a folder was to be written.
    #[error(
        "there is no folder for TensorBoard: name one with `TensorBoard::in_folder`, or give the run a folder"
    )]
    NoFolder,
}
