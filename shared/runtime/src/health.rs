//! Liveness and readiness of the process, with reasons.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
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
    /// A part of it does not work. The service still answers requests.
    Degraded {
        reason: String,
        since: DateTime<Utc>,
    },
    Down {
        reason: String,
        since: DateTime<Utc>,
    },
}

/// The body of `/health/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `down` if any component is down, else `degraded` if any is degraded, else `up`.
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
        let starting = Status::Down { reason: "starting".to_owned(), since: now() };
        component.health.set(&component.name, starting);
        component
    }

    /// The current status of all components.
    pub fn readiness(&self) -> Readiness {
        let mut components = self.components.read().unwrap_or_else(PoisonError::into_inner).clone();
        if self.stopping.is_cancelled() {
            let stopping = Status::Down { reason: "shutting down".to_owned(), since: now() };
            components.insert("process".to_owned(), stopping);
        }
        let worst = components.values().max_by_key(|status| status.severity());
        Readiness { status: worst.map_or("up", Status::name), components }
    }

    /// Whether no component is down and the process is not stopping.
    pub fn is_ready(&self) -> bool {
        self.readiness().status != "down"
    }

    /// Sets the status; returns whether the component went up or down, or became degraded.
    fn set(&self, name: &str, status: Status) -> bool {
        let mut components = self.components.write().unwrap_or_else(PoisonError::into_inner);
        let previous = components.get(name).cloned().unwrap_or(Status::Up);
        let is_change = previous.name() != status.name();
        components.insert(name.to_owned(), status.after(&previous));
        is_change
    }
}

impl Status {
    const fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded { .. } => "degraded",
            Self::Down { .. } => "down",
        }
    }

    const fn severity(&self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Degraded { .. } => 1,
            Self::Down { .. } => 2,
        }
    }

    /// The same status, since the same time as `previous` if that has the same name.
    fn after(self, previous: &Self) -> Self {
        match (self, previous) {
            (Self::Degraded { reason, .. }, Self::Degraded { since, .. }) => {
                Self::Degraded { reason, since: *since }
            }
            (Self::Down { reason, .. }, Self::Down { since, .. }) => {
                Self::Down { reason, since: *since }
            }
            (status, _) => status,
        }
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

    /// Reports that a part of the component does not work. The reason is public: it must hold no secret.
    pub fn degraded(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.health.set(&self.name, Status::Degraded { reason: reason.clone(), since: now() }) {
            tracing::warn!(component = self.name, reason, "degraded");
        }
    }

    /// Reports that the component does not work. The reason is public: it must hold no secret.
    pub fn down(&self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.health.set(&self.name, Status::Down { reason: reason.clone(), since: now() }) {
            tracing::warn!(component = self.name, reason, "down");
        }
    }
}

fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}
