//! Tones: what is done to the values of a channel, or to them and their neighbours.

use super::lanes::{map, truncated, wide};

pub(super) fn posterize(pixels: &mut [u8], bits: u8) {
    let mask = (0xFF00u32 >> bits) as u8;
    pixels.iter_mut().for_each(|p| *p &= mask);
}

pub(super) fn solarize(pixels: &mut [u8], threshold: f64) {
    // A byte is at least a threshold just if it is at least the next whole number.
    let threshold = threshold.ceil() as u8;
    pixels.iter_mut().for_each(|p| *p = if *p >= threshold { !*p } else { *p });
}

pub(super) fn autocontrast(plane: &mut [u8]) {
    let least = plane.iter().copied().min().unwrap_or(0);
    let most = plane.iter().copied().max().unwrap_or(0);
    if least < most {
        let scale = f32::from(most - least) * (1.0 / 255.0);
        stretch(plane, least, scale);
    }
}

wide! {
    fn stretch(plane: &mut [u8], least: u8, scale: f32) {
        for p in plane {
            *p = truncated(f32::from(p.saturating_sub(least)) / scale);
        }
    }
}

/// Pillow's `ImageOps.equalize` of one channel.
pub(super) fn equalize(plane: &mut [u8]) {
    // Four counts, so that equal neighbours do not wait for one another.
    let mut counts = [[0usize; 256]; 4];
    let mut chunks = plane.chunks_exact(4);
    for chunk in &mut chunks {
        for (counts, &p) in counts.iter_mut().zip(chunk) {
            counts[usize::from(p)] += 1;
        }
    }
    for &p in chunks.remainder() {
        counts[0][usize::from(p)] += 1;
    }
    let [mut all, others @ ..] = counts;
    for counts in others {
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let highest = all.iter().rev().find(|count| **count > 0).copied().unwrap_or(0);
    let step = (plane.len() - highest) / 255;
    if step == 0 {
        return;
    }
    let mut table = [0; 256];
    let mut below = step / 2;
    for (entry, count) in table.iter_mut().zip(all) {
        *entry = (below / step).min(255) as u8;
        below += count;
    }
    map(plane, |p| table[usize::from(p)]);
}

pub(super) fn sharpness(pixels: &mut [u8], [_, height, width]: [usize; 3], factor: f64) {
    if height <= 2 || width <= 2 {
        return;
    }
    let rest = (1.0 - factor) as f32;
    // The rows above and at the one that is written, as they were before.
    let (mut above, mut here) = (vec![0; width], vec![0; width]);
    for plane in pixels.chunks_exact_mut(height * width) {
        here.copy_from_slice(&plane[..width]);
        for y in 1..height - 1 {
            std::mem::swap(&mut above, &mut here);
            let (row, below) = plane[y * width..].split_at_mut(width);
            here.copy_from_slice(row);
            sharpen_row([&above, &here, &below[..width]], rest, &mut row[1..width - 1]);
        }
    }
}

wide! {
    /// `row` is what lies between the first pixel and the last; `rows` are those above, at and below it.
    fn sharpen_row(rows: [&[u8]; 3], rest: f32, row: &mut [u8]) {
        let [above, here, below] = rows;
        let (n, last) = (row.len(), row.len() + 2);
        let (above, here, below) = (&above[..last], &here[..last], &below[..last]);
        for x in 0..n {
            let three = |row: &[u8]| u16::from(row[x]) + u16::from(row[x + 1]) + u16::from(row[x + 2]);
            let centre = u16::from(here[x + 1]);
            // Weights of 1 and 5 of 13; a half never comes.
            let smooth = (three(above) + three(here) + three(below) + 4 * centre + 6) / 13;
            let centre = f32::from(centre);
            row[x] = truncated(centre + rest * (f32::from(smooth) - centre));
        }
    }
}
