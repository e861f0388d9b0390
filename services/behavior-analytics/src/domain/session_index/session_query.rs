//! Which products a session will most likely interact with next.
//!
//! Sessions that share a product with the query are its neighbours. A neighbour is closer, the later the
//! shared products occur in the query, the younger the neighbour is and the more it counts. The closest neighbours vote for their
//! products. A vote weighs more, the nearer its product is to the shared one in the neighbour, and the rarer
//! it is.

use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Kernel, SessionIndex, count, days_between, index, last_positions};
use crate::domain::{
    identity::SessionKey,
    recommendation::{Suggestion, top},
    slots::SlotMap,
};

/// A session for which products are recommended.
#[derive(Clone, Copy, Debug)]
pub struct SessionQuery<'a> {
    /// Its products, in the order of the interactions.
    pub products: &'a [Uuid],
    /// The session's own entry in the index, which is no neighbour.
    pub own: Option<&'a SessionKey>,
    /// Whether its earlier products may be recommended again. Visitors do return to products, so prediction
    /// is better with revisits, but a list of new products is better without. The latest product is never
    /// recommended.
    pub revisits: bool,
    pub now: DateTime<Utc>,
}

/// A product of the query that the index contains.
struct QueryProduct {
    slot: u32,
    /// Steps back from the latest product.
    steps: u32,
}

/// A session that shares a product with the query.
struct Neighbour {
    session: u32,
    serial: u64,
    /// Per kernel.
    closeness: [f64; 2],
    /// The weight of its votes, per kernel.
    vote: [f64; 2],
    /// The latest query product that it shares, as an index into the query products.
    shared: usize,
}

/// The votes for one product.
#[derive(Default)]
struct Votes {
    /// Per kernel.
    scores: [f64; 2],
    strongest: f64,
    /// The query product behind the strongest vote, as an index into the query products.
    because: usize,
}

/// The best score of each kernel, by which its scores are divided before both kernels are added.
struct BestScores([f64; 2]);

impl BestScores {
    fn new<'a>(votes: impl Iterator<Item = &'a Votes>) -> Self {
        let larger = |best: [f64; 2], votes: &Votes| {
            [best[0].max(votes.scores[0]), best[1].max(votes.scores[1])]
        };
        Self(votes.fold([0.0; 2], larger))
    }

    fn blend(&self, votes: &Votes, kernels: &[Kernel; 2]) -> f64 {
        let scaled = |kernel: usize| {
            let best = self.0[kernel];
            if best > 0.0 { kernels[kernel].weight * votes.scores[kernel] / best } else { 0.0 }
        };
        scaled(0) + scaled(1)
    }
}

impl SessionIndex {
    /// The products that the session will most likely interact with next among those that pass `filter`, best
    /// first.
    pub fn recommend_session(
        &self,
        query: SessionQuery<'_>,
        limit: usize,
        filter: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let Some(&latest) = query.products.last() else {
            return Vec::new();
        };
        let known = self.query_products(query.products);
        let votes = self.votes(&self.neighbours(&known, query), &known);
        let best = BestScores::new(votes.values());
        let is_seen = |product: Uuid| !query.revisits && query.products.contains(&product);
        let suggestions = votes
            .iter()
            .map(|(&slot, votes)| (self.products[index(slot)].product, votes))
            .filter(|&(product, _)| product != latest && !is_seen(product) && filter(product))
            .map(|(product, votes)| Suggestion {
                product,
                score: best.blend(votes, &self.scoring.kernels),
                because: Vec::new(),
            })
            .collect();
        let mut list = top(suggestions, limit);
        for suggestion in &mut list {
            let slot = self.product_slots.get(&suggestion.product);
            let because =
                slot.and_then(|slot| votes.get(slot)).map(|votes| known[votes.because].slot);
            suggestion.because.extend(because.map(|slot| self.products[index(slot)].product));
        }
        list
    }

    /// The latest products of the query that the index contains, each at its last position.
    fn query_products(&self, products: &[Uuid]) -> Vec<QueryProduct> {
        let mut known: Vec<QueryProduct> = Vec::new();
        let latest = products.iter().rev().take(self.scoring.latest_products);
        for (steps, product) in (0_u32..).zip(latest) {
            if let Some(&slot) = self.product_slots.get(product)
                && known.iter().all(|other| other.slot != slot)
            {
                known.push(QueryProduct { slot, steps });
            }
        }
        known.reverse();
        known
    }

    /// The closest sessions, in an order that depends on the events alone.
    fn neighbours(&self, known: &[QueryProduct], query: SessionQuery<'_>) -> Vec<Neighbour> {
        let kernels = &self.scoring.kernels;
        let mut neighbours: Vec<Neighbour> =
            self.candidates(known, query.own).into_values().collect();
        for neighbour in &mut neighbours {
            let session = &self.sessions[index(neighbour.session)];
            neighbour.serial = session.serial;
            let age = days_between(session.last_at, query.now);
            let length = f64::from(session.distinct_products);
            let back = f64::from(known[neighbour.shared].steps);
            for (kernel, closeness) in kernels.iter().zip(&mut neighbour.closeness) {
                *closeness *= session.weight * (-age / kernel.neighbour_decay_days).exp();
                if kernel.by_length {
                    *closeness /= length.sqrt();
                }
            }
            neighbour.vote =
                [0, 1].map(|at| neighbour.closeness[at] * (-back / kernels[at].match_decay).exp());
        }
        let closest_first = |a: &Neighbour, b: &Neighbour| {
            let closeness = b.closeness[0].total_cmp(&a.closeness[0]);
            closeness.then_with(|| b.serial.cmp(&a.serial))
        };
        neighbours.sort_unstable_by(closest_first);
        neighbours.truncate(self.scoring.neighbours);
        neighbours
    }

    /// The sessions that share a product, up to the sample size: first those that share the latest products,
    /// of these the newest.
    fn candidates(&self, known: &[QueryProduct], own: Option<&SessionKey>) -> SlotMap<Neighbour> {
        let own = own.and_then(|key| self.session_slots.get(key)).copied();
        let mut found: SlotMap<Neighbour> = SlotMap::default();
        for (shared, product) in known.iter().enumerate().rev() {
            let back = f64::from(product.steps);
            let weights = self.scoring.kernels.map(|kernel| (-back / kernel.session_decay).exp());
            let newest = self.products[index(product.slot)].newest.iter().rev();
            for &session in newest.filter(|&&session| Some(session) != own) {
                let is_full = found.len() >= self.scoring.sample_size;
                let neighbour = match found.entry(session) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(_) if is_full => continue,
                    Entry::Vacant(free) => free.insert(Neighbour {
                        session,
                        serial: 0,
                        closeness: [0.0; 2],
                        vote: [0.0; 2],
                        shared,
                    }),
                };
                neighbour.closeness[0] += weights[0];
                neighbour.closeness[1] += weights[1];
            }
        }
        found
    }

    /// Adds up the neighbours' votes for their products.
    fn votes(&self, neighbours: &[Neighbour], known: &[QueryProduct]) -> SlotMap<Votes> {
        let mut votes: SlotMap<Votes> = SlotMap::default();
        for neighbour in neighbours {
            let products = &self.sessions[index(neighbour.session)].products;
            for (product, steps) in distances(products, known[neighbour.shared].slot) {
                let decay = &self.distance_decays[steps];
                let votes = votes.entry(product).or_default();
                let sharp = neighbour.vote[0] * decay[0];
                votes.scores[0] += sharp;
                votes.scores[1] += neighbour.vote[1] * decay[1];
                if sharp > votes.strongest {
                    votes.strongest = sharp;
                    votes.because = neighbour.shared;
                }
            }
        }
        // A product's rarity is the same for all votes, so it is applied to the sums.
        let sessions = f64::from(count(self.session_count()));
        for (&slot, votes) in &mut votes {
            let rarity = (sessions / f64::from(self.products[index(slot)].sessions)).ln();
            for (kernel, score) in self.scoring.kernels.iter().zip(&mut votes.scores) {
                *score *= 1.0 + kernel.rarity * rarity;
            }
        }
        votes
    }
}

/// Each product of a session once, with the fewest steps between any occurrence of it and any of the shared
/// product.
fn distances(products: &[u32], shared: u32) -> impl Iterator<Item = (u32, usize)> {
    let positions = |product: u32| {
        let occurrences = products.iter().enumerate().filter(move |&(_, &other)| other == product);
        occurrences.map(|(position, _)| position)
    };
    last_positions(products).map(move |(_, product)| {
        let steps = positions(product)
            .flat_map(|position| positions(shared).map(move |other| position.abs_diff(other)));
        (product, steps.min().unwrap_or_default())
    })
}
