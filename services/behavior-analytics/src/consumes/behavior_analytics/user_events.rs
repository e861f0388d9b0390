//! The stream of user events: stores each event once.

use messaging::{Failure, Transaction, streams::StreamHandler};

use crate::app::{
    classify_events::Histories, model_waker::ModelWaker, store_user_events::store_user_events,
};

#[derive(Debug, Clone)]
pub(crate) struct StoreUserEvents {
    pub(crate) waker: ModelWaker,
    pub(crate) histories: Histories,
}

impl StreamHandler for StoreUserEvents {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        store_user_events(tx, messages, &self.waker, &self.histories).await
    }
}
