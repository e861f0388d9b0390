//! The stream of user events: stores each event once.

use messaging::{Failure, Transaction, streams::StreamHandler};

use crate::app::{model_waker::ModelWaker, store_user_events::store_user_events};

#[derive(Debug, Clone)]
pub(crate) struct StoreUserEvents(pub(crate) ModelWaker);

impl StreamHandler for StoreUserEvents {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        store_user_events(tx, messages, &self.0).await
    }
}
