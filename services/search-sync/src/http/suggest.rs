use std::time::Instant;

use axum::extract::State;
use problem::{Json, Problem, Query};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::ProductId;

use super::{parameters::parse_prefix, searching::Searching};
use crate::index::{self, SUGGESTIONS_MAX};

/// How many suggestions there are unless the request says otherwise.
const LIMIT: usize = 8;

/// Completions of what is being typed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SuggestAnswer {
    /// Brands and categories first, then products.
    items: Vec<Suggestion>,
    /// How long it took, in milliseconds.
    took_ms: f64,
}

/// One completion.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Suggestion {
    /// What to show, and to search for.
    text: String,
    /// What it is.
    kind: SuggestionKind,
    /// Which product, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    product_id: Option<ProductId>,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SuggestionKind {
    /// A brand.
    Brand,
    /// The path of a category.
    Category,
    /// The title of a product.
    Product,
}

/// Suggestions while typing.
///
/// What begins so, or has words that begin so, in Chinese, Latin letters or pinyin.
#[utoipa::path(
    get, path = "/v1/suggest", tag = "search",
    params(
        ("q" = String, Query, description = "What was typed so far: up to 256 characters"),
        ("limit" = Option<u16>, Query, description = "How many: 0 to 20, 8 unless said"),
    ),
    responses((status = 200, body = SuggestAnswer))
)]
pub(super) async fn suggest(
    State(searching): State<Searching>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<SuggestAnswer>, Problem> {
    let (prefix, limit) = parse_prefix(pairs, LIMIT, SUGGESTIONS_MAX)?;
    let begun = Instant::now();
    let found = searching.run(move |index| index.suggest(&prefix, limit)).await?;
    let took = begun.elapsed();
    metrics::histogram!("suggest_duration_seconds").record(took);
    let items = found.into_iter().map(suggestion).collect();
    Ok(Json(SuggestAnswer { items, took_ms: took.as_secs_f64() * 1000.0 }))
}

fn suggestion(found: index::Suggestion) -> Suggestion {
    let index::Suggestion { text, kind, product_id } = found;
    let kind = match kind {
        index::SuggestionKind::Brand => SuggestionKind::Brand,
        index::SuggestionKind::Category => SuggestionKind::Category,
        index::SuggestionKind::Product => SuggestionKind::Product,
    };
    Suggestion { text, kind, product_id: product_id.map(ProductId::from) }
}
