//! The category tree, derived from the categories of products.

use std::collections::BTreeMap;

/// A category with its subcategories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CategoryNode {
    /// The last level of the path.
    pub(crate) name: String,
    /// The whole path, levels separated by `/`.
    pub(crate) path: String,
    /// The number of active products in it and below it.
    pub(crate) count: i64,
    /// Sorted by name.
    pub(crate) children: Vec<CategoryNode>,
}

#[derive(Default)]
struct Branch {
    count: i64,
    children: BTreeMap<String, Branch>,
}

/// Builds the tree of all categories, sorted by name, from the number of products per category.
pub(crate) fn category_tree(counts: impl IntoIterator<Item = (String, i64)>) -> Vec<CategoryNode> {
    let mut root = Branch::default();
    for (path, count) in counts {
        let mut branch = &mut root;
        for level in path.split('/') {
            branch = branch.children.entry(level.to_owned()).or_default();
            branch.count += count;
        }
    }
    nodes("", root.children)
}

fn nodes(parent: &str, branches: BTreeMap<String, Branch>) -> Vec<CategoryNode> {
    let node = |(name, branch): (String, Branch)| {
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}/{name}") };
        let children = nodes(&path, branch.children);
        CategoryNode { name, path, count: branch.count, children }
    };
    branches.into_iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::{CategoryNode, category_tree};

    #[test]
    fn category_counts_include_subcategories() {
        let counts = [("a/b/c", 2), ("a/b", 1), ("a/d", 4), ("e", 8)];
        let leaf = |path: &str, count| CategoryNode {
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            count,
            children: Vec::new(),
        };
        let b = CategoryNode { children: vec![leaf("a/b/c", 2)], ..leaf("a/b", 3) };
        let a = CategoryNode { children: vec![b, leaf("a/d", 4)], ..leaf("a", 7) };
        assert_eq!(
            category_tree(counts.map(|(path, count)| (path.to_owned(), count))),
            [a, leaf("e", 8)]
        );
    }
}
