//! The settings in use, shared by their loader and the searches.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::settings::SearchSettings;

/// The settings in use. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveSettings(Arc<ArcSwapOption<SearchSettings>>);

impl LiveSettings {
    /// The settings; `None` until they are loaded.
    pub(crate) fn settings(&self) -> Option<Arc<SearchSettings>> {
        self.0.load_full()
    }

    pub(crate) fn replace(&self, settings: SearchSettings) {
        self.0.store(Some(Arc::new(settings)));
    }
}
