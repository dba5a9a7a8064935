//! The instruction sets, and the choice among them at run time.

use std::sync::OnceLock;

use super::Portable;
#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::vector::{Simd, Task};

/// An instruction set that the kernels exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// 16 lanes, 32 registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 8 lanes, 16 registers, with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 4 lanes, 32 registers.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// Plain Rust, which the compiler turns into whatever the target always has; WebAssembly's own vectors, where the
    /// program is compiled for them.
    Portable,
}

impl Isa {
    /// The instruction sets that this processor has, the fastest first.
    pub(crate) fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 =
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                found.push(Isa::Avx512);
            }
            if avx2 {
                found.push(Isa::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Isa::Neon);
        }
        found.push(Isa::Portable);
        found
    }

    /// The name that `SELVEDGE_SIMD` knows the instruction set by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => "neon",
            Isa::Portable => "portable",
        }
    }

    /// The available instruction set of that name, else the fastest one.
    pub(super) fn choose(wanted: Option<&str>) -> Isa {
        let available = Isa::available();
        let named = available
            .iter()
            .find(|isa| wanted.is_some_and(|name| name.eq_ignore_ascii_case(isa.name())));
        *named.unwrap_or(&available[0])
    }

    /// The instruction set that every operation uses: decided at the first call.
    pub(crate) fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| Isa::choose(std::env::var("SELVEDGE_SIMD").ok().as_deref()))
    }

    /// The instruction set for so many images, one in each lane: that of shorter vectors, if one of them has room for all.
    /// Half of a longer one would be computed for nothing, and moved through memory.
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "one length alone"))]
    pub(crate) fn for_images(self, images: usize) -> Isa {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if images <= Avx2::LANES => Isa::Avx2,
            _ => self,
        }
    }

    /// Lanes of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Neon::LANES,
            Isa::Portable => Portable::LANES,
        }
    }

    /// Output channels of the largest register block.
    pub(crate) fn block_channels(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::BLOCK_C,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::BLOCK_C,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Neon::BLOCK_C,
            Isa::Portable => Portable::BLOCK_C,
        }
    }

    /// Vectors in a row of the largest register block of a product of matrices.
    pub(crate) fn block_vectors(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Avx512::BLOCK_VECTORS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Avx2::BLOCK_VECTORS,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Neon::BLOCK_VECTORS,
            Isa::Portable => Portable::BLOCK_VECTORS,
        }
    }

    /// Runs the task compiled for this instruction set.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value only comes from `available`, which found the instructions.
            Isa::Avx512 => unsafe { Avx512::enter(task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx2 => unsafe { Avx2::enter(task) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Isa::Neon => unsafe { Neon::enter(task) },
            // SAFETY: the portable vectors need no particular instruction.
            Isa::Portable => unsafe { Portable::enter(task) },
        }
    }
}
