//! Several pictures in one cell.

/// The URLs in a cell, separated by blanks, commas, semicolons or `|`. A comma or semicolon within a URL
/// belongs to it.
pub(super) fn image_urls(cell: &str) -> Vec<String> {
    let parts = cell.split(|c: char| c.is_whitespace() || c == '|');
    parts.flat_map(split_part).filter(|url| !url.is_empty()).collect()
}

/// Divides a text without blanks where a URL follows a comma or semicolon.
fn split_part(part: &str) -> Vec<String> {
    let (mut urls, mut rest) = (Vec::new(), part);
    let separators = [',', ';', '，', '；'];
    let is_start = |text: &str| {
        let text = text.trim_start_matches(separators).to_ascii_lowercase();
        text.is_empty() || text.starts_with("http://") || text.starts_with("https://")
    };
    while let Some(at) =
        rest.match_indices(separators).map(|(at, _)| at).find(|at| is_start(&rest[*at..]))
    {
        urls.push(rest[..at].to_owned());
        rest = rest[at..].trim_start_matches(separators);
    }
    urls.push(rest.to_owned());
    urls
}

#[cfg(test)]
mod tests {
    use super::image_urls;

    #[test]
    fn pictures_are_separated_by_several_marks() {
        for cell in [
            "http://a/1.jpg http://a/2,3.jpg",
            "http://a/1.jpg, http://a/2,3.jpg,",
            "http://a/1.jpg;http://a/2,3.jpg",
            "http://a/1.jpg|http://a/2,3.jpg\n",
            "http://a/1.jpg，http://a/2,3.jpg",
        ] {
            assert_eq!(image_urls(cell), ["http://a/1.jpg", "http://a/2,3.jpg"], "{cell}");
        }
        assert_eq!(image_urls(" "), [""; 0]);
        assert_eq!(image_urls("a.jpg,b.jpg"), ["a.jpg,b.jpg"]);
    }
}
