//! The tree of categories, as the products make it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A category with what stands below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CategoryNode {
    /// The last level of its path.
    pub(crate) name: String,
    /// The whole path, as the filter `category` takes it.
    pub(crate) path: String,
    /// How many active products stand in it and below it.
    pub(crate) count: i64,
    /// The categories one level further down, by name.
    #[schema(no_recursion)]
    pub(crate) children: Vec<CategoryNode>,
}

#[derive(Default)]
struct Branch {
    count: i64,
    below: BTreeMap<String, Branch>,
}

/// The tree of all categories with their numbers of products, by name.
pub(crate) fn tree(counts: impl IntoIterator<Item = (String, i64)>) -> Vec<CategoryNode> {
    let mut root = Branch::default();
    for (path, count) in counts {
        let mut branch = &mut root;
        for level in path.split('/') {
            branch = branch.below.entry(level.to_owned()).or_default();
            branch.count += count;
        }
    }
    nodes("", root.below)
}

fn nodes(above: &str, branches: BTreeMap<String, Branch>) -> Vec<CategoryNode> {
    let node = |(name, branch): (String, Branch)| {
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        let children = nodes(&path, branch.below);
        CategoryNode { name, path, count: branch.count, children }
    };
    branches.into_iter().map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::{CategoryNode, tree};

    #[test]
    fn a_category_counts_what_is_below_it() {
        let counts = [("a/b/c", 2), ("a/b", 1), ("a/d", 4), ("e", 8)];
        let leaf = |path: &str, count| CategoryNode {
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            count,
            children: Vec::new(),
        };
        let b = CategoryNode { children: vec![leaf("a/b/c", 2)], ..leaf("a/b", 3) };
        let a = CategoryNode { children: vec![b, leaf("a/d", 4)], ..leaf("a", 7) };
        assert_eq!(tree(counts.map(|(path, count)| (path.to_owned(), count))), [a, leaf("e", 8)]);
    }
}
