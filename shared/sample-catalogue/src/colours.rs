//! The colours that many kinds share.

use std::{collections::BTreeMap, sync::LazyLock};

use crate::product::Bilingual;

/// The colours by their part of the SKU.
static COLOURS: LazyLock<BTreeMap<String, Bilingual>> = LazyLock::new(|| {
    let colours = serde_json::from_str(include_str!("../data/colours.json"));
    colours.expect("a test reads every data file")
});

pub(crate) fn colour(code: &str) -> Option<Bilingual> {
    COLOURS.get(code).cloned()
}
