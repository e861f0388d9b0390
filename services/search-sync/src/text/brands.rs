//! The other names of brands: 雷蛇 is Razer.

use std::{collections::HashMap, sync::LazyLock};

use super::folding::fold;

/// The longest name, in words of a query.
pub(crate) const NAME_WORDS_MAX: usize = 3;

/// The names of each brand by the letters and digits of any of them.
static BRANDS: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
    let mut brands: HashMap<String, Vec<String>> = HashMap::new();
    for line in include_str!("brands.txt").lines().filter(|line| !line.starts_with('#')) {
        let names: Vec<String> = line.split('=').map(|name| fold(name.trim())).collect();
        for name in &names {
            brands.entry(collapse(name)).or_default().extend(names.iter().cloned());
        }
    }
    brands
});

fn collapse(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The other names of a brand; empty for any other text.
pub(crate) fn other_names(name: &str) -> Vec<&'static str> {
    let name = collapse(name);
    let names = BRANDS.get(&name).into_iter().flatten().map(String::as_str);
    names.filter(|other| collapse(other) != name).collect()
}

#[cfg(test)]
mod tests {
    use super::other_names;

    #[test]
    fn a_brand_has_several_names() {
        assert_eq!(other_names("雷蛇"), ["razer"]);
        assert_eq!(other_names("redbull"), ["红牛"]);
        assert_eq!(other_names("red bull"), ["红牛"]);
        assert!(other_names("键盘").is_empty() && other_names("").is_empty());
    }
}
