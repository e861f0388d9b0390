//! What the HTTP handlers share, and how it is started.

use std::time::Duration;

use axum::extract::FromRef;
use messaging::{Outbox, Topology, republish::Republisher};
use runtime::{
    auth::Verifier,
    host::{Host, StartError},
};
use tokio::time::{Instant, sleep};
use vocabulary::Currency;

use crate::{
    app::{
        IndexerWaker, SettingsWaker, consistency::IndexConsistency, rebuild_index::IndexRebuilder,
        search_pool::SearchPool,
    },
    clients::product_catalog::CatalogClient,
    config::Config,
    index::{FolderError, IndexFolder, LiveIndex, LiveSettings},
    workers,
};

/// How long to wait for a stopping process to unlock the index folder.
const FOLDER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often to try to lock the index folder.
const FOLDER_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// What the HTTP handlers share.
#[derive(Clone, FromRef)]
pub struct AppState {
    outbox: Outbox,
    topology: Topology,
    republisher: Republisher,
    verifier: Verifier,
    live: LiveIndex,
    settings: LiveSettings,
    pool: SearchPool,
    /// The currency of searches that name none.
    shop_currency: Currency,
    rebuilder: IndexRebuilder,
    consistency: IndexConsistency,
}

impl AppState {
    /// Starts the indexer, the settings loader and the messaging. The handlers of `topology` wake `indexer` and
    /// `loader`.
    pub(crate) async fn start(
        host: &Host,
        config: &Config,
        topology: Topology,
        indexer: IndexerWaker,
        loader: SettingsWaker,
    ) -> Result<Self, StartError> {
        let url = config.product_catalog_url.clone();
        let catalogue = CatalogClient::new(url, host.client_tls()?);
        let folder = lock_folder(config).await.map_err(StartError::part("the search index"))?;
        let outbox = host.outbox.clone();
        let component = host.health.component("index");
        let (live, rebuilder) =
            workers::indexer::start(&host.lifecycle, component, &outbox, folder, indexer.clone());
        let component = host.health.component("settings");
        let settings =
            workers::settings_loader::start(&host.lifecycle, component, &outbox, loader.clone());
        let (topology, republisher) = host.start_messaging(topology);
        Ok(Self {
            consistency: IndexConsistency::new(
                outbox.clone(),
                live.clone(),
                indexer,
                loader,
                catalogue,
            ),
            pool: SearchPool::new(live.clone()),
            shop_currency: config.shop_currency,
            verifier: host.verifier.clone(),
            outbox,
            topology,
            republisher,
            live,
            settings,
            rebuilder,
        })
    }
}

async fn lock_folder(config: &Config) -> Result<IndexFolder, FolderError> {
    let deadline = Instant::now() + FOLDER_TIMEOUT;
    loop {
        match IndexFolder::lock(&config.index_dir) {
            Err(FolderError::InUse(path)) if Instant::now() < deadline => {
                tracing::info!(folder = %path.display(), "waiting for the index folder");
                sleep(FOLDER_POLL_INTERVAL).await;
            }
            result => return result,
        }
    }
}
