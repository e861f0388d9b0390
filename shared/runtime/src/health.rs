//! Whether the process lives, and whether it can do its work and, if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::Lifecycle;

/// The components that a process needs, and how they are. Clones are the same registry.
#[derive(Debug, Clone)]
pub struct Health {
    components: Arc<RwLock<BTreeMap<String, Status>>>,
    stopping: CancellationToken,
}

/// How a component is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Up,
    /// It does not, for this reason.
    Down {
        /// Why, for people.
        reason: String,
    },
}

/// What `/health/ready` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `up` if every component is, else `down`.
    #[schema(value_type = String, example = "up")]
    pub status: &'static str,
    /// Each component.
    pub components: BTreeMap<String, Status>,
}

impl Health {
    /// A registry without components; it is not ready once `lifecycle` shuts down.
    pub fn new(lifecycle: &Lifecycle) -> Health {
        Health { components: Arc::default(), stopping: lifecycle.soft() }
    }

    /// Adds a component, which is down with the reason `starting` until it says otherwise.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { health: self.clone(), name: name.into() };
        component.health.set(&component.name, Status::Down { reason: "starting".to_owned() });
        component
    }

    /// How everything is, now.
    pub fn readiness(&self) -> Readiness {
        let mut components = self.components.read().unwrap_or_else(PoisonError::into_inner).clone();
        if self.stopping.is_cancelled() {
            let reason = "shutting down".to_owned();
            components.insert("process".to_owned(), Status::Down { reason });
        }
        let up = components.values().all(|status| *status == Status::Up);
        Readiness { status: if up { "up" } else { "down" }, components }
    }

    /// Whether every component is up and the process is not stopping.
    pub fn is_ready(&self) -> bool {
        self.readiness().status == "up"
    }

    /// Sets the status and answers whether it is another kind than before.
    fn set(&self, name: &str, status: Status) -> bool {
        let mut components = self.components.write().unwrap_or_else(PoisonError::into_inner);
        let was_up = matches!(components.get(name), Some(Status::Up));
        let is_up = status == Status::Up;
        components.insert(name.to_owned(), status);
        was_up != is_up
    }
}

/// The handle by which a component says how it is.
#[derive(Debug, Clone)]
pub struct Component {
    health: Health,
    name: String,
}

impl Component {
    /// It works.
    pub fn up(&self) {
        if self.health.set(&self.name, Status::Up) {
            tracing::info!(component = self.name, "up");
        }
    }

    /// It does not, for this reason; the reason is shown to whoever asks, so it holds no secret.
    pub fn down(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.health.set(&self.name, Status::Down { reason: reason.clone() }) {
            tracing::warn!(component = self.name, reason, "down");
        }
    }
}
