//! Who waits in this process for something to happen to a product.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use vocabulary::ProductId;

/// How many may wait at once; each looks at the database once a second besides being woken.
const MAX_FOLLOWERS: usize = 1_000;

/// Those who wait. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    count: usize,
    products: HashMap<ProductId, watch::Sender<()>>,
}

/// A place among those who wait for a product, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Follower {
    followers: Followers,
    product: ProductId,
    woken: Option<watch::Receiver<()>>,
}

impl Followers {
    /// Follows a product; `None` if too many wait already. Whatever happens from now on wakes the follower, so what has
    /// happened before is to be looked at after this call.
    pub(crate) fn follow(&self, product: ProductId) -> Option<Follower> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.count >= MAX_FOLLOWERS {
            return None;
        }
        waiting.count += 1;
        let sender = waiting.products.entry(product).or_insert_with(|| watch::Sender::new(()));
        let woken = Some(sender.subscribe());
        Some(Follower { followers: self.clone(), product, woken })
    }

    /// Wakes all who follow one of `products`.
    pub(crate) fn wake(&self, products: &[ProductId]) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.count == 0 {
            return;
        }
        for product in products {
            if let Some(sender) = waiting.products.get(product) {
                sender.send_replace(());
            }
        }
    }
}

impl Follower {
    /// Waits until something has happened since the last call.
    pub(crate) async fn woken(&mut self) {
        if let Some(woken) = &mut self.woken {
            // The sender lives as long as somebody follows the product.
            let _ = woken.changed().await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut waiting = self.followers.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.count -= 1;
        self.woken = None;
        let deserted = |sender: &watch::Sender<()>| sender.receiver_count() == 0;
        if waiting.products.get(&self.product).is_some_and(deserted) {
            waiting.products.remove(&self.product);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Followers, MAX_FOLLOWERS, ProductId};

    #[tokio::test]
    async fn followers_of_a_product_are_woken_and_nobody_else() {
        let followers = Followers::default();
        let [p, q] = [ProductId::new(), ProductId::new()];
        let (mut first, mut second) = (followers.follow(p).unwrap(), followers.follow(p).unwrap());
        let mut other = followers.follow(q).unwrap();
        followers.wake(&[p]);
        first.woken().await;
        second.woken().await;
        tokio::select! {
            biased;
            () = other.woken() => panic!("nothing happened to the other product"),
            () = async {} => {}
        }
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let followers = Followers::default();
        let product = ProductId::new();
        let places: Vec<_> =
            (0..MAX_FOLLOWERS).map(|_| followers.follow(product).unwrap()).collect();
        assert!(followers.follow(product).is_none());
        drop(places);
        assert!(followers.0.lock().unwrap().products.is_empty());
        assert!(followers.follow(product).is_some());
    }
}
