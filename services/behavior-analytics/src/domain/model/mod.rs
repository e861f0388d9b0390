//! The recommender's model: it learns from events, baskets and products, and answers queries.
//!
//! Equal input in equal order gives bit-identical answers, so a model that is rebuilt from the tables equals
//! the lost one. The caller must pass each event only once.

mod queries;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use vocabulary::CustomerId;

use super::{
    companions::{BasketSource, CompanionLimits, Companions},
    event::{Event, EventKind},
    identity::VisitorId,
    product::{ProductChange, ProductInfo},
    profiles::{ProfileLimits, Profiles},
    session_index::{SessionIndex, SessionIndexLimits, SessionScoring},
    sessions::{SessionLimits, Sessions},
    trending::{Trending, TrendingWindow},
};

/// Bounds of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelLimits {
    pub(crate) index: SessionIndexLimits,
    pub(crate) sessions: SessionLimits,
    pub(crate) companions: CompanionLimits,
    pub(crate) profiles: ProfileLimits,
    /// Products in demand, per window.
    pub(crate) trending: usize,
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self {
            index: SessionIndexLimits::default(),
            sessions: SessionLimits::default(),
            companions: CompanionLimits::default(),
            profiles: ProfileLimits::default(),
            trending: 50_000,
        }
    }
}

/// What the model forgot of a visitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Open and closed sessions.
    pub(crate) sessions: usize,
    /// Sessions in the index.
    pub(crate) indexed_sessions: usize,
    /// Baskets that only the visitor's events reported.
    pub(crate) baskets: usize,
    /// Whether there was a profile.
    pub(crate) profile: bool,
}

#[derive(Debug)]
pub(crate) struct Model {
    /// As many as the catalogue has.
    products: HashMap<Uuid, ProductInfo>,
    now: Trending,
    day: Trending,
    sessions: Sessions,
    index: SessionIndex,
    companions: Companions,
    profiles: Profiles,
}

impl Model {
    pub(crate) fn new(limits: ModelLimits) -> Self {
        Self {
            products: HashMap::new(),
            now: Trending::new(TrendingWindow::Now.half_life(), limits.trending),
            day: Trending::new(TrendingWindow::Day.half_life(), limits.trending),
            sessions: Sessions::new(limits.sessions),
            index: SessionIndex::new(limits.index, SessionScoring::default()),
            companions: Companions::new(limits.companions),
            profiles: Profiles::new(limits.profiles),
        }
    }

    /// Learns from one event.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.sessions.apply(event);
        if let Some(weight) = event.kind.demand_weight() {
            for product in event.products() {
                self.now.count(product, weight, event.occurred_at);
                self.day.count(product, weight, event.occurred_at);
            }
        }
        match event.kind {
            EventKind::ProductViewed | EventKind::ProductClicked | EventKind::CartAdded => {
                if let Some(product) = event.product_id {
                    self.index.learn(&event.session_key(), product, event.occurred_at);
                    self.profiles.add_interaction(&event.visitor_id, product);
                }
            }
            EventKind::OrderCompleted => {
                let (products, visitor) = (event.products(), &event.visitor_id);
                let (basket, at) = (event.basket_id(), event.occurred_at);
                let source = BasketSource::Event(visitor.clone());
                self.companions.learn_basket(basket, &products, at, source);
                self.profiles.add_purchases(visitor, &products);
            }
            EventKind::ListViewed
            | EventKind::Searched
            | EventKind::CartRemoved
            | EventKind::CheckoutStarted => {}
        }
    }

    /// Learns the products of a paid order. An order that a visitor's event reports too is one basket.
    pub(crate) fn learn_basket(
        &mut self,
        order: Uuid,
        customer: CustomerId,
        products: &[Uuid],
        at: DateTime<Utc>,
    ) {
        self.companions.learn_basket(order, products, at, BasketSource::Order(customer));
    }

    /// Applies the latest state of a product. Deleted products are no longer recommended.
    pub(crate) fn apply_product(&mut self, change: ProductChange) {
        match change {
            ProductChange::Updated(product) => {
                self.products.insert(product.id, product);
            }
            ProductChange::Deleted(product) => {
                self.products.remove(&product);
            }
        }
    }

    /// Removes a visitor's sessions, profile and baskets. Demand
    /// counts remain: they contain no visitor and fade within days.
    pub(crate) fn forget_visitor(&mut self, visitor: &VisitorId) -> Forgotten {
        Forgotten {
            sessions: self.sessions.forget_visitor(visitor),
            indexed_sessions: self.index.forget_visitor(visitor),
            baskets: self.companions.forget_visitor(visitor),
            profile: self.profiles.forget(visitor),
        }
    }
}
