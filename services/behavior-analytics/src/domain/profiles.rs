//! Visitor profiles: the latest products that each visitor interacted with or bought.

use std::collections::{BTreeMap, HashMap, VecDeque};

use uuid::Uuid;

use super::identity::VisitorId;

/// Bounds of the profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProfileLimits {
    /// Visitors. Beyond this bound, the visitor whose last event was learned first is dropped.
    pub(crate) visitors: usize,
    /// The latest interactions per visitor.
    pub(crate) interactions: usize,
    /// The latest purchases per visitor.
    pub(crate) purchases: usize,
}

impl Default for ProfileLimits {
    fn default() -> Self {
        Self { visitors: 200_000, interactions: 30, purchases: 200 }
    }
}

/// The profile of one visitor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    recency: u64,
    interactions: VecDeque<Uuid>,
    purchases: VecDeque<Uuid>,
}

impl Profile {
    /// The latest products that the visitor viewed or put into the cart, the latest last; a repeated product
    /// appears again.
    pub(crate) fn interactions(&self) -> Vec<Uuid> {
        self.interactions.iter().copied().collect()
    }

    /// The latest products that the visitor bought, the latest last.
    pub(crate) fn purchases(&self) -> Vec<Uuid> {
        self.purchases.iter().copied().collect()
    }

    /// Whether the product is among the visitor's latest interactions or purchases.
    pub(crate) fn contains(&self, product: Uuid) -> bool {
        self.interactions.contains(&product) || self.purchases.contains(&product)
    }

    #[cfg(test)]
    pub(crate) fn new(interactions: &[Uuid], purchases: &[Uuid]) -> Self {
        Self {
            recency: 0,
            interactions: interactions.iter().copied().collect(),
            purchases: purchases.iter().copied().collect(),
        }
    }
}

/// The profiles of all visitors.
#[derive(Debug)]
pub(crate) struct Profiles {
    limits: ProfileLimits,
    by_visitor: HashMap<VisitorId, Profile>,
    by_recency: BTreeMap<u64, VisitorId>,
    last_recency: u64,
}

impl Profiles {
    pub(crate) fn new(limits: ProfileLimits) -> Self {
        Self { limits, by_visitor: HashMap::new(), by_recency: BTreeMap::new(), last_recency: 0 }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_visitor.len()
    }

    pub(crate) fn get(&self, visitor: &VisitorId) -> Option<&Profile> {
        self.by_visitor.get(visitor)
    }

    /// Adds a product that the visitor viewed or put into the cart.
    pub(crate) fn add_interaction(&mut self, visitor: &VisitorId, product: Uuid) {
        let limit = self.limits.interactions;
        let profile = self.touch(visitor);
        if profile.interactions.back() != Some(&product) {
            push_bounded(&mut profile.interactions, product, limit);
        }
        self.drop_oldest();
    }

    /// Adds products that the visitor bought.
    pub(crate) fn add_purchases(&mut self, visitor: &VisitorId, products: &[Uuid]) {
        let limit = self.limits.purchases;
        let profile = self.touch(visitor);
        for &product in products {
            profile.purchases.retain(|&other| other != product);
            push_bounded(&mut profile.purchases, product, limit);
        }
        self.drop_oldest();
    }

    /// Removes a visitor's profile. Returns whether there was one.
    pub(crate) fn forget(&mut self, visitor: &VisitorId) -> bool {
        let profile = self.by_visitor.remove(visitor);
        profile.is_some_and(|profile| self.by_recency.remove(&profile.recency).is_some())
    }

    /// The visitor's profile, marked as the most recent one; created if it does not exist.
    fn touch(&mut self, visitor: &VisitorId) -> &mut Profile {
        self.last_recency += 1;
        let profile = self.by_visitor.entry(visitor.clone()).or_default();
        self.by_recency.remove(&profile.recency);
        profile.recency = self.last_recency;
        self.by_recency.insert(self.last_recency, visitor.clone());
        profile
    }

    fn drop_oldest(&mut self) {
        while self.by_visitor.len() > self.limits.visitors
            && let Some((_, oldest)) = self.by_recency.pop_first()
        {
            self.by_visitor.remove(&oldest);
        }
    }
}

fn push_bounded(products: &mut VecDeque<Uuid>, product: Uuid, limit: usize) {
    products.push_back(product);
    if products.len() > limit {
        products.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_bounded_and_can_be_forgotten() {
        let limits = ProfileLimits { visitors: 2, interactions: 3, purchases: 2 };
        let mut profiles = Profiles::new(limits);
        let visitor = |name: &str| VisitorId::parse(name).unwrap();
        let product = Uuid::from_u128;
        for number in 1..=5 {
            profiles.add_interaction(&visitor("a"), product(number));
            profiles.add_interaction(&visitor("a"), product(number));
        }
        profiles.add_purchases(&visitor("a"), &[product(1), product(2), product(3), product(2)]);
        let profile = profiles.get(&visitor("a")).unwrap();
        assert_eq!(profile.interactions(), [3, 4, 5].map(product));
        assert_eq!(profile.purchases(), [3, 2].map(product));
        profiles.add_interaction(&visitor("b"), product(1));
        profiles.add_interaction(&visitor("a"), product(9));
        profiles.add_interaction(&visitor("c"), product(1));
        assert_eq!(profiles.len(), 2);
        assert!(profiles.get(&visitor("b")).is_none());
        assert!(profiles.forget(&visitor("a")));
        assert!(!profiles.forget(&visitor("a")));
        assert_eq!(profiles.by_recency.len(), profiles.len());
    }
}
