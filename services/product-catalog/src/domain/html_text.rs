//! Plain text of descriptions in HTML, as other shops export them.

use html_escape::decode_html_entities;

/// Elements that begin a paragraph.
const PARAGRAPHS: [&str; 26] = [
    "address",
    "article",
    "blockquote",
    "body",
    "center",
    "div",
    "dl",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
];
/// Elements that begin a line.
const LINES: [&str; 10] =
    ["br", "caption", "dd", "dt", "figcaption", "li", "option", "tr", "ul", "legend"];
/// Elements within a line.
const INLINE: [&str; 46] = [
    "a", "abbr", "area", "b", "big", "button", "cite", "code", "col", "colgroup", "del", "em",
    "embed", "font", "i", "iframe", "img", "input", "ins", "kbd", "label", "link", "map", "mark",
    "meta", "object", "param", "picture", "q", "s", "small", "source", "span", "strike", "strong",
    "sub", "sup", "tbody", "td", "tfoot", "th", "thead", "time", "u", "video", "wbr",
];
/// Elements whose content is no text.
const DROPPED: [&str; 5] = ["head", "noscript", "script", "style", "title"];

/// The text of `source` without markup, with its paragraphs. A text without HTML is returned unchanged.
pub(crate) fn plain_text(source: &str) -> String {
    if !source.contains(['<', '&']) {
        return source.to_owned();
    }
    let has_tags = source.match_indices('<').any(|(at, _)| tag_at(&source[at..]).is_some());
    if !has_tags {
        return decode_html_entities(source).replace('\u{a0}', " ");
    }
    let (mut text, mut rest) = (Text::default(), source);
    while let Some(at) = rest.find('<') {
        let after = &rest[at..];
        let Some(tag) = tag_at(after) else {
            // A less-than sign.
            text.push(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        text.push(&rest[..at]);
        rest = &after[tag.length..];
        if PARAGRAPHS.contains(&tag.name.as_str()) {
            text.end_line(2);
        } else if LINES.contains(&tag.name.as_str()) {
            text.end_line(1);
        } else if ["td", "th"].contains(&tag.name.as_str()) {
            text.push(" ");
        } else if DROPPED.contains(&tag.name.as_str()) && !tag.is_closing {
            rest = after_element(rest, &tag.name);
        }
    }
    text.push(rest);
    text.finished
}

/// A tag or a comment.
struct Tag {
    /// In lower case; empty for a comment.
    name: String,
    is_closing: bool,
    /// In bytes.
    length: usize,
}

/// The tag at the start of `text`; none if it is a less-than sign.
fn tag_at(text: &str) -> Option<Tag> {
    if let Some(comment) = text.strip_prefix("<!--") {
        let length = comment.find("-->").map_or(text.len(), |at| at + "<!---->".len());
        return Some(Tag { name: String::new(), is_closing: false, length });
    }
    let inner = text.strip_prefix('<')?;
    let closing = inner.strip_prefix('/');
    let name: String = closing
        .unwrap_or(inner)
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_known = [&PARAGRAPHS[..], &LINES, &INLINE, &DROPPED].concat().contains(&name.as_str());
    let after = &closing.unwrap_or(inner)[name.len()..];
    if !is_known || !after.starts_with(['>', '/', ' ', '\n', '\r', '\t']) {
        return None;
    }
    // A quoted value may contain a greater-than sign.
    let mut quote = None;
    let end = after.char_indices().find(|(_, c)| {
        match quote {
            Some(mark) if *c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(*c),
            None => return *c == '>',
        }
        false
    });
    // A quotation mark that is never closed does not hide the rest of the text.
    let end = end.map(|(at, _)| at).or_else(|| after.find('>'))?;
    let length = text.len() - after.len() + end + 1;
    Some(Tag { name, is_closing: closing.is_some(), length })
}

/// The text after the end of an element.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let ends = text.match_indices("</").find_map(|(at, _)| {
        let tag = tag_at(&text[at..])?;
        (tag.name == name && tag.is_closing).then_some(at + tag.length)
    });
    ends.map_or("", |end| &text[end..])
}

/// Text whose white space is collapsed.
#[derive(Default)]
struct Text {
    finished: String,
    /// The number of line ends before the next word.
    line_ends: usize,
    needs_blank: bool,
}

impl Text {
    fn push(&mut self, encoded: &str) {
        let decoded = decode_html_entities(encoded);
        for (number, block) in decoded.replace("\r\n", "\n").split("\n\n").enumerate() {
            // Some programs write blank lines instead of paragraphs.
            if number > 0 {
                self.end_line(2);
            }
            let starts_blank = block.starts_with(char::is_whitespace);
            self.needs_blank |= starts_blank;
            for word in block.split_whitespace() {
                self.start_word();
                self.finished.push_str(word);
                self.needs_blank = true;
            }
            let ends_blank = block.ends_with(char::is_whitespace);
            self.needs_blank = ends_blank || (self.needs_blank && block.trim().is_empty());
        }
    }

    fn start_word(&mut self) {
        if !self.finished.is_empty() {
            if self.line_ends > 0 {
                self.finished.extend(std::iter::repeat_n('\n', self.line_ends));
            } else if self.needs_blank {
                self.finished.push(' ');
            }
        }
        (self.line_ends, self.needs_blank) = (0, false);
    }

    fn end_line(&mut self, line_ends: usize) {
        self.line_ends = self.line_ends.max(line_ends);
    }
}

#[cfg(test)]
mod tests {
    use super::plain_text;

    #[test]
    fn html_becomes_text_with_paragraphs() {
        for (html, text) in [
            ("<p>Soft <strong>cotton</strong></p>", "Soft cotton"),
            ("<p>Washed linen.<br>Machine wash 30&deg;</p>", "Washed linen.\nMachine wash 30°"),
            ("<ul><li>27\" panel</li><li>USB-C &amp; HDMI</li></ul>", "27\" panel\nUSB-C & HDMI"),
            ("<p>90&nbsp;% down</p>", "90 % down"),
            ("<p class=\"a>b\">One</p>\n<p>Two\nlines</p>", "One\n\nTwo lines"),
            ("<style>p{}</style><script>if (a<b) {}</script>x<!-- <p> -->y", "xy"),
            ("<DIV>护手霜</DIV><div>滋润</div>", "护手霜\n\n滋润"),
            ("a <b>b</b>, c", "a b, c"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ] {
            assert_eq!(plain_text(html), text, "{html}");
        }
    }

    #[test]
    fn text_without_html_is_unchanged() {
        for text in ["a < b, c > d", "<3 <x> <pre-sale>", "R&D\n\n  indented", "", "5 <", "<p"] {
            assert_eq!(plain_text(text), text);
        }
        assert_eq!(plain_text("Fish &amp; chips\n1 &lt; 2"), "Fish & chips\n1 < 2");
    }
}
