//! Searching: the ladder from what was typed to what was probably meant, and the page that comes of it.

use tantivy::query::AllQuery;
use tantivy::schema::Value as _;
use tantivy::{DocAddress, Searcher, TantivyDocument};

use super::cursor;
use super::document::Shown;
use super::expand::Dictionaries;
use super::facets::Counts;
use super::highlight::{corrects, highlighted, said};
use super::interpret::{Reading, read, read_tolerantly};
use super::matching::{Matcher, Rung};
use super::open::Index;
use super::query::{Hit, LIMIT_MAX, Query, Results, SearchError, Sort};
use super::scan::{Candidate, Scan};
use crate::text::normalise;

/// With fewer matches than this a search goes on to the next rung, to fill the first page.
const ENOUGH: u64 = 10;

impl Index {
    /// Searches. The same query over the same documents gives the same answer.
    ///
    /// First every word has to match as it was typed, then as it was probably meant (misspelt, a homophone, pinyin, still
    /// being typed), then half of the words will do, and where nothing has half of them, one. A rung adds its hits after
    /// those of the rungs before it. Which rungs are climbed depends on the words alone, not on the filters. With a sort other than by relevance the first rung
    /// that matches anything is the last, for hits of different quality cannot be put in one order by price.
    pub fn search(&self, query: &Query) -> Result<Results, SearchError> {
        let searcher = self.searcher();
        let after =
            query.cursor.as_deref().map(|cursor| cursor::decode(query, cursor)).transpose()?;
        let limit = query.limit.min(LIMIT_MAX);
        let mut scan = Scan::new(&searcher, query, after, limit + 1);
        let mut reading = read(&query.q);
        let mut literally = true;
        if reading.words.is_empty() {
            scan.walk(&AllQuery, 0)?;
        } else {
            let matcher = Matcher { searcher: &searcher, fields: &self.fields };
            if let Some(matching) = matcher.query(&reading, Rung::Literal)? {
                scan.walk(matching.as_ref(), 0)?;
            }
            literally = scan.matched > 0;
            for (number, rung) in [(1, Rung::Tolerant), (2, Rung::Half), (3, Rung::Any)] {
                let fills = query.sort == Sort::Relevance && rung != Rung::Any;
                let enough = if fills { ENOUGH } else { 1 };
                if scan.matched >= enough {
                    break;
                }
                if rung == Rung::Tolerant {
                    reading = self.read_tolerantly(&searcher, &query.q)?;
                }
                if let Some(matching) = matcher.query(&reading, rung)? {
                    scan.walk(matching.as_ref(), number)?;
                }
            }
        }
        let total = scan.total;
        let (mut best, counters) = scan.finish();
        let next_cursor = (best.len() > limit && limit > 0)
            .then(|| best.get(limit - 1).map(|last| cursor::encode(query, &last.rank)))
            .flatten();
        best.truncate(limit);
        let Counts { facets, price_range } = counters.finish();
        let items = self.hits(&searcher, &best, &reading)?;
        let did_you_mean =
            if literally { None } else { self.did_you_mean(&searcher, &reading, &items)? };
        Ok(Results { items, total, facets, price_range, next_cursor, took_ms: 0.0, did_you_mean })
    }

    fn read_tolerantly(&self, searcher: &Searcher, q: &str) -> Result<Reading, SearchError> {
        let dictionaries = Dictionaries::new(searcher, &self.fields);
        read_tolerantly(
            q,
            |word, distance| dictionaries.similar(word, distance),
            |word| dictionaries.completions(word),
        )
    }

    fn hits(
        &self,
        searcher: &Searcher,
        candidates: &[Candidate],
        reading: &Reading,
    ) -> Result<Vec<Hit>, SearchError> {
        candidates
            .iter()
            .map(|candidate| {
                let shown = self.shown(searcher, candidate.address)?;
                Ok(Hit {
                    product_id: shown.product_id,
                    highlight: highlighted(&shown.title, &reading.words),
                    title: shown.title,
                    price_min: shown.price_min,
                    price_max: shown.price_max,
                    in_stock: shown.in_stock,
                    version: shown.version,
                    score: candidate.score,
                    brand: shown.brand,
                    category: shown.category,
                })
            })
            .collect()
    }

    pub(super) fn shown(
        &self,
        searcher: &Searcher,
        address: DocAddress,
    ) -> Result<Shown, SearchError> {
        let stored: TantivyDocument = searcher.doc(address)?;
        let json = stored.get_first(self.fields.shown).and_then(|value| value.as_bytes());
        serde_json::from_slice(json.unwrap_or_default()).map_err(SearchError::Decode)
    }

    /// The query with every word that no document has replaced by what was probably meant; `None` where that changes
    /// nothing, or where some word stays unknown.
    fn did_you_mean(
        &self,
        searcher: &Searcher,
        reading: &Reading,
        hits: &[Hit],
    ) -> Result<Option<String>, SearchError> {
        let matcher = Matcher { searcher, fields: &self.fields };
        let known = reading.words.iter().map(|word| Ok(word.filler || matcher.is_known(word)?));
        let known = known.collect::<Result<Vec<bool>, SearchError>>()?;
        let mut corrected = String::new();
        let mut changed = false;
        let mut index = 0;
        while let Some(word) = reading.words.get(index) {
            if word.spaced && !corrected.is_empty() {
                corrected.push(' ');
            }
            let meant = word
                .tolerant
                .iter()
                .filter(|alternative| corrects(alternative) && alternative.covers.start == index)
                .filter(|alternative| known[alternative.covers.clone()].contains(&false))
                .find_map(|alternative| {
                    let text = hits.iter().find_map(|hit| said(&hit.title, alternative))?;
                    Some((text, alternative.covers.end))
                });
            if let Some((text, end)) = meant {
                corrected.push_str(&normalise(&text));
                changed = true;
                index = end;
            } else if known[index] {
                corrected.push_str(&word.typed);
                index += 1;
            } else {
                return Ok(None);
            }
        }
        Ok(changed.then_some(corrected))
    }
}
