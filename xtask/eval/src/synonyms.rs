//! The synonyms that a new shop begins with.

use std::fs;

use search_sync::{
    domain::{HeldSetting, Setting, SettingsHistory, Synonym},
    index::SearchSettings,
};
use serde::Deserialize;
use vocabulary::Version;
use xtask::workspace;

use crate::error::Error;

/// The migration that adds them.
const MIGRATION: &str = "migrations/product-catalog/20261129000042_seed_synonyms.sql";

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    TwoWay(Vec<String>),
    OneWay { from: Vec<String>, to: Vec<String> },
}

/// Reads the synonyms from the migration of product-catalog, so that the figures are those of a new shop.
pub fn seeded() -> Result<SearchSettings, Error> {
    let path = workspace::root().join(MIGRATION);
    let sql = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let list = sql.split_once("'[").and_then(|(_, rest)| rest.split_once("]'"));
    let json = list.map_or_else(String::new, |(list, _)| format!("[{}]", list.replace("''", "'")));
    let entries: Vec<Entry> = serde_json::from_str(&json).map_err(|error| {
        let line = error.line();
        Error::Line { path, line, reason: error.to_string() }
    })?;
    let synonyms = entries
        .into_iter()
        .map(|entry| match entry {
            Entry::TwoWay(words) => Synonym::TwoWay(words),
            Entry::OneWay { from, to } => Synonym::OneWay { from, to },
        })
        .collect();
    let setting = Setting::Synonyms(synonyms);
    let held = HeldSetting { version: Version::FIRST, setting, since: 1, until: None };
    Ok(SearchSettings::new(SettingsHistory { revision: 1, settings: vec![held] }))
}
