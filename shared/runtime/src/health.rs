//! Liveness and readiness of the process, with reasons.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;

/// The registry of components and their status. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    components: Arc<RwLock<BTreeMap<String, Status>>>,
    stopping: CancellationToken,
}

/// The status of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    Up,
    Down { reason: String },
}

/// The body of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `up` if every component is up, else `down`.
    #[schema(value_type = String, example = "up")]
    pub status: &'static str,
    pub components: BTreeMap<String, Status>,
}

impl Health {
    /// An empty registry; it reports `down` once `lifecycle` shuts down.
    pub fn new(lifecycle: &Lifecycle) -> Health {
        Health { components: Arc::default(), stopping: lifecycle.soft() }
    }

    /// Adds a component, which is down with the reason `starting` until it reports otherwise.
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { health: self.clone(), name: name.into() };
        component.health.set(&component.name, Status::Down { reason: "starting".to_owned() });
        component
    }

    /// The current status of all components.
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

    /// Sets the status; returns whether the component went up or down.
    fn set(&self, name: &str, status: Status) -> bool {
        let mut components = self.components.write().unwrap_or_else(PoisonError::into_inner);
        let was_up = matches!(components.get(name), Some(Status::Up));
        let is_up = status == Status::Up;
        components.insert(name.to_owned(), status);
        was_up != is_up
    }
}

/// The handle with which a component reports its status.
#[derive(Debug, Clone)]
pub struct Component {
    health: Health,
    name: String,
}

impl Component {
    /// Reports that the component works.
    pub fn up(&self) {
        if self.health.set(&self.name, Status::Up) {
            tracing::info!(component = self.name, "up");
        }
    }

    /// Reports that the component does not work. The reason is public: it must hold no secret.
    pub fn down(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.health.set(&self.name, Status::Down { reason: reason.clone() }) {
            tracing::warn!(component = self.name, reason, "down");
        }
    }
}
