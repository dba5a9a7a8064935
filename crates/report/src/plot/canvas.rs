//! Shapes and text on an image in memory.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{Circle, Polygon, Rectangle};
use plotters::prelude::{BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBAColor, RGBColor};

use super::dash::dashes;
use super::palette::PAPER;
use super::text;

/// Failure of the drawing library.
pub type DrawError = DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>;

/// Drawn pixels along each side of a pixel of the picture. The library's shapes have hard edges:
/// their average over 2 x 2 has not.
const DETAIL: usize = 2;

/// A position in pixels, from the upper left corner.
pub type Point = (f64, f64);

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    pub color: RGBColor,
    /// In pixels.
    pub width: f64,
    pub dashed: bool,
}

/// The shape of a marker.
#[derive(Clone, Copy, Debug)]
pub enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Marker {
    /// The marker of a series; together with the colours, 28 series differ.
    pub fn series(index: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][index % 4]
    }
}

/// Which part of a text is at its position.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// How a line of text looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub size: f64,
    pub color: RGBColor,
    pub anchor: Anchor,
    /// Read from below to above.
    pub upwards: bool,
}

impl Style {
    pub fn new(size: f64, color: RGBColor, anchor: Anchor) -> Self {
        Self { size, color, anchor, upwards: false }
    }

    pub fn upwards(self) -> Self {
        Self { upwards: true, ..self }
    }
}

/// A white picture to draw on.
pub struct Canvas<'a> {
    area: DrawingArea<BitMapBackend<'a>, Shift>,
}

/// The RGB bytes of a picture of `size` pixels, row by row.
pub fn pixels(
    size: (u32, u32),
    draw: impl FnOnce(&Canvas) -> Result<(), DrawError>,
) -> Result<Vec<u8>, DrawError> {
    let detail = DETAIL as u32;
    let (width, height) = (size.0 * detail, size.1 * detail);
    let mut detailed = vec![0; width as usize * height as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut detailed, (width, height)).into_drawing_area();
        area.fill(&PAPER)?;
        draw(&Canvas { area })?;
    }
    Ok(average(&detailed, size.0 as usize, size.1 as usize))
}

/// The mean of every `DETAIL` x `DETAIL` pixels.
fn average(detailed: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut picture = Vec::with_capacity(width * height * 3);
    let row = width * DETAIL * 3;
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for channel in 0..3 {
            let mut sum = 0;
            for (dy, dx) in (0..DETAIL).flat_map(|dy| (0..DETAIL).map(move |dx| (dy, dx))) {
                sum += usize::from(
                    detailed[(y * DETAIL + dy) * row + (x * DETAIL + dx) * 3 + channel],
                );
            }
            let count = DETAIL * DETAIL;
            picture.push(((sum + count / 2) / count) as u8);
        }
    }
    picture
}

fn device(value: f64) -> i32 {
    (value * DETAIL as f64).round() as i32
}

fn device_point((x, y): Point) -> (i32, i32) {
    (device(x), device(y))
}

impl Canvas<'_> {
    /// Fills the rectangle between two corners.
    pub fn rectangle(&self, from: Point, to: Point, color: RGBColor) -> Result<(), DrawError> {
        self.rectangle_mixed(from, to, color.mix(1.0))
    }

    fn rectangle_mixed(&self, from: Point, to: Point, color: RGBAColor) -> Result<(), DrawError> {
        let corners = [device_point(from), device_point(to)];
        self.area.draw(&Rectangle::new(corners, color.filled()))
    }

    /// Draws the border of a rectangle, `width` pixels wide on the inside.
    pub fn border(
        &self,
        from: Point,
        to: Point,
        color: RGBColor,
        width: f64,
    ) -> Result<(), DrawError> {
        let ((left, top), (right, bottom)) = (from, to);
        self.rectangle((left, top), (right, top + width), color)?;
        self.rectangle((left, bottom - width), (right, bottom), color)?;
        self.rectangle((left, top), (left + width, bottom), color)?;
        self.rectangle((right - width, top), (right, bottom), color)
    }

    /// Fills a convex polygon.
    fn polygon(&self, corners: &[Point], color: RGBColor) -> Result<(), DrawError> {
        let corners: Vec<_> = corners.iter().copied().map(device_point).collect();
        self.area.draw(&Polygon::new(corners, color))
    }

    /// Fills a disc.
    pub fn disc(&self, center: Point, radius: f64, color: RGBColor) -> Result<(), DrawError> {
        self.area.draw(&Circle::new(device_point(center), device(radius), color.filled()))
    }

    /// Connects points by straight lines with round corners.
    pub fn line(&self, points: &[Point], stroke: Stroke) -> Result<(), DrawError> {
        let pieces = if stroke.dashed { dashes(points, 14.0, 9.0) } else { vec![points.to_vec()] };
        for piece in &pieces {
            for pair in piece.windows(2) {
                self.segment(pair[0], pair[1], stroke)?;
            }
            for corner in piece.iter().skip(1).take(piece.len().saturating_sub(2)) {
                self.disc(*corner, stroke.width / 2.0, stroke.color)?;
            }
        }
        Ok(())
    }

    fn segment(&self, from: Point, to: Point, stroke: Stroke) -> Result<(), DrawError> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length == 0.0 {
            return Ok(());
        }
        let half = stroke.width / 2.0 / length;
        let (nx, ny) = (-dy * half, dx * half);
        let corners = [
            (from.0 + nx, from.1 + ny),
            (to.0 + nx, to.1 + ny),
            (to.0 - nx, to.1 - ny),
            (from.0 - nx, from.1 - ny),
        ];
        self.polygon(&corners, stroke.color)
    }

    /// Fills the area between a lower and an upper edge, `(x, lower, upper)` from left to right,
    /// with a tint of the colour.
    pub fn band(&self, edges: &[(f64, f64, f64)], color: RGBColor) -> Result<(), DrawError> {
        // Column by column, so that no pixel is tinted twice where two parts meet.
        let column = 1.0 / DETAIL as f64;
        for pair in edges.windows(2) {
            let ((x0, low0, high0), (x1, low1, high1)) = (pair[0], pair[1]);
            for i in device(x0)..device(x1) {
                let x = (f64::from(i) + 0.5) * column;
                let t = ((x - x0) / (x1 - x0)).clamp(0.0, 1.0);
                let (low, high) = (low0 + t * (low1 - low0), high0 + t * (high1 - high0));
                let left = f64::from(i) * column;
                self.rectangle_mixed((left, high), (left + column, low), color.mix(0.2))?;
            }
        }
        Ok(())
    }

    /// Draws a marker of about `2 * radius` pixels with a white edge.
    pub fn marker(
        &self,
        marker: Marker,
        at: Point,
        radius: f64,
        color: RGBColor,
    ) -> Result<(), DrawError> {
        for (radius, color) in [(radius + 2.0, PAPER), (radius, color)] {
            let corners = |steps: &[Point]| -> Vec<Point> {
                steps.iter().map(|(x, y)| (at.0 + x * radius, at.1 + y * radius)).collect()
            };
            // The factors make the four equally large to the eye.
            match marker {
                Marker::Circle => self.disc(at, radius, color)?,
                Marker::Square => {
                    let c = corners(&[(-0.9, -0.9), (0.9, 0.9)]);
                    self.rectangle(c[0], c[1], color)?;
                }
                Marker::Triangle => {
                    self.polygon(&corners(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]), color)?;
                }
                Marker::Diamond => {
                    let steps = [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)];
                    self.polygon(&corners(&steps), color)?;
                }
            }
        }
        Ok(())
    }

    /// Writes a line of text. Half the height of its capital letters is at the position.
    pub fn text(&self, text: &str, at: Point, style: Style) -> Result<(), DrawError> {
        // The library puts the baseline half a size below the top of its layout.
        let rise = style.size * (0.5 - text::CAPITAL / 2.0);
        let horizontal = match style.anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let (transform, at) = if style.upwards {
            (FontTransform::Rotate270, (at.0 - rise, at.1))
        } else {
            (FontTransform::None, (at.0, at.1 - rise))
        };
        let font = text::font(style.size * DETAIL as f64).transform(transform);
        let font = font.color(&style.color).pos(Pos::new(horizontal, VPos::Top));
        self.area.draw_text(text, &font, device_point(at))
    }

    /// Writes the lines of a paragraph below `top`.
    pub fn paragraph(
        &self,
        text: &text::Paragraph,
        left: f64,
        top: f64,
        color: RGBColor,
    ) -> Result<(), DrawError> {
        let style = Style::new(text.size, color, Anchor::Left);
        for (i, line) in text.lines.iter().enumerate() {
            self.text(line, (left, top + (i as f64 + 0.5) * text.size * text::LEADING), style)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::palette::INK;

    fn picture(
        draw: impl FnOnce(&Canvas) -> Result<(), DrawError>,
    ) -> impl Fn(usize, usize) -> [u8; 3] {
        let bytes = pixels((100, 60), draw).unwrap();
        move |x, y| bytes[(y * 100 + x) * 3..][..3].try_into().unwrap()
    }

    #[test]
    fn a_line_is_as_wide_as_asked() {
        let stroke = Stroke { color: INK, width: 4.0, dashed: false };
        let at = picture(|canvas| canvas.line(&[(10.0, 30.0), (90.0, 30.0)], stroke));
        let dark = (0..60).filter(|&y| at(50, y) == [26, 26, 26]).count();
        assert_eq!((dark, at(50, 30), at(5, 30)), (4, [26, 26, 26], [255, 255, 255]));
    }

    #[test]
    fn text_is_centred_on_its_position() {
        let style = Style::new(30.0, INK, Anchor::Middle);
        for style in [style, style.upwards()] {
            let at = picture(|canvas| canvas.text("H", (50.0, 30.0), style));
            let inked = |&(x, y): &(usize, usize)| at(x, y)[0] < 128;
            let ink: Vec<_> =
                (0..100).flat_map(|x| (0..60).map(move |y| (x, y))).filter(inked).collect();
            let middle = |values: Vec<usize>| {
                (*values.iter().min().unwrap() + *values.iter().max().unwrap() + 1) as f64 / 2.0
            };
            let (x, y) = (ink.iter().map(|p| p.0).collect(), ink.iter().map(|p| p.1).collect());
            let (x, y) = (middle(x), middle(y));
            // Along the line the library leaves out the space before the first letter.
            let (across, along) =
                if style.upwards { (x - 50.0, y - 30.0) } else { (y - 30.0, x - 50.0) };
            assert!(across.abs() <= 1.0 && along.abs() <= 4.0, "at {x}, {y}");
        }
    }

    #[test]
    fn a_band_is_an_even_tint() {
        let edges = [(10.0, 50.0, 10.0), (45.0, 50.0, 10.0), (90.0, 50.0, 10.0)];
        let at = picture(|canvas| canvas.band(&edges, RGBColor(0, 114, 178)));
        let tint = at(20, 30);
        assert!(tint != [255, 255, 255] && (11..89).all(|x| at(x, 30) == tint));
        assert_eq!(at(50, 5), [255, 255, 255]);
    }

    #[test]
    fn shapes_beyond_the_picture_are_cut() {
        let stroke = Stroke { color: INK, width: 3.0, dashed: true };
        let at = picture(|canvas| {
            canvas.line(&[(-500.0, 30.0), (900.0, 30.0)], stroke)?;
            canvas.marker(Marker::Triangle, (-3.0, -3.0), 9.0, INK)?;
            canvas.text("far away", (95.0, 58.0), Style::new(40.0, INK, Anchor::Left))
        });
        assert_eq!(at(50, 10), [255, 255, 255]);
    }
}
