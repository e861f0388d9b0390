//! A private cluster of RabbitMQ nodes.

use std::time::Duration;

use crate::rabbitmq::{Place, cookie};
use crate::wait::wait_for;
use crate::{Error, Folder, RabbitMq, RabbitMqSettings, Vhost};

/// How many nodes a cluster has: the fewest of which one may die.
const NODES: usize = 3;

/// How long the nodes may take to know one another.
const JOIN: Duration = Duration::from_mins(1);

/// How long a node that came back may take to be a full member of all queues.
const CATCH_UP: Duration = Duration::from_mins(1);

/// Three RabbitMQ nodes on this machine, each with ports and data of its own. Quorum queues have a member on each.
#[derive(Debug)]
pub struct RabbitMqCluster {
    nodes: Vec<RabbitMq>,
}

impl RabbitMqCluster {
    /// Starts one; it takes as long as two servers after one another.
    ///
    /// # Errors
    ///
    /// When RabbitMQ is not installed or a node does not come up.
    pub async fn start() -> Result<Self, Error> {
        let cookie = cookie();
        let first = start_node(0, &cookie, None).await?;
        let port_mapper = Some(first.ports().port_mapper);
        let (second, third) = tokio::try_join!(
            start_node(1, &cookie, port_mapper),
            start_node(2, &cookie, port_mapper),
        )?;
        let cluster = Self { nodes: vec![first, second, third] };
        for node in &cluster.nodes {
            // A node takes connections before all of it has started; a vhost that is created then never comes up on it.
            node.control(&["await_startup"]).await?;
            wait_for("the nodes know one another", JOIN, async || {
                match node.management().running_nodes().await {
                    Ok(NODES) => Ok(()),
                    Ok(running) => Err(format!("{running} run")),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await?;
        }
        Ok(cluster)
    }

    /// An empty vhost. Its address is those of all nodes, the first node's first; its counts come from the first node.
    ///
    /// # Errors
    ///
    /// When the first node refuses.
    pub async fn create_vhost(&self) -> Result<Vhost, Error> {
        let urls: Vec<String> = self.nodes.iter().map(RabbitMq::url).collect();
        Vhost::create_on(&urls, self.nodes[0].management().clone()).await
    }

    /// Kills a node, 0 to 2, with SIGKILL.
    ///
    /// # Errors
    ///
    /// When it does not run or is not gone in time.
    pub async fn kill(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].kill().await
    }

    /// Starts a killed node again, and waits until any other may be killed: no queue would lose its majority.
    ///
    /// # Errors
    ///
    /// When it does not come up or the queues do not become whole.
    pub async fn restart(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].restart().await?;
        for node in &self.nodes {
            wait_for("all queues are whole", CATCH_UP, async || {
                match node.management().is_quorum_critical().await {
                    Ok(false) => Ok(()),
                    Ok(true) => Err("a queue would lose its majority".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await?;
        }
        Ok(())
    }
}

/// Starts the node `number`, which joins the first.
async fn start_node(
    number: usize,
    cookie: &str,
    port_mapper: Option<u16>,
) -> Result<RabbitMq, Error> {
    let name = |number: usize| format!("shop-{number}@localhost");
    let place =
        Place { node: name(number), joins: name(0), cookie: cookie.to_owned(), port_mapper };
    let settings = RabbitMqSettings { folder: Folder::temporary("rabbitmq")?, ports: None };
    RabbitMq::start_at(place, settings).await
}
