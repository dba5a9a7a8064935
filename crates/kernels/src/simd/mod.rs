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
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use std::sync::OnceLock;

/// Vectors of `f32` in one instruction set.
///
/// # Safety
///
/// An implementation may use instructions that not every processor has. All functions may only be
/// called where the instruction set has been found at run time, that is below [`Isa::run`].
pub(crate) trait Simd: Copy + 'static {
    /// A vector of [`LANES`](Simd::LANES) numbers.
    type V: Copy;
    /// The result of a comparison, one truth value a lane.
    type M: Copy;
    /// Numbers in a vector: the images that are computed together.
    const LANES: usize;
    /// Output channels of the largest register block. With [`BLOCK_X`](Simd::BLOCK_X) it is chosen so
    /// that the accumulators, one operand of each kind and a spare fit in the register file.
    const BLOCK_C: usize;
    /// Pixels (forward) or taps (weight gradient) of the largest register block.
    const BLOCK_X: usize;
    /// Vectors in a row of the largest tile of a product of matrices, which has 6 rows.
    const TILE_VECTORS: usize;

    /// Runs a task in a function of its own that is compiled for the instruction set. What is in it
    /// competes for registers with nothing else.
    unsafe fn enter<T: Task>(task: T) -> T::Output;
    /// All lanes `value`.
    unsafe fn splat(value: f32) -> Self::V;
    /// Reads `LANES` numbers from an address of any alignment.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Writes `LANES` numbers to an address of any alignment.
    unsafe fn store(to: *mut f32, v: Self::V);
    /// `a + b`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the processor can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a == b`; false where one of them is NaN.
    unsafe fn equal(a: Self::V, b: Self::V) -> Self::M;
    /// `a > b`, or `a` is NaN.
    unsafe fn greater_or_nan(a: Self::V, b: Self::V) -> Self::M;
    /// `yes` where the mask is set, else `no`.
    unsafe fn select(mask: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// Sum of all lanes.
    unsafe fn sum(v: Self::V) -> f32;
    /// Writes lanes that hold whole numbers from 0 to 255 as bytes.
    unsafe fn store_bytes(to: *mut u8, v: Self::V);
    /// Reads bytes as numbers from 0 to 255.
    unsafe fn load_bytes(from: *const u8) -> Self::V;
    /// Transposes a block of `LANES` × `LANES` numbers; rows are `stride` numbers apart.
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);
}

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
    /// Plain Rust, which the compiler turns into whatever the target always has.
    Portable,
}

/// Pixels or taps of the largest register block with `channels` output channels: few channels leave
/// registers for more of them, and one channel needs 8 accumulators to keep the multipliers busy.
#[inline(always)]
pub(crate) const fn block_x<S: Simd>(channels: usize) -> usize {
    match channels {
        1 => 8,
        2 => 6,
        _ => S::BLOCK_X,
    }
}

/// Work that is compiled once for every instruction set.
pub(crate) trait Task {
    /// What the work returns.
    type Output;
    /// Does the work. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    ///
    /// The processor has the instructions of `S`.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

impl Isa {
    /// The instruction sets that this processor has, the fastest first.
    pub(crate) fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") {
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
    fn choose(wanted: Option<&str>) -> Isa {
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

    /// Lanes of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::LANES,
            Isa::Portable => portable::Portable::LANES,
        }
    }

    /// Output channels of the largest register block.
    pub(crate) fn block_channels(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::Avx512::BLOCK_C,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::Avx2::BLOCK_C,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::Neon::BLOCK_C,
            Isa::Portable => portable::Portable::BLOCK_C,
        }
    }

    /// Runs the task compiled for this instruction set.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value only comes from `available`, which found the instructions.
            Isa::Avx512 => unsafe { avx512::Avx512::enter(task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Isa::Avx2 => unsafe { avx2::Avx2::enter(task) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Isa::Neon => unsafe { neon::Neon::enter(task) },
            // SAFETY: the portable vectors need no particular instruction.
            Isa::Portable => unsafe { portable::Portable::enter(task) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_selects_an_available_set_and_falls_back_to_the_fastest() {
        let available = Isa::available();
        for &isa in &available {
            assert_eq!(Isa::choose(Some(isa.name())), isa);
            assert_eq!(Isa::choose(Some(&isa.name().to_uppercase())), isa);
        }
        assert_eq!(Isa::choose(Some("vax")), available[0]);
        assert_eq!(Isa::choose(Some("")), available[0]);
        assert_eq!(Isa::choose(None), available[0]);
    }

    /// Runs every operation of a vector type on numbers that tell the lanes apart.
    struct EveryOperation;

    impl Task for EveryOperation {
        type Output = ();

        #[inline(always)]
        unsafe fn run<S: Simd>(self) {
            let n = S::LANES;
            let a: Vec<f32> = (0..n).map(|i| i as f32 - 1.0).collect();
            let b: Vec<f32> = (0..n).map(|i| 3.0 - 2.0 * i as f32).collect();
            let c: Vec<f32> =
                (0..n).map(|i| if i % 3 == 1 { f32::NAN } else { i as f32 }).collect();
            let mut out = vec![0.0; n];
            let mut check = |v: S::V, expected: &dyn Fn(usize) -> f32, name: &str| {
                // SAFETY: `out` has LANES elements.
                unsafe { S::store(out.as_mut_ptr(), v) };
                for i in 0..n {
                    let e = expected(i);
                    assert!(
                        out[i] == e || (out[i].is_nan() && e.is_nan()),
                        "{name} lane {i}: {} not {e}",
                        out[i]
                    );
                }
            };
            // SAFETY: the slices have LANES elements (LANES² for the transposition).
            unsafe {
                let (va, vb, vc) = (S::load(a.as_ptr()), S::load(b.as_ptr()), S::load(c.as_ptr()));
                let (one, zero) = (S::splat(1.0), S::splat(0.0));
                check(S::add(va, vb), &|i| a[i] + b[i], "add");
                check(S::sub(va, vb), &|i| a[i] - b[i], "sub");
                check(S::fma(va, vb, vc), &|i| a[i] * b[i] + c[i], "fma");
                check(
                    S::select(S::equal(va, S::splat(1.0)), vb, va),
                    &|i| if a[i] == 1.0 { b[i] } else { a[i] },
                    "equal",
                );
                check(
                    S::select(S::equal(vc, vc), one, zero),
                    &|i| !c[i].is_nan() as u8 as f32,
                    "equal, NaN",
                );
                check(
                    S::select(S::greater_or_nan(vc, vb), one, zero),
                    &|i| (c[i] > b[i] || c[i].is_nan()) as u8 as f32,
                    "greater or NaN",
                );
                check(
                    S::select(S::greater_or_nan(vb, vc), one, zero),
                    &|i| (b[i] > c[i]) as u8 as f32,
                    "greater or NaN, right",
                );
                assert_eq!(S::sum(va), a.iter().sum::<f32>());
                let codes: Vec<u8> = (0..n).map(|i| (255 - 7 * i) as u8).collect();
                let mut bytes = vec![0u8; n];
                let v = S::load_bytes(codes.as_ptr());
                check(v, &|i| codes[i] as f32, "load_bytes");
                S::store_bytes(bytes.as_mut_ptr(), v);
                assert_eq!(bytes, codes);
                let (p, q) = (n + 3, n + 1);
                let from: Vec<f32> = (0..n * p).map(|i| i as f32).collect();
                let mut to = vec![-1.0; n * q];
                S::transpose(from.as_ptr(), p, to.as_mut_ptr(), q);
                for i in 0..n {
                    for j in 0..n {
                        assert_eq!(to[j * q + i], from[i * p + j]);
                    }
                    assert_eq!(to[i * q + n], -1.0, "nothing is written beside the block");
                }
            }
        }
    }

    #[test]
    fn vectors_of_every_available_set_do_what_scalars_do() {
        for isa in Isa::available() {
            isa.run(EveryOperation);
        }
    }
}
