//! Loops over pixels, compiled for wide vectors, too.

/// Defines a function whose body is compiled twice: for any processor, and for those with AVX2, on which it
/// is then run. Both compute the same bits: the compiler joins no multiplication with an addition.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            fn any($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $type),*) {
                    any($($arg),*);
                }

                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    unsafe { avx2($($arg),*) };
                    return;
                }
            }
            any($($arg),*);
        }
    };
}

pub(crate) use wide;

/// How many pixels side by side are computed at once where a row is divided into groups: arrays of a fixed
/// length need no loop for what is left over.
pub(super) const LANES: usize = 16;

/// As many of something as are computed at once.
pub(super) type Lanes<T> = [T; LANES];

/// The first column of each group of a row. The last group ends with the row, and begins within the one before
/// it where the width is no multiple; a narrower row is one group, of which a part is used.
pub(super) fn groups(width: usize) -> impl Iterator<Item = usize> + Clone {
    (0..width.div_ceil(LANES)).map(move |group| (group * LANES).min(width.saturating_sub(LANES)))
}

/// Writes a group to its place in a row.
#[inline(always)]
pub(super) fn put_group(row: &mut [u8], first: usize, group: &Lanes<u8>) {
    let row = &mut row[first..];
    match row.first_chunk_mut() {
        Some(place) => *place = *group,
        None => put_part(row, group),
    }
}

/// Apart, or the compiler joins both copies to a call of one of any length.
#[cold]
#[inline(never)]
fn put_part(row: &mut [u8], group: &Lanes<u8>) {
    row.copy_from_slice(&group[..row.len()]);
}

/// The nearest integer, half to even, of a number below 2²² in size: adding 1.5 · 2²³ leaves no bit for a
/// fraction. Any processor does it without a call.
#[inline(always)]
pub(super) fn nearest(value: f32) -> f32 {
    (value + SHIFT) - SHIFT
}

const SHIFT: f32 = 12_582_912.0;

/// The same as an integer: it stands in the lowest bits of the sum. Costs less than a conversion, which looks
/// at numbers out of range.
#[inline(always)]
pub(super) fn nearest_integer(value: f32) -> i32 {
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i32
}

wide! {
    /// Values from 0 to 255 as bytes, rounded to the nearest.
    pub(super) fn to_bytes(values: &[f32], output: &mut [u8]) {
        for (output, value) in output.iter_mut().zip(values) {
            *output = nearest_integer(*value) as u8;
        }
    }
}

/// The greatest integer that is no greater, of a number below 2²² in size.
#[inline(always)]
pub(super) fn whole(value: f32) -> i32 {
    nearest_integer(value).wrapping_sub(i32::from(nearest(value) > value))
}

/// A value as a byte, cut off below 0, above 255 and after the point; 0 of what is no number.
#[inline(always)]
pub(super) fn truncated(value: f32) -> u8 {
    let value = if value > 0.0 { value } else { 0.0 };
    whole(if value < 255.0 { value } else { 255.0 }) as u8
}

/// What a function makes of each byte, put in place of the bytes.
pub(super) fn map(pixels: &mut [u8], value: impl Fn(u8) -> u8) {
    let mut table = [0; 256];
    for (byte, entry) in (0..=255).zip(&mut table) {
        *entry = value(byte);
    }
    pixels.iter_mut().for_each(|p| *p = table[usize::from(*p)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let values = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 254.5, 255.5, 1e6 + 0.25];
        for value in values {
            assert_eq!(nearest(value), value.round_ties_even(), "{value}");
            assert_eq!(nearest_integer(value), value.round_ties_even() as i32, "{value}");
            assert_eq!(whole(value), value.floor() as i32, "{value}");
        }
        assert_eq!([-3.0, 0.9, 254.99, 300.0].map(truncated), [0, 0, 254, 255]);
        assert_eq!([f32::NAN, f32::INFINITY, -f32::INFINITY, -0.1].map(truncated), [0, 255, 0, 0]);
    }

    #[test]
    fn groups_cover_a_row_and_are_whole_where_it_is_wide_enough() {
        for (width, expected) in
            [(1, &[0][..]), (16, &[0]), (17, &[0, 1]), (28, &[0, 12]), (40, &[0, 16, 24])]
        {
            assert_eq!(groups(width).collect::<Vec<_>>(), expected);
            let mut row = vec![99; width];
            for first in groups(width) {
                put_group(&mut row, first, &std::array::from_fn(|i| (first + i) as u8));
            }
            assert_eq!(row, (0..width as u8).collect::<Vec<_>>());
        }
    }
}
