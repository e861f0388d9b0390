use std::time::Instant;

use axum::extract::State;
use problem::{Fields, Json, Problem, Query};
use runtime::clock;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::ProductId;

use super::query_params::{ParamValues, read_params};
use crate::{
    app::search_pool::{SearchPool, SearchPoolError},
    index::{self, LiveSettings, SUGGESTIONS_MAX},
};

/// The default number of suggestions.
const LIMIT_DEFAULT: usize = 8;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuggestParams {
    /// The typed prefix; its first 256 characters count.
    #[param(value_type = String, required = true)]
    q: ParamValues,
    /// The number of suggestions: 0 to 20, default 8.
    #[param(minimum = 0, maximum = 20, value_type = Option<u16>)]
    limit: ParamValues,
}

/// Suggestions for a prefix.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suggestions {
    /// Brands and categories first, then products.
    items: Vec<Suggestion>,
    /// The duration in milliseconds.
    took_ms: f64,
}

/// One suggestion.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suggestion {
    /// The text to show, or to search for.
    text: String,
    kind: SuggestionKind,
    /// Present for products.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<ProductId>,
}

/// What a suggestion names.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SuggestionKind {
    Brand,
    /// The path of a category.
    Category,
    /// The title of a product.
    Product,
}

/// Get suggestions while typing
///
/// Suggests names whose words start with the prefix, in Chinese, Latin letters or pinyin.
#[utoipa::path(
    get, path = "/v1/suggest", tag = "search",
    params(SuggestParams),
    responses((status = 200, body = Suggestions))
)]
pub(crate) async fn get_suggestions(
    State(settings): State<LiveSettings>,
    State(pool): State<SearchPool>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Suggestions>, Problem> {
    let (prefix, limit) = read_params::<SuggestParams>(pairs)?.check()?;
    let started = Instant::now();
    let settings = settings.settings().ok_or(SearchPoolError::NoIndex)?;
    let suggest =
        pool.run(move |index| index.suggest_with(&prefix, limit, &settings, clock::now()));
    let found = suggest.await?;
    let took = started.elapsed();
    metrics::histogram!("suggest_duration_seconds").record(took);
    let items = found.into_iter().map(Suggestion::from).collect();
    Ok(Json(Suggestions { items, took_ms: took.as_secs_f64() * 1000.0 }))
}

impl SuggestParams {
    fn check(self) -> Result<(String, usize), Problem> {
        let mut fields = Fields::new();
        let prefix = self.q.cut(&mut fields, "q");
        let limit = self.limit.limit(&mut fields, LIMIT_DEFAULT, SUGGESTIONS_MAX);
        let prefix = fields.require("q", prefix);
        fields.finish_with(|| Some((prefix?, limit)))
    }
}

impl From<index::Suggestion> for Suggestion {
    fn from(suggestion: index::Suggestion) -> Self {
        let index::Suggestion { text, kind, product_id } = suggestion;
        let kind = match kind {
            index::SuggestionKind::Brand => SuggestionKind::Brand,
            index::SuggestionKind::Category => SuggestionKind::Category,
            index::SuggestionKind::Product => SuggestionKind::Product,
        };
        Self { text, kind, product_id: product_id.map(ProductId::from) }
    }
}

#[cfg(test)]
mod tests {
    use problem::Problem;

    use super::{SuggestParams, read_params};

    #[test]
    fn a_prefix_and_a_limit_are_read() {
        let read = |pairs: &[(&str, &str)]| -> Result<(String, usize), Problem> {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            read_params::<SuggestParams>(pairs)?.check()
        };
        assert_eq!(read(&[("q", "jian")]).unwrap(), ("jian".to_owned(), 8));
        assert_eq!(read(&[("q", ""), ("limit", "3")]).unwrap(), (String::new(), 3));
        assert_eq!(read(&[]).unwrap_err().code(), "validation_failed");
        assert_eq!(read(&[("q", "a"), ("limit", "21")]).unwrap_err().code(), "validation_failed");
        assert_eq!(read(&[("q", "a"), ("sort", "newest")]).unwrap_err().code(), "invalid_query");
    }
}
