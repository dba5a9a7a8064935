//! Networks for inference: programs over planned memory, whose images lie in blocks of channels.

mod bottleneck;
mod builder;
mod conv;
mod depthwise;
mod fuse;
mod planes;
mod pointwise;
mod pool;
mod program;
mod step;
#[cfg(test)]
mod tests;
mod upsampled;

pub use builder::{Builder, Convolution, PoolWindows, Value};
pub use pointwise::Function;
pub use program::Program;
