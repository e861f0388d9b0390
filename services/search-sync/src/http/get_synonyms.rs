use axum::extract::State;
use problem::{Json, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::search_pool::{SearchPool, SearchPoolError},
    index::{CountedSynonym, LiveSettings, SynonymCounts, WordCount},
};

/// The synonyms that searches of this process apply.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct AppliedSynonyms {
    /// The version of the list in product-catalog; 0 before the first one.
    version: i64,
    items: Vec<AppliedSynonym>,
}

/// An entry of the list: either `words`, or `from` and `to`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct AppliedSynonym {
    /// Both ways: a query with one of the words also finds the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<SynonymWord>>,
    /// One way: a query with one of these words also finds those of `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Vec<SynonymWord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Vec<SynonymWord>>,
}

/// A word of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SynonymWord {
    word: String,
    /// The number of products that contain the word.
    products: u64,
}

/// Get the applied synonyms
///
/// They are edited in product-catalog. `products` says how many products each word touches.
#[utoipa::path(
    get, path = "/v1/synonyms", tag = "search",
    responses((status = 200, body = AppliedSynonyms))
)]
pub(crate) async fn get_synonyms(
    State(settings): State<LiveSettings>,
    State(pool): State<SearchPool>,
) -> Result<Json<AppliedSynonyms>, Problem> {
    let settings = settings.settings().ok_or(SearchPoolError::NoIndex)?;
    let counts = pool.run(move |index| index.count_synonyms(&settings)).await?;
    Ok(Json(counts.map(AppliedSynonyms::from).unwrap_or_default()))
}

impl From<SynonymCounts> for AppliedSynonyms {
    fn from(counts: SynonymCounts) -> Self {
        let items = counts.entries.into_iter().map(AppliedSynonym::from).collect();
        Self { version: counts.version.get(), items }
    }
}

impl From<CountedSynonym> for AppliedSynonym {
    fn from(synonym: CountedSynonym) -> Self {
        let words = |words: Vec<WordCount>| {
            let word = |WordCount { word, products }| SynonymWord { word, products };
            Some(words.into_iter().map(word).collect())
        };
        match synonym {
            CountedSynonym::TwoWay(two_way) => Self { words: words(two_way), ..Self::default() },
            CountedSynonym::OneWay { from, to } => {
                Self { words: None, from: words(from), to: words(to) }
            }
        }
    }
}
