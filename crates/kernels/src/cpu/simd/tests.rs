//! Every operation of every vector type against scalars.

use super::{Isa, Simd, Task};

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

/// Runs every operation of a vector type on values that tell the lanes apart.
struct EveryOperation;

impl Task for EveryOperation {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let n = S::LANES;
        let a: Vec<f32> = (0..n).map(|i| i as f32 - 1.0).collect();
        let b: Vec<f32> = (0..n).map(|i| 3.0 - 2.0 * i as f32).collect();
        let c: Vec<f32> = (0..n).map(|i| if i % 3 == 1 { f32::NAN } else { i as f32 }).collect();
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
            check(S::clamp(vc, one, S::splat(4.0)), &|i| c[i].clamp(1.0, 4.0), "clamp");
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
            // Of numbers of which the order of additions decides the last bits.
            let thirds: Vec<f32> = (0..7 * n).map(|i| 1.0 / (i as f32 * 7.7 + 0.3)).collect();
            let vectors: [S::V; 7] = std::array::from_fn(|i| S::load(thirds[i * n..].as_ptr()));
            let mut sums = [0.1; 8];
            S::add_sums(sums.as_mut_ptr(), vectors);
            for i in 0..7 {
                assert_eq!(sums[i].to_bits(), (0.1 + S::sum(vectors[i])).to_bits(), "sum {i}");
            }
            assert_eq!(sums[7], 0.1);
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

#[test]
fn images_of_which_a_shorter_vector_has_room_for_all_get_one() {
    for isa in Isa::available() {
        for images in 1..=40 {
            let chosen = isa.for_images(images);
            assert!(chosen.lanes() <= isa.lanes());
            assert_eq!(images.div_ceil(chosen.lanes()), images.div_ceil(isa.lanes()));
            let is_shorter = isa.lanes() == 16 && images <= 8;
            assert_eq!(chosen.lanes(), if is_shorter { 8 } else { isa.lanes() }, "{images}");
        }
    }
}
