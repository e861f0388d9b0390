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
    companions::{CompanionLimits, Companions},
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

/// How much demand a product of a paid order expresses, in views.
const PURCHASE_WEIGHT: f64 = 10.0;

/// What the model forgot of a visitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Open and closed sessions.
    pub(crate) sessions: usize,
    /// Sessions in the index.
    pub(crate) indexed_sessions: usize,
    /// Baskets of the customer who the visitor is.
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

    /// Learns from one event. `weight` is how much it counts in demand and in what is viewed together, up to 1.
    /// Of an event with the weight 0 only the visitor's own session and profile learn.
    pub(crate) fn apply(&mut self, event: &Event, weight: f64) {
        self.sessions.apply(event);
        if let Some(demand) = event.kind.demand_weight()
            && let Some(product) = event.product_id
        {
            if weight > 0.0 {
                self.count_demand(product, weight * demand, event.occurred_at);
                let key = event.session_key();
                self.index.learn_weighted(&key, product, weight, event.occurred_at);
            }
            self.profiles.add_interaction(&event.visitor_id, product);
        }
        if event.kind == EventKind::OrderCompleted {
            self.profiles.add_purchases(&event.visitor_id, &event.products());
        }
    }

    /// Learns the products of a paid order. The caller passes each order only once.
    pub(crate) fn learn_basket(
        &mut self,
        order: Uuid,
        customer: CustomerId,
        products: &[Uuid],
        at: DateTime<Utc>,
    ) {
        for &product in products {
            self.count_demand(product, PURCHASE_WEIGHT, at);
        }
        self.companions.learn_basket(order, products, at, customer);
        self.profiles.add_purchases(&VisitorId::of(customer), products);
    }

    fn count_demand(&mut self, product: Uuid, weight: f64, at: DateTime<Utc>) {
        self.now.count(product, weight, at);
        self.day.count(product, weight, at);
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
