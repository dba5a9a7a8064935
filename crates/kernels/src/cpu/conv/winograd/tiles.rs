//! Cutting planes into tiles and putting them together again.
//!
//! A tile of `M × M` results depends on `T × T` inputs; neighbouring tiles lie `M` pixels apart. The
//! transforms of all tiles of a chunk lie in a [`Tiles`]: for each of the T² positions a matrix with a
//! row for every channel and a column for every tile and lane.

use super::transform::{gradient, input, output};
use crate::cpu::memory::Aligned;
use crate::cpu::simd::{Simd, Task};

/// Columns of pixels that are transformed together.
const COLUMNS: usize = 72;

/// A run of neighbouring tiles in one row of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileRun {
    /// Row and column of the first tile.
    pub row: usize,
    pub column: usize,
    pub tiles: usize,
    /// Where its first tile lies in a [`Tiles`], in tiles.
    pub at: usize,
}

/// The tiles `first..first + count` of a plane `width` tiles wide, counted by rows, as runs. The first
/// one lies at `at`.
pub(crate) fn tile_runs(
    width: usize,
    first: usize,
    count: usize,
    at: usize,
) -> impl Iterator<Item = TileRun> {
    let end = first + count;
    // What `COLUMNS` has room for with the widest tile.
    let longest = (COLUMNS - 4) / 4;
    let mut next = first;
    std::iter::from_fn(move || {
        if next == end {
            return None;
        }
        let column = next % width;
        let tiles = (width - column).min(end - next).min(longest);
        let run = TileRun { row: next / width, column, tiles, at: at + next - first };
        next += tiles;
        Some(run)
    })
}

/// Transforms of tiles: `[position][channel][tile][LANES]`.
pub(crate) struct Tiles {
    elements: Aligned,
    channels: usize,
    /// Elements of a channel in one position.
    row: usize,
}

impl Tiles {
    pub(crate) fn new(positions: usize, channels: usize, tiles: usize, lanes: usize) -> Self {
        let row = tiles * lanes;
        let mut tiles = Tiles { elements: Aligned::any(0), channels, row };
        tiles.elements = Aligned::any(positions * tiles.position_len());
        tiles
    }

    /// From one position to the next. An odd number of cache lines: else the T² elements of a tile
    /// would compete for the same few places of the first-level cache.
    fn position_len(&self) -> usize {
        ((self.channels * self.row).div_ceil(16) | 1) * 16
    }

    /// The matrix of one position, and the distance of its rows.
    pub(crate) fn position(&self, position: usize) -> (&[f32], usize) {
        let start = position * self.position_len();
        (&self.elements[start..][..self.channels * self.row], self.row)
    }

    /// The same for writing.
    pub(crate) fn position_mut(&mut self, position: usize) -> (&mut [f32], usize) {
        let start = position * self.position_len();
        (&mut self.elements[start..][..self.channels * self.row], self.row)
    }

    /// Asserts that a run of tiles lies inside.
    fn check(&self, run: &TileRun, positions: usize, lanes: usize) {
        assert!((run.at + run.tiles) * lanes <= self.row);
        assert!(self.elements.len() >= positions * self.position_len());
    }
}

/// Interleaved planes of several channels, or the part of them from some pixel on; distances in
/// elements. What lies behind `size` counts as zeros, and is not written.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub channels: usize,
    /// Rows and columns that exist.
    pub size: [usize; 2],
    pub row: usize,
    pub channel: usize,
}

impl View {
    /// Elements up to behind the last.
    fn len(&self, lanes: usize) -> usize {
        match self.channels.min(self.size[0]).min(self.size[1]) {
            0 => 0,
            _ => {
                (self.channels - 1) * self.channel
                    + (self.size[0] - 1) * self.row
                    + self.size[1] * lanes
            }
        }
    }
}

/// Transforms the inputs of a run of tiles; `x` begins at the first input of the first tile.
pub(crate) struct InputTiles<'a, const M: usize, const T: usize> {
    pub view: View,
    pub x: &'a [f32],
    pub run: TileRun,
    pub to: &'a mut Tiles,
}

impl<const M: usize, const T: usize> Task for InputTiles<'_, M, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (view, run, lanes) = (self.view, self.run, S::LANES);
        self.to.check(&run, T * T, lanes);
        assert!(self.x.len() >= view.len(lanes) && self.to.channels == view.channels);
        let columns = (run.tiles - 1) * M + T;
        assert!(columns <= COLUMNS);
        let (top, left) = (run.row * M, run.column * M);
        let position_len = self.to.position_len();
        let to = self.to.elements.as_mut_ptr().wrapping_add(run.at * lanes);
        // SAFETY: rows and columns are compared with the view's size, whose last pixel the assertion
        // covers; the run's tiles lie in `to`.
        unsafe {
            let zero = S::splat(0.0);
            let mut half = [[zero; T]; COLUMNS];
            for channel in 0..view.channels {
                let x = self.x.as_ptr().wrapping_add(channel * view.channel);
                for column in 0..columns {
                    let mut pixels = [zero; T];
                    if left + column < view.size[1] {
                        let x = x.wrapping_add(top * view.row + (left + column) * lanes);
                        for i in 0..T {
                            if top + i < view.size[0] {
                                pixels[i] = S::load(x.wrapping_add(i * view.row));
                            }
                        }
                    }
                    half[column] = input::<S, T>(pixels);
                }
                let to = to.wrapping_add(channel * self.to.row);
                for tile in 0..run.tiles {
                    let to = to.wrapping_add(tile * lanes);
                    for i in 0..T {
                        let mut row = [zero; T];
                        for j in 0..T {
                            row[j] = half[tile * M + j][i];
                        }
                        let row = input::<S, T>(row);
                        for j in 0..T {
                            S::store(to.wrapping_add((i * T + j) * position_len), row[j]);
                        }
                    }
                }
            }
        }
    }
}

/// Makes results of a run of tiles; `y` begins at the first result of the first tile.
pub(crate) struct OutputTiles<'a, const M: usize, const T: usize> {
    pub view: View,
    pub y: &'a mut [f32],
    /// Added to every result of a channel, if given.
    pub bias: Option<&'a [f32]>,
    pub run: TileRun,
    pub from: &'a Tiles,
}

impl<const M: usize, const T: usize> Task for OutputTiles<'_, M, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (view, run, lanes) = (self.view, self.run, S::LANES);
        self.from.check(&run, T * T, lanes);
        assert!(self.y.len() >= view.len(lanes) && self.from.channels == view.channels);
        assert!(self.bias.is_none_or(|bias| bias.len() == view.channels));
        let position_len = self.from.position_len();
        let from = self.from.elements.as_ptr().wrapping_add(run.at * lanes);
        // SAFETY: as for `InputTiles`.
        unsafe {
            let zero = S::splat(0.0);
            for channel in 0..view.channels {
                let bias = match self.bias {
                    Some(bias) => S::splat(bias[channel]),
                    None => zero,
                };
                let y = self.y.as_mut_ptr().wrapping_add(channel * view.channel);
                for tile in 0..run.tiles {
                    let from = from.wrapping_add(channel * self.from.row + tile * lanes);
                    let mut half = [[zero; M]; T];
                    for i in 0..T {
                        let mut row = [zero; T];
                        for j in 0..T {
                            row[j] = S::load(from.wrapping_add((i * T + j) * position_len));
                        }
                        half[i] = output::<S, M, T>(row);
                    }
                    let (top, left) = (run.row * M, (run.column + tile) * M);
                    for j in 0..M {
                        let mut column = [zero; T];
                        for i in 0..T {
                            column[i] = half[i][j];
                        }
                        let column = output::<S, M, T>(column);
                        if left + j < view.size[1] {
                            for i in 0..M {
                                if top + i < view.size[0] {
                                    let at = (top + i) * view.row + (left + j) * lanes;
                                    S::store(y.wrapping_add(at), S::add(column[i], bias));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Transforms the gradients of the results of a run of tiles; `dy` begins at the first of them.
pub(crate) struct GradientTiles<'a, const M: usize, const T: usize> {
    pub view: View,
    pub dy: &'a [f32],
    pub run: TileRun,
    pub to: &'a mut Tiles,
}

impl<const M: usize, const T: usize> Task for GradientTiles<'_, M, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (view, run, lanes) = (self.view, self.run, S::LANES);
        self.to.check(&run, T * T, lanes);
        assert!(self.dy.len() >= view.len(lanes) && self.to.channels == view.channels);
        let position_len = self.to.position_len();
        let to = self.to.elements.as_mut_ptr().wrapping_add(run.at * lanes);
        // SAFETY: as for `InputTiles`.
        unsafe {
            let zero = S::splat(0.0);
            for channel in 0..view.channels {
                let dy = self.dy.as_ptr().wrapping_add(channel * view.channel);
                for tile in 0..run.tiles {
                    let (top, left) = (run.row * M, (run.column + tile) * M);
                    let mut half = [[zero; T]; M];
                    for j in 0..M {
                        let mut column = [zero; M];
                        if left + j < view.size[1] {
                            for i in 0..M {
                                if top + i < view.size[0] {
                                    let at = (top + i) * view.row + (left + j) * lanes;
                                    column[i] = S::load(dy.wrapping_add(at));
                                }
                            }
                        }
                        half[j] = gradient::<S, M, T>(column);
                    }
                    let to = to.wrapping_add(channel * self.to.row + tile * lanes);
                    for i in 0..T {
                        let mut row = [zero; M];
                        for j in 0..M {
                            row[j] = half[j][i];
                        }
                        let row = gradient::<S, M, T>(row);
                        for j in 0..T {
                            S::store(to.wrapping_add((i * T + j) * position_len), row[j]);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_the_tiles_in_order_and_stay_in_a_row() {
        let run = |row, column, tiles, at| TileRun { row, column, tiles, at };
        let found: Vec<_> = tile_runs(5, 3, 9, 100).collect();
        assert_eq!(found, [run(0, 3, 2, 100), run(1, 0, 5, 102), run(2, 0, 2, 107)]);
        assert_eq!(tile_runs(5, 3, 0, 0).count(), 0);
        let wide: Vec<_> = tile_runs(40, 0, 40, 0).collect();
        assert_eq!(wide, [run(0, 0, 17, 0), run(0, 17, 17, 17), run(0, 34, 6, 34)]);
    }
}
