//! The vector instructions that the kernels are written in, and the choice among them at run time.
//!
//! Every kernel is generic over [`Simd`]. A kernel that is to run on an instruction set implements
//! [`Task`]; [`Isa::run`] enters it through a function compiled for that instruction set. Everything
//! below that entry is `#[inline(always)]` and without closures, because a function that is not inlined
//! would be compiled for the baseline processor and every vector operation in it would be a call.
//! Inner loops are entered once more, by [`Simd::enter`], so that they have all registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

pub(crate) use isa::Isa;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use portable::Portable;
pub(crate) use vector::{Simd, Task, block_x};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm::Wasm as Portable;
