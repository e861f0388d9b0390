//! Categories as people write them: `数码/耳机`, `Clothing > Coats`.

/// Stands for a slash in the name of a level, because the slash separates the levels.
pub(crate) const SLASH_IN_NAME: char = '／';

/// The path with levels separated by `/`. `>` separates levels as well; `\/` is a slash in a name. With
/// `has_slashes_in_names`, every slash is one.
pub(super) fn category_path(cell: &str, has_slashes_in_names: bool) -> String {
    let name = SLASH_IN_NAME.to_string();
    let escaped = cell.replace("\\/", &name);
    let escaped = if has_slashes_in_names { escaped.replace('/', &name) } else { escaped };
    let levels: Vec<&str> = escaped.split(['/', '>', '＞']).map(str::trim).collect();
    levels.join("/")
}

/// The categories of a cell, separated by commas; `\,` is a comma in a name.
pub(super) fn category_paths(cell: &str) -> Vec<String> {
    let escaped = cell.replace("\\,", "\u{0}");
    let paths = escaped.split(',').map(|path| path.replace('\u{0}', ","));
    let paths = paths.map(|path| category_path(&path, true));
    paths.filter(|path| !path.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{category_path, category_paths};

    #[test]
    fn levels_are_separated_by_slashes_and_angles() {
        for (cell, path) in [
            ("数码/影音\\/娱乐", "数码/影音／娱乐"),
            ("a > b > c", "a/b/c"),
            ("数码>电脑外设/鼠标", "数码/电脑外设/鼠标"),
        ] {
            assert_eq!(category_path(cell, false), path);
        }
        assert_eq!(category_path("Food > Tea/Coffee", true), "Food/Tea／Coffee");
        assert_eq!(category_paths("Clothing > Coats, Sale"), ["Clothing/Coats", "Sale"]);
        assert_eq!(category_paths("Home\\, Garden > Tools"), ["Home, Garden/Tools"]);
    }
}
