//! The comments between which a block stands.

use std::ops::Range;

/// Where the next comment that opens a block is, up to and with `study:`, outside of code fences. A fence can open in
/// the first line if that is a whole one.
pub(super) fn open(text: &str, is_whole: bool) -> Option<Range<usize>> {
    let (mut fence, mut at) = (None::<&str>, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match fence {
            Some(open) if closes(line, open) => fence = None,
            Some(_) => {}
            None if number > 0 || is_whole => fence = opens(line),
            None => {}
        }
        // A comment may go on in the next line: what follows decides.
        let found = line.match_indices("<!--").find_map(|(start, _)| study(text, at + start));
        if fence.is_none() && found.is_some() {
            return found;
        }
        at += line.len();
    }
    None
}

/// Where the comment that ends a block is.
pub(super) fn end(text: &str) -> Option<Range<usize>> {
    text.match_indices("<!--").find_map(|(start, mark)| {
        let rest = text[start + mark.len()..].trim_start().strip_prefix("end")?;
        let rest = rest.trim_start().strip_prefix("-->")?;
        Some(start..text.len() - rest.len())
    })
}

fn study(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text[start + "<!--".len()..].trim_start().strip_prefix("study:")?;
    Some(start..text.len() - rest.len())
}

/// The characters that open a code fence: three or more `` ` `` or `~`, as CommonMark has it.
fn opens(line: &str) -> Option<&str> {
    let line = line.trim();
    let first = line.chars().next().filter(|c| "`~".contains(*c))?;
    let (fence, rest) = line.split_at(line.len() - line.trim_start_matches(first).len());
    (fence.len() >= 3 && !(first == '`' && rest.contains('`'))).then_some(fence)
}

fn closes(line: &str, open: &str) -> bool {
    let line = line.trim();
    line.starts_with(open) && line.chars().all(|c| open.starts_with(c))
}
