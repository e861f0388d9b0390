//! Which products are similar to a given one.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SessionIndex, count, days_between, index, last_positions};
use crate::domain::{
    recommendation::{Suggestion, top},
    slots::SlotMap,
};

/// The number of days after which a shared session counts half.
const HALF_LIFE_DAYS: f64 = 30.0;

/// Two products that share n sessions keep n / (n + `SHRINKAGE`) of their cosine: a single shared session of
/// two rare products means little.
const SHRINKAGE: f64 = 2.0;

impl SessionIndex {
    /// The products that occur in the same sessions as this one and pass `filter`, best first.
    ///
    /// The score is the cosine of the two products' sets of sessions. A shared session has the weight of its
    /// visitor and loses it with age, and the score is reduced if few sessions are shared.
    pub fn similar(
        &self,
        product: Uuid,
        now: DateTime<Utc>,
        limit: usize,
        filter: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let Some(&slot) = self.product_slots.get(&product) else {
            return Vec::new();
        };
        let indexed = &self.products[index(slot)];
        let mut shared: SlotMap<f64> = SlotMap::default();
        for &session in &indexed.newest {
            let session = &self.sessions[index(session)];
            let half_lives = days_between(session.last_at, now) / HALF_LIFE_DAYS;
            let weight = session.weight * (-half_lives).exp2();
            for (_, other) in last_positions(&session.products).filter(|&(_, other)| other != slot)
            {
                *shared.entry(other).or_default() += weight;
            }
        }
        let sampled = f64::from(count(indexed.newest.len()));
        let suggestions = shared
            .iter()
            .map(|(&other, &shared)| (&self.products[index(other)], shared))
            .filter(|(other, _)| filter(other.product))
            .map(|(other, shared)| {
                let cosine = shared / (sampled * f64::from(other.sessions)).sqrt();
                Suggestion {
                    product: other.product,
                    score: cosine * shared / (shared + SHRINKAGE),
                    because: Vec::new(),
                }
            })
            .collect();
        let mut list = top(suggestions, limit);
        for suggestion in &mut list {
            suggestion.because.push(product);
        }
        list
    }
}
