use proptest::prelude::*;

use super::microkernel::MOST_COLUMNS;
use super::part::{LEFT_ELEMENTS, PANELS, TERMS};
use super::{LONG, Matrix, Product, Start, compute_all};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;
use crate::cpu::test_values::random_values;
use crate::cpu::threads::tests::on;
use crate::ops::FusedActivation;

/// A matrix of this size, in rows or in columns.
fn view(values: &[f32], [rows, columns]: [usize; 2], turned: bool) -> Matrix<'_> {
    match turned {
        true => Matrix::new(values, [columns, rows]).transposed(),
        false => Matrix::new(values, [rows, columns]),
    }
}

/// Entry (row, column) by the definition, in double precision, and the sum of its terms' sizes.
fn entry(product: &Product, row: usize, column: usize) -> (f64, f64) {
    let at = |m: Matrix, row: usize, column: usize| {
        f64::from(m.values[row * m.step[0] + column * m.step[1]])
    };
    let terms = (0..product.a.size[1]).map(|k| at(product.a, row, k) * at(product.b, k, column));
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

/// Compares results in every instruction set with the definition: sizes are those of rows, terms and
/// columns.
fn check([rows, terms, columns]: [usize; 3], turned: [bool; 2], gap: usize) {
    let (a, b) = (random_values(rows * terms, 1), random_values(terms * columns, 2));
    let (before, bias) = (random_values(rows * (columns + gap), 3), random_values(columns, 4));
    let row_bias = random_values(rows, 5);
    let a = view(&a, [rows, terms], turned[0]);
    let b = view(&b, [terms, columns], turned[1]);
    for isa in Isa::available() {
        use FusedActivation::{None, Relu, Relu6};
        for (start, activation) in [
            (Start::Add, None),
            (Start::Zero, Relu),
            (Start::Bias(&bias), None),
            (Start::Bias(&bias), Relu),
            (Start::RowBias(&row_bias), None),
            (Start::RowBias(&row_bias), Relu6),
        ] {
            let product = Product { start, activation, ..Product::new(a, b) };
            let mut found = before.clone();
            product.write(isa, &mut found, columns + gap);
            for i in 0..found.len() {
                let (row, column) = (i / (columns + gap), i % (columns + gap));
                if column >= columns {
                    assert_eq!(found[i], before[i], "nothing is written between the rows");
                    continue;
                }
                let start = match start {
                    Start::Add => before[i],
                    Start::Zero => 0.0,
                    Start::Bias(bias) => bias[column],
                    Start::RowBias(bias) => bias[row],
                };
                let (sum, size) = entry(&product, row, column);
                let sum = f64::from(start) + sum;
                let expected = match activation {
                    None => sum,
                    Relu => sum.max(0.0),
                    Relu6 => sum.clamp(0.0, 6.0),
                };
                let error = (f64::from(found[i]) - expected).abs();
                let tolerance = f64::from(f32::EPSILON) * (terms as f64 + 2.0) * (size + 1.0) / 2.0;
                assert!(
                    error <= tolerance,
                    "{isa:?} {rows}×{terms}×{columns} {turned:?}, entry {row}, {column}: {error}"
                );
            }
        }
    }
}

#[test]
fn products_of_no_rows_columns_or_terms_are_what_they_start_from() {
    for sizes in [[0, 3, 2], [3, 0, 2], [3, 2, 0], [0, 0, 0]] {
        for turned in [[false; 2], [true; 2]] {
            check(sizes, turned, 1);
        }
    }
}

#[test]
fn sums_are_taken_in_pieces_that_make_up_all_terms() {
    for terms in [TERMS - 1, TERMS, TERMS + 1, 2 * TERMS + 5] {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            check([2, terms, 37], turned, 0);
            check([13, terms, 37], turned, 0);
        }
    }
}

#[test]
fn very_long_sums_are_those_of_the_definition() {
    for terms in [LONG, LONG + 1, LONG + 53] {
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            check([1, terms, 13], turned, 1);
            check([35, terms, 5], turned, 0);
        }
        check([2, terms, 259], [false; 2], 0);
        // Blocks of full width that are added to what is there, in each height.
        for rows in [1, 2, 6, 13] {
            check([rows, terms, 128], [false; 2], 0);
        }
    }
}

#[test]
fn more_rows_than_stay_in_the_cache_are_all_computed() {
    let rows = LEFT_ELEMENTS / TERMS + 7;
    for turned in [false, true] {
        check([rows, TERMS + 1, 5], [turned, false], 0);
    }
}

#[test]
fn more_columns_than_are_copied_together_are_all_computed() {
    for turned in [false, true] {
        check([7, 9, (PANELS + 1) * MOST_COLUMNS + 3], [false, turned], 2);
        check([1, 9, (PANELS + 1) * MOST_COLUMNS + 3], [false, turned], 2);
    }
}

#[test]
fn long_sums_round_like_short_ones() {
    // Terms that do not cancel: in one register, the error would grow with their number.
    let terms = 25_088;
    let (a, b) = (vec![0.7_f32; 8 * terms], vec![0.3_f32; terms * 16]);
    for isa in Isa::available() {
        let product = Product::new(Matrix::new(&a, [8, terms]), Matrix::new(&b, [terms, 16]));
        let mut to = vec![0.0; 8 * 16];
        product.write(isa, &mut to, 16);
        let expected = f64::from(0.7_f32) * f64::from(0.3_f32) * terms as f64;
        for value in to {
            assert!((f64::from(value) / expected - 1.0).abs() < 5e-7, "{isa:?}: {value}");
        }
    }
}

#[test]
fn infinite_and_missing_numbers_stay_in_their_rows_and_columns() {
    // A vector that is not full is filled up with zeros, which no infinity may meet in another column.
    let (mut a, b) = (random_values(9 * 5, 1), random_values(5 * 11, 2));
    a[2 * 5] = f32::INFINITY;
    a[4 * 5 + 1] = f32::NAN;
    for isa in Isa::available() {
        let mut to = vec![0.0; 9 * 11];
        let product = Product::new(Matrix::new(&a, [9, 5]), Matrix::new(&b, [5, 11]));
        Product { activation: FusedActivation::Relu, ..product }.write(isa, &mut to, 11);
        for (i, value) in to.iter().enumerate() {
            match i / 11 {
                2 => assert!(*value == 0.0 || *value == f32::INFINITY, "{value}"),
                4 => assert!(value.is_nan(), "{value}"),
                _ => assert!(value.is_finite(), "{value}"),
            }
        }
    }
}

#[test]
fn parts_of_larger_matrices_are_read_and_written_in_place() {
    let (a, b) = (random_values(7 * 10, 1), random_values(5 * 30, 2));
    let (a, b) = (Matrix::spaced(&a, [7, 5], 10), Matrix::spaced(&b, [5, 20], 30));
    for isa in Isa::available() {
        let product = Product::new(a, b);
        let mut to = vec![0.0; 7 * 20];
        product.write(isa, &mut to, 20);
        for (i, value) in to.iter().enumerate() {
            let (expected, _) = entry(&product, i / 20, i % 20);
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{isa:?}");
        }
    }
}

#[test]
fn products_are_the_same_bits_for_any_number_of_threads() {
    // Large enough to be shared by seven threads; odd sizes leave tails everywhere.
    for [rows, terms, columns] in
        [[131, 1021, 517], [784, 32, 512], [1, 8009, 1001], [521, 67, 301]]
    {
        let (a, b) = (random_values(rows * terms, 1), random_values(terms * columns, 2));
        for turned in [[false, false], [true, false], [false, true], [true, true]] {
            let product = Product::new(
                view(&a, [rows, terms], turned[0]),
                view(&b, [terms, columns], turned[1]),
            );
            let run = |threads: usize| {
                let parts = product.parts(threads, std::ptr::null_mut()).count();
                assert_eq!(parts, threads, "the work is shared");
                let bits =
                    |result: Recycled| result.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                on(threads, || compute_all(Isa::current(), [product, product]).map(bits))
            };
            let one = run(1);
            assert_eq!(one[0], one[1]);
            for threads in [2, 3, 7] {
                assert!(
                    one == run(threads),
                    "{threads} threads, {rows}×{terms}×{columns} {turned:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_product_equals_its_definition(
        rows in 1usize..40,
        terms in 1usize..70,
        columns in 1usize..140,
        turned in any::<[bool; 2]>(),
        gap in 0usize..3,
    ) {
        check([rows, terms, columns], turned, gap);
    }
}
