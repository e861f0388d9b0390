//! One page of hits: those in the order of their rank, with the pinned ones at their places.

use crate::domain::Moment;

use super::{
    collector::{Candidate, Rank},
    query::Sort,
    shown::ShownProducts,
};

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageStart {
    /// The last hit before it that is not pinned.
    pub(crate) after: Option<Rank>,
    /// The products before it in a list by relevance, whose scores change with every indexed product.
    pub(crate) products: ShownProducts,
    /// The number of hits before it.
    pub(crate) shown: u32,
    /// Pins with lower places are before it.
    pub(crate) next_place: u32,
    /// All pages apply the settings of this moment.
    pub(crate) moment: Moment,
}

impl PageStart {
    pub(crate) const fn first(moment: Moment) -> Self {
        let products = ShownProducts::new();
        Self { after: None, products, shown: 0, next_place: 0, moment }
    }

    /// Whether earlier pages have shown a hit of a list.
    pub(crate) fn is_before(&self, rank: &Rank, sort: Sort) -> bool {
        let by_product = sort == Sort::Relevance && !self.products.is_full();
        let by_rank = !by_product && self.after.is_some_and(|after| *rank <= after);
        by_rank || self.products.contains(rank.product_id)
    }
}

/// A page of hits.
pub(crate) struct Page {
    pub(crate) hits: Vec<Candidate>,
    /// Where the next page begins; `None` after the last hit.
    pub(crate) next: Option<PageStart>,
}

/// Fills a page. `ranked` has more than `limit` hits, or all after the start; `pinned` has all pinned hits with
/// their places, in order.
///
/// A pin whose place is beyond the last hit follows it. The page depends on what earlier pages have shown, so a
/// pinned product that goes or comes between two pages moves the others, but hides and repeats none.
pub(crate) fn fill_page(
    ranked: Vec<Candidate>,
    pinned: Vec<(u32, Candidate)>,
    start: PageStart,
    sort: Sort,
    limit: usize,
) -> Page {
    let mut ranked = ranked.into_iter().peekable();
    let first_place = start.next_place;
    let mut pinned = pinned.into_iter().filter(|(place, _)| *place >= first_place).peekable();
    let mut hits = Vec::new();
    let mut next = start;
    while hits.len() < limit {
        let is_exhausted = ranked.peek().is_none();
        if let Some((place, hit)) =
            pinned.next_if(|(place, _)| is_exhausted || *place <= next.shown)
        {
            next.next_place = place.saturating_add(1);
            hits.push(hit);
        } else if let Some(hit) = ranked.next() {
            next.after = Some(hit.rank);
            if sort == Sort::Relevance {
                next.products.insert(hit.rank.product_id);
            }
            hits.push(hit);
        } else {
            break;
        }
        next.shown = next.shown.saturating_add(1);
    }
    let has_more = limit > 0 && (ranked.peek().is_some() || pinned.peek().is_some());
    Page { hits, next: has_more.then_some(next) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use tantivy::DocAddress;
    use uuid::Uuid;

    use super::{Candidate, Moment, PageStart, Rank, Sort, fill_page};
    use crate::index::collector::ScoreFactors;

    fn hit(number: u128) -> Candidate {
        let rank = Rank { level: 0, key: 0, product_id: Uuid::from_u128(number) };
        Candidate {
            rank,
            factors: ScoreFactors::default(),
            is_preferred: true,
            address: DocAddress::new(0, 0),
        }
    }

    /// All pages of the products 9 to 1, in this order, with pinned ones at their places.
    fn pages(ranked: u128, pinned: &[(u32, u128)], limit: usize) -> Vec<Vec<u128>> {
        let moment = Moment { revision: 1, time: DateTime::UNIX_EPOCH };
        let mut start = PageStart::first(moment);
        let mut found = Vec::new();
        loop {
            let after = |hit: &Candidate| !start.is_before(&hit.rank, Sort::Relevance);
            let rest = (1..=ranked).rev().map(hit).filter(after).take(limit + 1).collect();
            let pinned = pinned.iter().map(|(place, number)| (*place, hit(*number))).collect();
            let page = fill_page(rest, pinned, start, Sort::Relevance, limit);
            found.push(page.hits.iter().map(|hit| hit.rank.product_id.as_u128()).collect());
            let Some(next) = page.next else { return found };
            start = next;
        }
    }

    #[test]
    fn pins_stand_at_their_places_on_any_page() {
        let pinned = [(0, 100), (1, 101), (4, 102)];
        assert_eq!(pages(4, &pinned, 10), [vec![100, 101, 4, 3, 102, 2, 1]]);
        for limit in 1..8 {
            let all: Vec<u128> = pages(4, &pinned, limit).concat();
            assert_eq!(all, [100, 101, 4, 3, 102, 2, 1], "{limit}");
        }
    }

    #[test]
    fn pins_beyond_the_last_hit_follow_it() {
        for limit in 1..6 {
            let all: Vec<u128> = pages(2, &[(50, 100), (60, 101)], limit).concat();
            assert_eq!(all, [2, 1, 100, 101], "{limit}");
        }
        assert_eq!(pages(0, &[(3, 100)], 10), [[100]]);
        assert_eq!(pages(0, &[], 10), [[0_u128; 0]]);
    }

    #[test]
    fn the_last_page_has_no_next_one() {
        assert_eq!(pages(4, &[(0, 100)], 5).len(), 1);
        assert_eq!(pages(4, &[(9, 100)], 4).len(), 2);
    }
}
