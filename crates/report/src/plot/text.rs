//! The font: measuring, wrapping and shortening text.

use std::sync::Once;

use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

const FAMILY: &str = "DejaVu Sans";
static DEJAVU_SANS: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Height of a capital letter in DejaVu Sans, in sizes: 1493 of 1901 + 483 font units.
pub const CAPITAL: f64 = 0.626;
/// Distance between the lines of a paragraph, in sizes.
pub const LEADING: f64 = 1.18;

/// Longest text that is laid out; what is behind it is left out.
const MAX_CHARS: usize = 2000;

/// The font with lines of text `size` pixels high.
pub fn font(size: f64) -> FontDesc<'static> {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        let registered = register_font(FAMILY, FontStyle::Normal, DEJAVU_SANS);
        assert!(registered.is_ok(), "the font of this crate is damaged");
    });
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal)
}

/// Width of a line of text in pixels.
pub fn width(text: &str, size: f64) -> f64 {
    // The layout is in whole pixels: measured large, it is exact to a part of one.
    const ZOOM: f64 = 16.0;
    let layout = font(size * ZOOM).layout_box(text);
    layout.map_or(0.0, |((left, _), (right, _))| f64::from(right - left) / ZOOM)
}

/// Lines of text and their size.
#[derive(Clone, Debug, PartialEq)]
pub struct Paragraph {
    pub size: f64,
    pub lines: Vec<String>,
}

impl Paragraph {
    /// Breaks a text into lines, the size shrunk by up to a third before there are more than three
    /// of them, and shortened behind the eighth.
    pub fn fit(text: &str, size: f64, width: f64) -> Self {
        let text = clean(text);
        let mut paragraph = Self { size, lines: wrap(&text, size, width) };
        for step in 1..=3 {
            if paragraph.lines.len() <= 3 {
                break;
            }
            let size = size * f64::from(9 - step) / 9.0;
            paragraph = Self { size, lines: wrap(&text, size, width) };
        }
        if paragraph.lines.len() > 8 {
            let rest = paragraph.lines.split_off(7).join(" ");
            paragraph.lines.push(shorten(&rest, paragraph.size, width));
        }
        paragraph
    }

    /// Height of all lines in pixels.
    pub fn height(&self) -> f64 {
        self.lines.len() as f64 * self.size * LEADING
    }
}

/// Tabs and control characters as spaces, at most `MAX_CHARS` of them; line feeds are kept.
fn clean(text: &str) -> String {
    let printable = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.trim().chars().take(MAX_CHARS).map(printable).collect()
}

/// Lines no wider than `limit`, broken between words or, where a word is wider, within it.
fn wrap(text: &str, size: f64, limit: f64) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.lines() {
        let mut line = String::new();
        for word in part.split_whitespace() {
            let longer = if line.is_empty() { word.to_string() } else { format!("{line} {word}") };
            if width(&longer, size) <= limit {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = break_word(word, size, limit, &mut lines);
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

/// Pushes the full lines of a word and returns what is left of it.
fn break_word(word: &str, size: f64, limit: f64, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for c in word.chars() {
        line.push(c);
        if width(&line, size) > limit && line.chars().count() > 1 {
            line.pop();
            lines.push(std::mem::replace(&mut line, c.to_string()));
        }
    }
    line
}

/// The text on at most `most` lines broken between words; `None` if it does not fit.
pub fn wrap_whole_words(text: &str, size: f64, limit: f64, most: usize) -> Option<Vec<String>> {
    let text = clean(text);
    let fits = text.split_whitespace().all(|word| width(word, size) <= limit);
    let lines = if fits {
        wrap(&text, size, limit)
    } else {
        return None;
    };
    (lines.len() <= most).then_some(lines)
}

/// The text on one line, its end replaced by "…" if it is wider than `limit`.
pub fn shorten(text: &str, size: f64, limit: f64) -> String {
    let text = clean(text).replace('\n', " ");
    if width(&text, size) <= limit {
        return text;
    }
    let chars: Vec<char> = text.chars().collect();
    let start =
        |count: usize| chars[..count].iter().collect::<String>().trim_end().to_string() + "…";
    // Bisection: the first `short` characters fit, the first `long` do not.
    let (mut short, mut long) = (0, chars.len());
    while long - short > 1 {
        let middle = (short + long) / 2;
        if width(&start(middle), size) <= limit { short = middle } else { long = middle }
    }
    start(short)
}

/// The largest size of at most `size` at which all texts are no wider than `limit`, and not below
/// `least`.
pub fn shrink<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    size: f64,
    least: f64,
    limit: f64,
) -> f64 {
    let widest = texts.into_iter().map(|text| width(text, size)).fold(0.0, f64::max);
    if widest <= limit { size } else { (size * limit / widest).max(least) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_as_wide_as_the_font_file_says() {
        // DejaVu Sans: a digit advances 1303 units; the size of a line is 1901 + 483 units.
        assert!((width("0", 30.0) - 30.0 * 1303.0 / 2384.0).abs() < 0.1);
    }

    #[test]
    fn every_line_of_a_paragraph_fits_and_no_word_is_lost() {
        let text = "How much does pre-training help a small network? ".repeat(4);
        let paragraph = Paragraph::fit(&text, 36.0, 700.0);
        assert!(paragraph.lines.iter().all(|line| width(line, paragraph.size) <= 700.0));
        assert_eq!(paragraph.lines.join(" "), text.trim());
    }

    #[test]
    fn a_long_text_shrinks_then_wraps_then_ends_in_an_ellipsis() {
        let at = |words: usize| Paragraph::fit(&"word ".repeat(words), 36.0, 700.0);
        assert_eq!((at(5).size, at(5).lines.len()), (36.0, 1));
        assert!(at(30).size < 36.0 && at(30).lines.len() <= 3);
        assert_eq!((at(500).size, at(500).lines.len()), (24.0, 8));
        assert!(at(500).lines[7].ends_with('…'));
    }

    #[test]
    fn a_word_wider_than_the_line_is_broken() {
        let paragraph = Paragraph::fit(&"m".repeat(40), 30.0, 400.0);
        assert!(paragraph.lines.len() > 1);
        assert_eq!(paragraph.lines.concat(), "m".repeat(40));
    }

    #[test]
    fn a_shortened_text_fits_and_keeps_its_start() {
        let short = shorten("a rather long label", 30.0, 150.0);
        assert!(short.starts_with("a ra") && short.ends_with('…'), "{short}");
        assert!(width(&short, 30.0) <= 150.0);
        assert_eq!(shorten("label", 30.0, 150.0), "label");
    }

    #[test]
    fn class_names_break_between_words_only() {
        let lines = wrap_whole_words("Ankle boot", 26.0, 110.0, 2);
        assert_eq!(lines, Some(vec!["Ankle".to_string(), "boot".to_string()]));
        assert_eq!(wrap_whole_words("Unbreakable", 26.0, 60.0, 2), None);
    }

    #[test]
    fn hostile_text_is_laid_out_without_a_panic() {
        for text in
            ["", " ", "\n\n", "\0\u{7f}\t", "\u{202e}\u{1f9f5}\u{0301}", &"x".repeat(99_999)]
        {
            for limit in [0.0, 1.0, 500.0] {
                Paragraph::fit(text, 30.0, limit);
                shorten(text, 30.0, limit);
                wrap_whole_words(text, 30.0, limit, 2);
            }
        }
    }
}
