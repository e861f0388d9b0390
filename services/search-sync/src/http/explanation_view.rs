//! Why a hit stands where it stands.

use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::RuleId;

use crate::{
    domain::RuleEffect,
    index::{AppliedRule, Explanation, MatchLevel, MatchedBy, WordMatch},
};

/// Why a hit stands where it stands.
///
/// Hits are ordered by `level`, then those of the wanted category come first, then by `score`. A pinned hit stands
/// at its position.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationView {
    level: MatchLevelView,
    /// Whether it is of the category that `q` names; absent if `q` names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_category: Option<bool>,
    /// The words of `q`.
    words: Vec<WordMatchView>,
    /// The product of `factors`.
    score: f32,
    factors: FactorsView,
    /// The merchandising rules that moved it.
    rules: Vec<AppliedRuleView>,
}

/// How strictly a hit matches `q`.
///
/// - `browse`: `q` is blank.
/// - `exact`: every word as typed, by a synonym or by another name of a brand.
/// - `corrected`: every word, some of them corrected or completed.
/// - `apart`: every word, of some only the parts in different places.
/// - `half_of_words`, `any_word`: so many of the words.
/// - `pinned`: none; a rule for `q` puts it here.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MatchLevel)]
enum MatchLevelView {
    Browse,
    Exact,
    Corrected,
    Apart,
    HalfOfWords,
    AnyWord,
    Pinned,
}

/// How a hit contains a word of `q`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WordMatch)]
struct WordMatchView {
    /// The word in the form in which texts are compared.
    word: String,
    /// Null if the hit does not contain the word.
    by: Option<MatchedByView>,
    /// What the title contains; absent if the match is in another text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// What a word is matched by. `completed`: the word is the beginning of another one; `pinyin`: pinyin or a
/// homophone; `parts`: its parts in different places.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MatchedBy)]
enum MatchedByView {
    Typed,
    Synonym,
    BrandName,
    Completed,
    Corrected,
    Pinyin,
    Parts,
}

/// What a score is the product of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScoreFactors)]
struct FactorsView {
    /// The score of the text.
    text: f32,
    /// Above 1 for a product of the wanted category, where that is not sure enough to put it first.
    category: f32,
    /// 1 or more.
    popularity: f32,
    /// Below 1 for a product that is out of stock.
    stock: f32,
    /// The product of the factors of `boost` and `bury`.
    rules: f32,
}

/// A merchandising rule that moved a hit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppliedRule)]
struct AppliedRuleView {
    rule_id: RuleId,
    action: AppliedAction,
    /// For `pin`: the position that the rules give it, from 1; with fewer hits it stands further up.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    /// For `boost` and `bury`.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
}

/// What a rule did with a hit.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AppliedAction {
    Pin,
    Boost,
    Bury,
    Hide,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        let Explanation { level, wanted_category, words, score, .. } = explanation;
        let Explanation { text, category, popularity, stock, rules, applied_rules, .. } =
            explanation;
        Self {
            level: level.into(),
            wanted_category,
            words: words.into_iter().map(WordMatchView::from).collect(),
            score,
            factors: FactorsView { text, category, popularity, stock, rules },
            rules: applied_rules.into_iter().map(AppliedRuleView::from).collect(),
        }
    }
}

impl From<MatchLevel> for MatchLevelView {
    fn from(level: MatchLevel) -> Self {
        match level {
            MatchLevel::Browse => Self::Browse,
            MatchLevel::Exact => Self::Exact,
            MatchLevel::Corrected => Self::Corrected,
            MatchLevel::Apart => Self::Apart,
            MatchLevel::HalfOfWords => Self::HalfOfWords,
            MatchLevel::AnyWord => Self::AnyWord,
            MatchLevel::Pinned => Self::Pinned,
        }
    }
}

impl From<WordMatch> for WordMatchView {
    fn from(word: WordMatch) -> Self {
        let by = |by| match by {
            MatchedBy::Typed => MatchedByView::Typed,
            MatchedBy::Synonym => MatchedByView::Synonym,
            MatchedBy::BrandName => MatchedByView::BrandName,
            MatchedBy::Completed => MatchedByView::Completed,
            MatchedBy::Corrected => MatchedByView::Corrected,
            MatchedBy::Pinyin => MatchedByView::Pinyin,
            MatchedBy::Parts => MatchedByView::Parts,
        };
        Self { word: word.word, by: word.by.map(by), text: word.text }
    }
}

impl From<AppliedRule> for AppliedRuleView {
    fn from(rule: AppliedRule) -> Self {
        let (action, position, factor) = match rule.effect {
            RuleEffect::Pin { position } => (AppliedAction::Pin, Some(position), None),
            RuleEffect::Boost { factor } => (AppliedAction::Boost, None, Some(factor)),
            RuleEffect::Bury { factor } => (AppliedAction::Bury, None, Some(factor)),
            RuleEffect::Hide => (AppliedAction::Hide, None, None),
        };
        Self { rule_id: rule.rule_id.into(), action, position, factor }
    }
}
