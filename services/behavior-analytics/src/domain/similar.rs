//! Similar products from what was browsed: nearest sessions over an index that learns from every event.
//!
//! The index holds the newest sessions, each with its products in the order of their last touch, and per product the
//! newest sessions in which it was touched. An open session is a normal entry that grows, so a product is recommended
//! from the second after it was first seen beside another one; nothing is ever rebuilt.
//!
//! A session is answered in three steps. The sessions that share a product with it are its neighbours; a neighbour is
//! the closer, the later in the asking session the shared products stand and the younger the neighbour is. The
//! closest neighbours vote for their products; a vote is the heavier, the nearer to the shared product the voted one
//! stands in the neighbour, and the rarer it is. Two such views are then added up: one looks sharply at what stands
//! right beside the shared product, the other broadly at the whole neighbour.
//!
//! The order of all sums depends on the events alone, so the same events give the same answers to the last bit.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::event::{SessionKey, VisitorId};
use super::recommendation::{Suggestion, top};
use super::slots::{SlotMap, count, index, place};

/// How much the index may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionIndexLimits {
    /// Sessions; beyond it the one that was touched longest ago goes.
    pub sessions: usize,
    /// Newest sessions that are remembered per product.
    pub sessions_per_product: usize,
    /// Latest touches that are remembered per session.
    pub touches_per_session: usize,
}

impl Default for SessionIndexLimits {
    fn default() -> Self {
        Self { sessions: 200_000, sessions_per_product: 2_500, touches_per_session: 100 }
    }
}

/// One way to look at the neighbours of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// What the view's scores, scaled to 1 at the best product, count in the sum.
    pub weight: f64,
    /// A product of the asking session weighs e^(-steps/this), steps counted back from the latest product.
    pub session_decay: f64,
    /// A neighbour weighs e^(-age/this), in days.
    pub neighbour_decay_days: f64,
    /// A voted product weighs e^(-steps/this), steps counted from the nearest touch of the shared product.
    pub distance_decay: f64,
    /// A neighbour weighs e^(-steps/this), steps counted back to the latest product that it shares.
    pub match_decay: f64,
    /// A vote is multiplied by 1 + this × ln(sessions / sessions with the product).
    pub rarity: f64,
    /// Whether long neighbours weigh less, by the root of their length.
    pub by_length: bool,
}

/// How sessions are scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionScoring {
    /// The most sessions that are looked at: those that share the latest products first, of these the newest.
    pub sample: usize,
    /// The closest of them that vote.
    pub neighbours: usize,
    /// The latest products of the asking session that count.
    pub latest: usize,
    /// The views that are added up.
    pub views: [View; 2],
}

impl Default for SessionScoring {
    fn default() -> Self {
        // They began as values published for two other shops, and were then chosen on seven held-out days of a third,
        // by hit rate and reciprocal rank together; around them both are flat.
        let sharp = View {
            weight: 1.0,
            session_decay: 6.0,
            neighbour_decay_days: 140.0,
            distance_decay: 0.45,
            match_decay: 2.5,
            rarity: 2.0,
            by_length: false,
        };
        let broad = View {
            weight: 0.18,
            session_decay: 10.0,
            neighbour_decay_days: 120.0,
            distance_decay: 5.5,
            match_decay: 0.8,
            rarity: 10.0,
            by_length: true,
        };
        Self { sample: 1_500, neighbours: 500, latest: 30, views: [sharp, broad] }
    }
}

/// A pause longer than this ends a session, whatever id the next event carries.
pub const SESSION_GAP: TimeDelta = TimeDelta::minutes(30);

/// After this many days a shared session counts half for the similarity of two products.
const SIMILARITY_HALF_LIFE_DAYS: f64 = 30.0;

/// Two products that were seen together `n` times keep n/(n + this) of their cosine: a single chance meeting of two
/// rare products says little.
const SIMILARITY_SHRINKAGE: f64 = 2.0;

/// A session that asks.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its products, in the order in which they were touched.
    pub products: &'a [Uuid],
    /// The session itself where the index has it: nobody is their own neighbour.
    pub own: Option<&'a SessionKey>,
    /// Whether its earlier products may be answered too: people go back, so it predicts better, but a list of what to
    /// look at next is better without. The latest product is never answered.
    pub revisits: bool,
    /// When it asks.
    pub now: DateTime<Utc>,
}

/// The index.
#[derive(Debug)]
pub struct SessionIndex {
    limits: SessionIndexLimits,
    scoring: SessionScoring,
    /// What a vote that many steps from the shared product keeps in each view.
    nearness: Vec<[f64; 2]>,
    entries: Vec<Entry>,
    free_entries: Vec<u32>,
    newest_of: HashMap<SessionKey, u32>,
    by_touch: BTreeMap<u64, u32>,
    touches: u64,
    items: Vec<Item>,
    free_items: Vec<u32>,
    item_of: HashMap<Uuid, u32>,
}

/// A session in the index.
#[derive(Debug)]
struct Entry {
    /// None in a free slot: whose session it was is forgotten at once.
    key: Option<SessionKey>,
    /// Grows with every new entry and is never used again: orders equals by age.
    serial: u64,
    touched: u64,
    last_at: DateTime<Utc>,
    /// In the order of their touches; a product that was touched again stands there again.
    items: Vec<u32>,
    /// How many products that is.
    distinct: u32,
}

/// A product in the index. It exists as long as an entry contains it.
#[derive(Debug)]
struct Item {
    product: Uuid,
    /// Entries that contain it.
    sessions: u32,
    /// The newest of them, newest last.
    newest: VecDeque<u32>,
}

/// A neighbour of the asking session.
struct Neighbour {
    entry: u32,
    serial: u64,
    /// Closeness in each view.
    closeness: [f64; 2],
    /// What its vote for the shared product counts in each view.
    vote: [f64; 2],
    /// The latest product of the asking session that it shares, as an index into it.
    shared: usize,
}

/// What the neighbours say about one product.
#[derive(Default)]
struct Votes {
    views: [f64; 2],
    strongest: f64,
    because: usize,
}

impl SessionIndex {
    /// An empty index.
    pub fn new(limits: SessionIndexLimits, scoring: SessionScoring) -> Self {
        let kept = |steps: usize| {
            scoring.views.map(|view| (-f64::from(count(steps)) / view.distance_decay).exp())
        };
        Self {
            limits,
            scoring,
            nearness: (0..=limits.touches_per_session).map(kept).collect(),
            entries: Vec::new(),
            free_entries: Vec::new(),
            newest_of: HashMap::new(),
            by_touch: BTreeMap::new(),
            touches: 0,
            items: Vec::new(),
            free_items: Vec::new(),
            item_of: HashMap::new(),
        }
    }

    /// How many sessions it holds.
    pub fn sessions(&self) -> usize {
        self.by_touch.len()
    }

    /// How many products it holds.
    pub fn products(&self) -> usize {
        self.item_of.len()
    }

    /// Learns that a session touched a product. An event that comes late joins its session's newest part.
    pub fn learn(&mut self, key: &SessionKey, product: Uuid, at: DateTime<Utc>) {
        let entry = self.entry_for(key, at);
        let item = self.item_for(product);
        self.touches += 1;
        let touched = self.touches;
        let slot = &mut self.entries[index(entry)];
        self.by_touch.remove(&slot.touched);
        self.by_touch.insert(touched, entry);
        slot.touched = touched;
        slot.last_at = slot.last_at.max(at);
        if slot.items.last() == Some(&item) {
            return;
        }
        let is_new = !slot.items.contains(&item);
        slot.items.push(item);
        let oldest =
            (slot.items.len() > self.limits.touches_per_session).then(|| slot.items.remove(0));
        let dropped = oldest.filter(|oldest| !slot.items.contains(oldest));
        slot.distinct = slot.distinct + u32::from(is_new) - u32::from(dropped.is_some());
        if is_new {
            self.link(item, entry);
        }
        if let Some(dropped) = dropped {
            self.unlink(dropped, entry);
        }
    }

    /// Forgets every session of a visitor, and says how many there were.
    pub fn forget_visitor(&mut self, visitor: &VisitorId) -> usize {
        let theirs: Vec<u32> = self
            .by_touch
            .values()
            .copied()
            .filter(|&entry| {
                let key = self.entries[index(entry)].key.as_ref();
                key.is_some_and(|key| key.visitor == *visitor)
            })
            .collect();
        for &entry in &theirs {
            self.remove(entry);
        }
        theirs.len()
    }

    /// The entry that an event of this session belongs to: the newest of this key, or a new one after a pause.
    fn entry_for(&mut self, key: &SessionKey, at: DateTime<Utc>) -> u32 {
        if let Some(&entry) = self.newest_of.get(key)
            && at.signed_duration_since(self.entries[index(entry)].last_at) <= SESSION_GAP
        {
            return entry;
        }
        if self.by_touch.len() >= self.limits.sessions
            && let Some((_, &oldest)) = self.by_touch.first_key_value()
        {
            self.remove(oldest);
        }
        self.touches += 1;
        let fresh = Entry {
            key: Some(key.clone()),
            serial: self.touches,
            touched: self.touches,
            last_at: at,
            items: Vec::new(),
            distinct: 0,
        };
        let entry = place(&mut self.entries, &mut self.free_entries, fresh);
        self.by_touch.insert(self.touches, entry);
        self.newest_of.insert(key.clone(), entry);
        entry
    }

    fn item_for(&mut self, product: Uuid) -> u32 {
        if let Some(&item) = self.item_of.get(&product) {
            return item;
        }
        let fresh = Item { product, sessions: 0, newest: VecDeque::new() };
        let item = place(&mut self.items, &mut self.free_items, fresh);
        self.item_of.insert(product, item);
        item
    }

    fn remove(&mut self, entry: u32) {
        let slot = &mut self.entries[index(entry)];
        let touches = std::mem::take(&mut slot.items);
        self.by_touch.remove(&slot.touched);
        if let Some(key) = slot.key.take()
            && self.newest_of.get(&key) == Some(&entry)
        {
            self.newest_of.remove(&key);
        }
        self.free_entries.push(entry);
        for (_, item) in last_touches(&touches) {
            self.unlink(item, entry);
        }
    }

    /// Puts a session at the newest end of a product's list.
    fn link(&mut self, item: u32, entry: u32) {
        let known = &mut self.items[index(item)];
        known.sessions += 1;
        known.newest.push_back(entry);
        if known.newest.len() > self.limits.sessions_per_product {
            known.newest.pop_front();
        }
    }

    /// Takes a session out of a product's list; a product without sessions goes.
    fn unlink(&mut self, item: u32, entry: u32) {
        let known = &mut self.items[index(item)];
        known.sessions -= 1;
        if let Some(position) = known.newest.iter().position(|&other| other == entry) {
            known.newest.remove(position);
        }
        if known.sessions == 0 {
            known.newest = VecDeque::new();
            self.item_of.remove(&known.product);
            self.free_items.push(item);
        }
    }

    /// The products that the asking session will most likely touch next, best first. `keep` says which products may
    /// be shown.
    pub fn recommend_session(
        &self,
        asking: Asking<'_>,
        k: usize,
        keep: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let Some(&latest) = asking.products.last() else {
            return Vec::new();
        };
        let known = self.known_products(asking.products);
        let votes = self.votes(&self.neighbours(&known, asking), &known);
        let best = Best::of(votes.values());
        let is_seen = |product: Uuid| !asking.revisits && asking.products.contains(&product);
        let suggestions = votes
            .iter()
            .map(|(&item, votes)| (self.items[index(item)].product, votes))
            .filter(|&(product, _)| product != latest && !is_seen(product) && keep(product))
            .map(|(product, votes)| Suggestion {
                product,
                score: best.blend(votes, &self.scoring.views),
                because: Vec::new(),
            })
            .collect();
        let mut list = top(suggestions, k);
        for suggestion in &mut list {
            let item = self.item_of.get(&suggestion.product);
            let because =
                item.and_then(|item| votes.get(item)).map(|votes| known[votes.because].item);
            suggestion.because.extend(because.map(|item| self.items[index(item)].product));
        }
        list
    }

    /// The latest products of the asking session that the index knows, each at its last position.
    fn known_products(&self, products: &[Uuid]) -> Vec<Known> {
        let mut known: Vec<Known> = Vec::new();
        for (steps, product) in (0_u32..).zip(products.iter().rev().take(self.scoring.latest)) {
            if let Some(&item) = self.item_of.get(product)
                && known.iter().all(|other| other.item != item)
            {
                known.push(Known { item, steps });
            }
        }
        known.reverse();
        known
    }

    /// The closest sessions, in an order that depends on the events alone.
    fn neighbours(&self, known: &[Known], asking: Asking<'_>) -> Vec<Neighbour> {
        let views = &self.scoring.views;
        let mut neighbours: Vec<Neighbour> =
            self.candidates(known, asking.own).into_values().collect();
        for neighbour in &mut neighbours {
            let entry = &self.entries[index(neighbour.entry)];
            neighbour.serial = entry.serial;
            let age = days_between(entry.last_at, asking.now);
            let length = f64::from(entry.distinct);
            let back = f64::from(known[neighbour.shared].steps);
            for (view, closeness) in views.iter().zip(&mut neighbour.closeness) {
                *closeness *= (-age / view.neighbour_decay_days).exp();
                if view.by_length {
                    *closeness /= length.sqrt();
                }
            }
            neighbour.vote =
                [0, 1].map(|at| neighbour.closeness[at] * (-back / views[at].match_decay).exp());
        }
        let closest_first = |a: &Neighbour, b: &Neighbour| {
            let closeness = b.closeness[0].total_cmp(&a.closeness[0]);
            closeness.then_with(|| b.serial.cmp(&a.serial))
        };
        neighbours.sort_unstable_by(closest_first);
        neighbours.truncate(self.scoring.neighbours);
        neighbours
    }

    /// The sessions that share a product, those that share the latest ones and are newest first, up to the sample.
    fn candidates(&self, known: &[Known], own: Option<&SessionKey>) -> SlotMap<Neighbour> {
        let own = own.and_then(|key| self.newest_of.get(key)).copied();
        let mut found: SlotMap<Neighbour> = SlotMap::default();
        for (shared, product) in known.iter().enumerate().rev() {
            let back = f64::from(product.steps);
            let weights = self.scoring.views.map(|view| (-back / view.session_decay).exp());
            let newest = self.items[index(product.item)].newest.iter().rev();
            for &entry in newest.filter(|&&entry| Some(entry) != own) {
                let is_full = found.len() >= self.scoring.sample;
                let neighbour = match found.entry(entry) {
                    MapEntry::Occupied(known) => known.into_mut(),
                    MapEntry::Vacant(_) if is_full => continue,
                    MapEntry::Vacant(free) => free.insert(Neighbour {
                        entry,
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

    /// Lets the neighbours vote for their products.
    fn votes(&self, neighbours: &[Neighbour], known: &[Known]) -> SlotMap<Votes> {
        let mut votes: SlotMap<Votes> = SlotMap::default();
        for neighbour in neighbours {
            let items = &self.entries[index(neighbour.entry)].items;
            for (item, steps) in distances(items, known[neighbour.shared].item) {
                let near = &self.nearness[steps];
                let votes = votes.entry(item).or_default();
                let sharp = neighbour.vote[0] * near[0];
                votes.views[0] += sharp;
                votes.views[1] += neighbour.vote[1] * near[1];
                if sharp > votes.strongest {
                    votes.strongest = sharp;
                    votes.because = neighbour.shared;
                }
            }
        }
        // How rare a product is does not depend on who votes for it.
        let sessions = f64::from(count(self.by_touch.len()));
        for (&item, votes) in &mut votes {
            let rarity = (sessions / f64::from(self.items[index(item)].sessions)).ln();
            for (view, score) in self.scoring.views.iter().zip(&mut votes.views) {
                *score *= 1.0 + view.rarity * rarity;
            }
        }
        votes
    }

    /// The products that were seen in the same sessions as this one, best first.
    ///
    /// The score is the cosine between the two products' sessions, a shared session counting half after a month, and
    /// shrunk where few sessions are shared.
    pub fn similar(
        &self,
        product: Uuid,
        now: DateTime<Utc>,
        k: usize,
        keep: impl Fn(Uuid) -> bool,
    ) -> Vec<Suggestion> {
        let Some(&item) = self.item_of.get(&product) else {
            return Vec::new();
        };
        let known = &self.items[index(item)];
        let mut together: SlotMap<f64> = SlotMap::default();
        for &entry in &known.newest {
            let entry = &self.entries[index(entry)];
            let half_lives = days_between(entry.last_at, now) / SIMILARITY_HALF_LIFE_DAYS;
            let weight = (-half_lives).exp2();
            for (_, other) in last_touches(&entry.items).filter(|&(_, other)| other != item) {
                *together.entry(other).or_default() += weight;
            }
        }
        let looked_at = f64::from(count(known.newest.len()));
        let suggestions = together
            .iter()
            .map(|(&other, &shared)| (&self.items[index(other)], shared))
            .filter(|(other, _)| keep(other.product))
            .map(|(other, shared)| {
                let cosine = shared / (looked_at * f64::from(other.sessions)).sqrt();
                Suggestion {
                    product: other.product,
                    score: cosine * shared / (shared + SIMILARITY_SHRINKAGE),
                    because: Vec::new(),
                }
            })
            .collect();
        let mut list = top(suggestions, k);
        for suggestion in &mut list {
            suggestion.because.push(product);
        }
        list
    }
}

/// A product of the asking session that the index knows.
struct Known {
    item: u32,
    /// Steps back from the latest product.
    steps: u32,
}

/// The best score in each view, by which the view is scaled before it is added.
struct Best([f64; 2]);

impl Best {
    fn of<'a>(votes: impl Iterator<Item = &'a Votes>) -> Self {
        let larger = |best: [f64; 2], votes: &Votes| {
            [best[0].max(votes.views[0]), best[1].max(votes.views[1])]
        };
        Self(votes.fold([0.0; 2], larger))
    }

    fn blend(&self, votes: &Votes, views: &[View; 2]) -> f64 {
        let scaled = |at: usize| {
            let best = self.0[at];
            if best > 0.0 { views[at].weight * votes.views[at] / best } else { 0.0 }
        };
        scaled(0) + scaled(1)
    }
}

/// Each product of a session once, with the fewest steps between any of its touches and any touch of the shared one.
fn distances(items: &[u32], shared: u32) -> impl Iterator<Item = (u32, usize)> {
    let places = |item: u32| {
        items.iter().enumerate().filter(move |&(_, &other)| other == item).map(|(place, _)| place)
    };
    last_touches(items).map(move |(_, item)| {
        let steps =
            places(item).flat_map(|place| places(shared).map(move |other| place.abs_diff(other)));
        (item, steps.min().unwrap_or_default())
    })
}

/// Each product of a session once, with the place of its last touch, in the order of these places.
fn last_touches(items: &[u32]) -> impl Iterator<Item = (usize, u32)> {
    let is_last = |&(place, item): &(usize, u32)| !items[place + 1..].contains(&item);
    items.iter().copied().enumerate().filter(is_last)
}

/// Days from one instant to a later one; none if it is not later.
fn days_between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> f64 {
    (later.signed_duration_since(earlier).as_seconds_f64() / 86_400.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::event::SessionId;
    use super::*;

    fn product(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + minutes * 60, 0).unwrap()
    }

    fn key(visitor: &str) -> SessionKey {
        SessionKey {
            visitor: VisitorId::parse(visitor).unwrap(),
            session: SessionId::parse("s").unwrap(),
        }
    }

    fn empty(limits: SessionIndexLimits) -> SessionIndex {
        SessionIndex::new(limits, SessionScoring::default())
    }

    fn learned(sessions: &[&[u128]]) -> SessionIndex {
        let mut index = empty(SessionIndexLimits::default());
        for (number, products) in (0_i64..).zip(sessions) {
            for (minute, &seen) in (0_i64..).zip(*products) {
                index.learn(&key(&format!("v{number}")), product(seen), at(number + minute));
            }
        }
        index
    }

    fn ask(index: &SessionIndex, products: &[u128], own: Option<&SessionKey>) -> Vec<Suggestion> {
        let products: Vec<Uuid> = products.iter().copied().map(product).collect();
        let asking = Asking { products: &products, own, revisits: false, now: at(100) };
        index.recommend_session(asking, 20, |_| true)
    }

    fn names(suggestions: &[Suggestion]) -> Vec<u128> {
        suggestions.iter().map(|suggestion| suggestion.product.as_u128()).collect()
    }

    /// What the bookkeeping promises about itself.
    fn check(index: &SessionIndex) {
        assert_eq!(index.by_touch.len() + index.free_entries.len(), index.entries.len());
        assert_eq!(index.item_of.len() + index.free_items.len(), index.items.len());
        for &slot in index.by_touch.values() {
            let entry = &index.entries[super::index(slot)];
            assert!(entry.items.len() <= index.limits.touches_per_session);
            assert_eq!(
                usize::try_from(entry.distinct).unwrap(),
                last_touches(&entry.items).count()
            );
        }
        for &item in index.item_of.values() {
            let item_slot = &index.items[super::index(item)];
            let holds = |entry: u32| index.entries[super::index(entry)].items.contains(&item);
            let holders = index.by_touch.values().filter(|&&entry| holds(entry)).count();
            assert_eq!(usize::try_from(item_slot.sessions).unwrap(), holders);
            assert!(holders > 0);
            assert!(item_slot.newest.iter().all(|&entry| holds(entry)));
            assert!(item_slot.newest.len() <= index.limits.sessions_per_product);
        }
    }

    #[test]
    fn what_stands_beside_the_latest_product_comes_first() {
        let index = learned(&[&[1, 2, 9], &[1, 2], &[1, 3, 4, 7, 8]]);
        let found = ask(&index, &[1], None);
        assert_eq!(found[0].product, product(2));
        assert_eq!(found[0].because, [product(1)]);
        assert!(found.iter().all(|suggestion| suggestion.product != product(1)));
        let order = names(&found);
        let place = |number: u128| order.iter().position(|&found| found == number);
        assert!(place(3) < place(8));
    }

    #[test]
    fn the_whole_session_counts_the_latest_most() {
        let index = learned(&[&[1, 3], &[2, 4], &[1, 2, 5]]);
        assert_eq!(names(&ask(&index, &[1, 2], None))[..2], [5, 4]);
        assert_eq!(names(&ask(&index, &[2, 1], None))[..2], [3, 5]);
    }

    #[test]
    fn an_open_session_teaches_at_once() {
        let mut index = learned(&[&[1, 2]]);
        assert!(ask(&index, &[7], None).is_empty());
        index.learn(&key("new"), product(7), at(10));
        index.learn(&key("new"), product(2), at(11));
        assert_eq!(names(&ask(&index, &[7], None)), [2]);
        index.learn(&key("new"), product(8), at(12));
        let mut both = names(&ask(&index, &[7], None));
        both.sort_unstable();
        assert_eq!(both, [2, 8]);
    }

    #[test]
    fn earlier_products_are_answered_on_demand_and_the_latest_never() {
        let index = learned(&[&[1, 2, 3], &[2, 3, 1]]);
        let products = [product(1), product(2)];
        let asking = Asking { products: &products, own: None, revisits: true, now: at(100) };
        let mut found = names(&index.recommend_session(asking, 20, |_| true));
        found.sort_unstable();
        assert_eq!(found, [1, 3]);
        assert_eq!(names(&ask(&index, &[1, 2], None)), [3]);
    }

    #[test]
    fn nobody_is_their_own_neighbour() {
        let index = learned(&[&[1, 2, 3]]);
        assert_eq!(names(&ask(&index, &[1, 2], Some(&key("v0")))), [0_u128; 0]);
        assert_eq!(names(&ask(&index, &[1, 2], None)), [3]);
    }

    #[test]
    fn unknown_products_and_empty_sessions_get_no_answer_and_no_harm() {
        let index = learned(&[&[1, 2]]);
        assert!(ask(&index, &[], None).is_empty());
        assert!(ask(&index, &[77], None).is_empty());
        assert_eq!(names(&ask(&index, &[1, 77], None)), [2]);
        assert!(index.similar(product(77), at(0), 5, |_| true).is_empty());
    }

    #[test]
    fn a_filter_is_applied_before_the_best_are_taken() {
        let index = learned(&[&[1, 2], &[1, 2], &[1, 3]]);
        let products = [product(1)];
        let asking = Asking { products: &products, own: None, revisits: false, now: at(100) };
        let odd = |id: Uuid| !id.as_u128().is_multiple_of(2);
        assert_eq!(names(&index.recommend_session(asking, 1, odd)), [3]);
        assert_eq!(names(&index.similar(product(1), at(100), 1, odd)), [3]);
    }

    #[test]
    fn similar_products_share_sessions_and_newer_ones_count_more() {
        let index = learned(&[&[1, 2], &[1, 2], &[1, 3], &[3, 4], &[3, 4]]);
        let similar = index.similar(product(1), at(10), 10, |_| true);
        assert_eq!(names(&similar), [2, 3]);
        assert_eq!(similar[0].because, [product(1)]);

        let mut index = empty(SessionIndexLimits::default());
        let day = 24 * 60;
        for (visitor, other, minutes) in [("a", 2, 0), ("b", 3, 60 * day)] {
            index.learn(&key(visitor), product(1), at(minutes));
            index.learn(&key(visitor), product(other), at(minutes));
        }
        assert_eq!(names(&index.similar(product(1), at(60 * day), 10, |_| true)), [3, 2]);
    }

    #[test]
    fn a_pause_starts_a_new_entry_and_a_repeated_touch_does_not_grow_it() {
        let mut index = learned(&[&[1, 1, 1, 2]]);
        assert_eq!(index.sessions(), 1);
        index.learn(&key("v0"), product(3), at(3 + 31));
        assert_eq!(index.sessions(), 2);
        assert_eq!(names(&ask(&index, &[1], None)), [2]);
        check(&index);
    }

    #[test]
    fn a_forgotten_visitor_leaves_nothing() {
        let mut index = learned(&[&[1, 2], &[1, 3]]);
        let visitor = VisitorId::parse("v1").unwrap();
        assert_eq!(index.forget_visitor(&visitor), 1);
        assert_eq!(index.forget_visitor(&visitor), 0);
        assert_eq!((index.sessions(), index.products()), (1, 2));
        assert_eq!(ask(&index, &[1], None), ask(&learned(&[&[1, 2]]), &[1], None));
        check(&index);
    }

    #[test]
    fn a_new_product_is_found_after_the_first_session_with_it() {
        let sessions: Vec<Vec<u128>> = (0..200).map(|number| vec![1, 2 + number % 10]).collect();
        let sessions: Vec<&[u128]> = sessions.iter().map(Vec::as_slice).collect();
        let mut index = learned(&sessions);
        index.learn(&key("fresh"), product(1), at(300));
        index.learn(&key("fresh"), product(999), at(301));
        assert!(names(&ask(&index, &[1], None)).contains(&999));
    }

    proptest! {
        #[test]
        fn the_index_is_bounded_sound_and_deterministic(
            touches in prop::collection::vec((0_u8..12, 0_u128..15, 0_i64..20), 1..200),
            forgotten in 0_u8..12,
        ) {
            let limits = SessionIndexLimits {
                sessions: 6,
                sessions_per_product: 3,
                touches_per_session: 4,
            };
            let learn = || {
                let mut index = empty(limits);
                let mut now = 0;
                for &(visitor, seen, pause) in &touches {
                    now += pause;
                    index.learn(&key(&format!("v{visitor}")), product(seen), at(now));
                }
                index
            };
            let (mut one, other) = (learn(), learn());
            check(&one);
            prop_assert!(one.sessions() <= 6 && one.products() <= 24);
            for seen in 0..15 {
                let asked = [seen, (seen + 4) % 15];
                prop_assert_eq!(ask(&one, &asked, None), ask(&other, &asked, None));
                let similar = |index: &SessionIndex| index.similar(product(seen), at(500), 9, |_| true);
                prop_assert_eq!(similar(&one), similar(&other));
            }
            one.forget_visitor(&VisitorId::parse(&format!("v{forgotten}")).unwrap());
            check(&one);
        }
    }
}
