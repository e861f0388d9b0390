//! Random events with replays, kills and rebuilds: the index equals a naive model of the published events.

use std::collections::{BTreeMap, BTreeSet};

use contracts::{
    behavior::PopularityChangedV1,
    catalog::{ProductChangedV1, ProductDeletedV1, Variant},
    inventory::StockChangedV1,
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use reqwest::{Method, StatusCode};
use search_sync::index::{Attribute, Document, Index};
use serde_json::{Map, Value, json};
use service_testkit::{LONGEST_WAIT, answer, events::product_changed};
use testkit::wait_for;
use vocabulary::{Money, ProductId};

use crate::{
    events::{popularity_changed, product_deleted, stock_changed},
    model::{Content, Model, content},
    suite::Suite,
};

const PRODUCTS: usize = 16;
const SCHEDULES: usize = 2;

#[derive(Debug, Clone)]
enum News {
    Content(Content),
    Deleted,
    Stock(usize, bool),
    Popularity(u32),
}

#[derive(Debug, Clone)]
enum Step {
    /// A new event of a product. A late one is published when the others are in the projection.
    News {
        number: usize,
        news: News,
        late: bool,
    },
    /// Publishes an event again, when all others are in the projection.
    Replay(prop::sample::Index),
    Kill,
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    let news = prop_oneof![
        5 => content().prop_map(News::Content),
        1 => Just(News::Deleted),
        4 => (0..2_usize, any::<bool>()).prop_map(|(variant, available)| News::Stock(variant, available)),
        // Small changes of a score are not indexed.
        2 => (0..4_u32).prop_map(|power| News::Popularity(10_u32.pow(power))),
    ];
    let news = (0..PRODUCTS, news, prop::bool::weighted(0.2));
    prop_oneof![
        30 => news.prop_map(|(number, news, late)| Step::News { number, news, late }),
        12 => any::<prop::sample::Index>().prop_map(Step::Replay),
        1 => Just(Step::Kill),
        1 => Just(Step::Rebuild),
    ]
}

#[derive(Debug, Clone)]
enum Event {
    Changed(Box<ProductChangedV1>),
    Deleted(ProductDeletedV1),
    Stock(StockChangedV1),
    Popularity(PopularityChangedV1),
}

async fn publish(suite: &Suite, event: &Event) {
    match event {
        Event::Changed(event) => suite.catalogue.publish(event.as_ref()).await,
        Event::Deleted(event) => suite.catalogue.publish(event).await,
        Event::Stock(event) => suite.inventory.publish(event).await,
        Event::Popularity(event) => suite.analytics.publish(event).await,
    }
}

/// The state of a product according to its newest events.
#[derive(Debug, Default)]
struct Product {
    version: i64,
    content: Option<Content>,
    stock: [i64; 2],
    available: BTreeSet<usize>,
    popularity: (i64, u32),
}

impl Product {
    fn document(&self, id: ProductId) -> Option<Document> {
        let popularity = f64::from(self.popularity.1);
        let content = self.content.as_ref()?;
        Some(content.document(id.as_uuid(), self.version, &self.available, popularity))
    }

    fn event(&mut self, id: ProductId, news: News) -> Event {
        match news {
            News::Content(content) => {
                self.version += 1;
                let event = changed(id, self.version, &content);
                self.content = Some(content);
                Event::Changed(Box::new(event))
            }
            News::Deleted => {
                self.version += 1;
                self.content = None;
                Event::Deleted(product_deleted(id, self.version))
            }
            News::Stock(variant, available) => {
                self.stock[variant] += 1;
                if available {
                    self.available.insert(variant);
                } else {
                    self.available.remove(&variant);
                }
                let pieces = if available { 3 } else { 0 };
                Event::Stock(stock_changed(&sku(id, variant), self.stock[variant], pieces))
            }
            News::Popularity(score) => {
                self.popularity = (self.popularity.0 + 1, score);
                Event::Popularity(popularity_changed(id, self.popularity.0, score.into()))
            }
        }
    }
}

fn sku(id: ProductId, variant: usize) -> String {
    format!("{}-{variant}", id.as_uuid().simple())
}

/// The event of a product with this content.
fn changed(id: ProductId, version: i64, content: &Content) -> ProductChangedV1 {
    let all = (0..content.variants.len()).collect();
    let document = content.document(id.as_uuid(), version, &all, 0.0);
    let skus: Vec<String> = (0..all.len()).map(|variant| sku(id, variant)).collect();
    let skus: Vec<&str> = skus.iter().map(String::as_str).collect();
    let attributes = document.attributes.iter().map(|(name, attribute)| {
        let value = match attribute {
            Attribute::Words(words) => json!(words),
            Attribute::Number(number) => json!(number),
            Attribute::Flag(flag) => json!(flag),
        };
        (name.clone(), value)
    });
    let mut event = product_changed(id, version, &skus);
    let variants = event.variants.iter_mut().zip(&document.options).zip(&document.prices);
    for ((Variant { options, price, .. }, option), wanted) in variants {
        *options = [(option.name.clone(), option.value.clone())].into();
        *price = Money::new(wanted.amount, wanted.currency).unwrap();
    }
    ProductChangedV1 {
        title: serde_json::from_value(json!(document.title)).unwrap(),
        brand: Some(document.brand).filter(|brand| !brand.is_empty()),
        category: document.category,
        attributes: serde_json::from_value(attributes.collect::<Map<String, Value>>().into())
            .unwrap(),
        ..event
    }
}

/// Runs the steps; returns what the index should contain.
async fn run(suite: &mut Suite, steps: Vec<Step>) -> BTreeMap<ProductId, Product> {
    let ids: Vec<ProductId> = (0..PRODUCTS).map(|_| ProductId::new()).collect();
    let mut products: BTreeMap<ProductId, Product> = BTreeMap::new();
    let (mut events, mut late, mut replayed) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::News { number, news, late: is_late } => {
                let event = products.entry(ids[number]).or_default().event(ids[number], news);
                if is_late {
                    late.push(event.clone());
                } else {
                    publish(suite, &event).await;
                }
                events.push(event);
            }
            Step::Replay(place) if !events.is_empty() => {
                replayed.push(place.get(&events).clone());
            }
            Step::Replay(_) => {}
            Step::Kill => {
                suite.kill_service().await;
                suite.start_service().await;
            }
            Step::Rebuild => {
                let (status, body) =
                    answer(suite.as_operator(Method::POST, "/v1/index/rebuild")).await;
                assert_eq!(status, StatusCode::ACCEPTED, "{body}");
            }
        }
    }
    // Of several events of a product in one batch only the one published last is processed, because each has the full state.
    // An old one must not be taken for it.
    for events in [late, replayed] {
        suite.settle().await;
        for event in &events {
            publish(suite, event).await;
        }
    }
    products
}

#[tokio::test(flavor = "multi_thread")]
async fn random_events_leave_what_the_model_expects() {
    let mut suite = Suite::start().await;
    let mut runner = TestRunner::deterministic();
    let mut products: BTreeMap<ProductId, Product> = BTreeMap::new();
    for schedule in 0..SCHEDULES {
        let steps = vec(step(), 60..=60).new_tree(&mut runner).unwrap().current();
        products.extend(run(&mut suite, steps).await);
        suite.settle().await;
        wait_for("the index has every change", LONGEST_WAIT, async || {
            let state = suite.index().await;
            let is_done = state["behind"] == 0 && state["rebuilding"] == false;
            if is_done { Ok(()) } else { Err(state) }
        })
        .await
        .unwrap();
        suite.stop_service().await;
        let model: Model =
            products.iter().filter_map(|(id, product)| product.document(*id)).collect();
        let index = Index::open(&suite.index_version()).unwrap();
        model.assert_equals(&index, schedule, 2);
        suite.start_service().await;
    }
    suite.finish(0).await;
}
