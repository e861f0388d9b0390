//! Recommendations from browsing: a nearest-neighbour index of sessions that learns from every event.
//!
//! The index holds the newest sessions, each with its products in the order of their last interaction, and
//! per product the newest sessions with it. An open session is a normal entry that grows, so a new product is
//! recommended as soon as one session contains it beside another product. The index is never rebuilt.
//!
//! All sums are computed in an order that depends on the events alone, so equal events give bit-identical
//! answers.

mod product_query;
mod scoring;
mod session_query;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use self::{
    scoring::{Kernel, SessionScoring},
    session_query::SessionQuery,
};
use super::{
    identity::{SessionKey, VisitorId},
    sessions::SESSION_GAP,
    slots::{allocate, count, index},
};

/// Bounds of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionIndexLimits {
    /// Sessions. Beyond this bound, the session whose last interaction was learned first is dropped.
    pub sessions: usize,
    /// The newest sessions that are kept per product.
    pub sessions_per_product: usize,
    /// The latest interactions that are kept per session.
    pub interactions_per_session: usize,
}

impl Default for SessionIndexLimits {
    fn default() -> Self {
        Self { sessions: 200_000, sessions_per_product: 2_500, interactions_per_session: 100 }
    }
}

/// The newest sessions and their products.
#[derive(Debug)]
pub struct SessionIndex {
    limits: SessionIndexLimits,
    scoring: SessionScoring,
    /// Per number of steps from the shared product: the factor by which each kernel multiplies a vote.
    distance_decays: Vec<[f64; 2]>,
    sessions: Vec<IndexedSession>,
    free_sessions: Vec<u32>,
    /// The newest entry of each session key.
    session_slots: HashMap<SessionKey, u32>,
    by_recency: BTreeMap<u64, u32>,
    last_serial: u64,
    products: Vec<IndexedProduct>,
    free_products: Vec<u32>,
    product_slots: HashMap<Uuid, u32>,
}

/// A session in the index.
#[derive(Debug)]
struct IndexedSession {
    /// `None` in a free slot, so that a removed session's visitor is not kept.
    key: Option<SessionKey>,
    /// Increases with every entry and is never reused; sorts equally close neighbours by age.
    serial: u64,
    /// Increases with every interaction; sorts sessions by recency.
    recency: u64,
    last_at: DateTime<Utc>,
    /// How much its votes count; the largest weight of its interactions.
    weight: f64,
    /// In the order of the interactions; a repeated product appears again.
    products: Vec<u32>,
    distinct_products: u32,
}

/// A product in the index. It exists as long as a session contains it.
#[derive(Debug)]
struct IndexedProduct {
    product: Uuid,
    /// The number of sessions that contain it.
    sessions: u32,
    /// The newest of these sessions, newest last.
    newest: VecDeque<u32>,
}

impl SessionIndex {
    /// Creates an empty index.
    pub fn new(limits: SessionIndexLimits, scoring: SessionScoring) -> Self {
        Self {
            limits,
            scoring,
            distance_decays: scoring.distance_decays(limits.interactions_per_session),
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            session_slots: HashMap::new(),
            by_recency: BTreeMap::new(),
            last_serial: 0,
            products: Vec::new(),
            free_products: Vec::new(),
            product_slots: HashMap::new(),
        }
    }

    /// The number of indexed sessions.
    pub fn session_count(&self) -> usize {
        self.by_recency.len()
    }

    /// The number of indexed products.
    pub fn product_count(&self) -> usize {
        self.product_slots.len()
    }

    /// Adds an interaction of a session with a product, with full weight.
    pub fn learn(&mut self, key: &SessionKey, product: Uuid, at: DateTime<Utc>) {
        self.learn_weighted(key, product, 1.0, at);
    }

    /// Adds an interaction of a session with a product. `weight` is how much the session counts, up to 1. A late
    /// event joins the newest entry of its session key.
    pub(crate) fn learn_weighted(
        &mut self,
        key: &SessionKey,
        product: Uuid,
        weight: f64,
        at: DateTime<Utc>,
    ) {
        let slot = self.session_slot(key, at);
        let product = self.product_slot(product);
        let recency = self.next_serial();
        let session = &mut self.sessions[index(slot)];
        self.by_recency.remove(&session.recency);
        self.by_recency.insert(recency, slot);
        session.recency = recency;
        session.last_at = session.last_at.max(at);
        session.weight = session.weight.max(weight);
        if session.products.last() == Some(&product) {
            return;
        }
        let is_new = !session.products.contains(&product);
        session.products.push(product);
        let oldest = (session.products.len() > self.limits.interactions_per_session)
            .then(|| session.products.remove(0));
        let dropped = oldest.filter(|oldest| !session.products.contains(oldest));
        session.distinct_products =
            session.distinct_products + u32::from(is_new) - u32::from(dropped.is_some());
        if is_new {
            self.link(product, slot);
        }
        if let Some(dropped) = dropped {
            self.unlink(dropped, slot);
        }
    }

    /// Removes all sessions of a visitor, and returns their number.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let sessions: Vec<u32> = self
            .by_recency
            .values()
            .copied()
            .filter(|&slot| {
                let key = self.sessions[index(slot)].key.as_ref();
                key.is_some_and(|key| key.visitor == *visitor)
            })
            .collect();
        for &slot in &sessions {
            self.remove(slot);
        }
        sessions.len()
    }

    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// The entry that an event with this key belongs to: the newest one, or a new one after a pause.
    fn session_slot(&mut self, key: &SessionKey, at: DateTime<Utc>) -> u32 {
        if let Some(&slot) = self.session_slots.get(key)
            && at.signed_duration_since(self.sessions[index(slot)].last_at) <= SESSION_GAP
        {
            return slot;
        }
        if self.by_recency.len() >= self.limits.sessions
            && let Some((_, &oldest)) = self.by_recency.first_key_value()
        {
            self.remove(oldest);
        }
        let serial = self.next_serial();
        let session = IndexedSession {
            key: Some(key.clone()),
            serial,
            recency: serial,
            last_at: at,
            weight: 0.0,
            products: Vec::new(),
            distinct_products: 0,
        };
        let slot = allocate(&mut self.sessions, &mut self.free_sessions, session);
        self.by_recency.insert(serial, slot);
        self.session_slots.insert(key.clone(), slot);
        slot
    }

    fn product_slot(&mut self, product: Uuid) -> u32 {
        if let Some(&slot) = self.product_slots.get(&product) {
            return slot;
        }
        let indexed = IndexedProduct { product, sessions: 0, newest: VecDeque::new() };
        let slot = allocate(&mut self.products, &mut self.free_products, indexed);
        self.product_slots.insert(product, slot);
        slot
    }

    fn remove(&mut self, slot: u32) {
        let session = &mut self.sessions[index(slot)];
        let products = std::mem::take(&mut session.products);
        self.by_recency.remove(&session.recency);
        if let Some(key) = session.key.take()
            && self.session_slots.get(&key) == Some(&slot)
        {
            self.session_slots.remove(&key);
        }
        self.free_sessions.push(slot);
        for (_, product) in last_positions(&products) {
            self.unlink(product, slot);
        }
    }

    /// Adds a session to a product's list, as the newest.
    fn link(&mut self, product: u32, session: u32) {
        let indexed = &mut self.products[index(product)];
        indexed.sessions += 1;
        indexed.newest.push_back(session);
        if indexed.newest.len() > self.limits.sessions_per_product {
            indexed.newest.pop_front();
        }
    }

    /// Removes a session from a product's list, and the product if it has no session left.
    fn unlink(&mut self, product: u32, session: u32) {
        let indexed = &mut self.products[index(product)];
        indexed.sessions -= 1;
        if let Some(position) = indexed.newest.iter().position(|&other| other == session) {
            indexed.newest.remove(position);
        }
        if indexed.sessions == 0 {
            indexed.newest = VecDeque::new();
            self.product_slots.remove(&indexed.product);
            self.free_products.push(product);
        }
    }
}

/// Each product of a session once, with its last position, sorted by position.
fn last_positions(products: &[u32]) -> impl Iterator<Item = (usize, u32)> {
    let is_last = |&(place, product): &(usize, u32)| !products[place + 1..].contains(&product);
    products.iter().copied().enumerate().filter(is_last)
}

/// The days from one instant to a later one; 0 if it is not later.
fn days_between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> f64 {
    (later.signed_duration_since(earlier).as_seconds_f64() / 86_400.0).max(0.0)
}
