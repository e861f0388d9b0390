//! Text in the languages of the shop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A text in Chinese, in English, or in both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Localized {
    /// Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Localized {
    /// What to show where only one language has room: Chinese first, as the shop's customers read it.
    pub fn preferred(&self) -> &str {
        self.zh.as_deref().or(self.en.as_deref()).unwrap_or_default()
    }

    /// Whether no language has any text.
    pub fn is_empty(&self) -> bool {
        [&self.zh, &self.en].into_iter().flatten().all(|text| text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Localized;

    #[test]
    fn chinese_is_preferred_and_english_stands_in() {
        let both = Localized { zh: Some("键盘".into()), en: Some("keyboard".into()) };
        let english = Localized { zh: None, en: Some("keyboard".into()) };
        assert_eq!((both.preferred(), english.preferred()), ("键盘", "keyboard"));
        assert!(Localized { zh: Some(" ".into()), en: None }.is_empty());
    }
}
