//! Text in the languages of the shop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A text in Chinese, English or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Localized {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Localized {
    /// The text to show if there is room for one language only: Chinese if present, else English.
    pub fn preferred(&self) -> &str {
        self.zh.as_deref().or(self.en.as_deref()).unwrap_or_default()
    }

    /// Whether both languages are missing or blank.
    pub fn is_empty(&self) -> bool {
        [&self.zh, &self.en].into_iter().flatten().all(|text| text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::Localized;

    #[test]
    fn chinese_is_preferred_and_english_is_the_fallback() {
        let both = Localized { zh: Some("键盘".into()), en: Some("keyboard".into()) };
        let english = Localized { zh: None, en: Some("keyboard".into()) };
        assert_eq!((both.preferred(), english.preferred()), ("键盘", "keyboard"));
        assert!(Localized { zh: Some(" ".into()), en: None }.is_empty());
    }
}
