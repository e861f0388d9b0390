//! A private cluster of RabbitMQ nodes.

use std::time::Duration;

use crate::{
    data_dir::DataDir,
    error::Error,
    rabbitmq::{NodeSettings, RabbitMq, RabbitMqSettings, random_cookie},
    vhost::Vhost,
    wait::wait_for,
};

/// The smallest cluster that tolerates the loss of one node.
const NODES: usize = 3;

const JOIN_TIMEOUT: Duration = Duration::from_mins(1);

/// Limits the time in which the queue members of a restarted node catch up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_mins(1);

/// Three RabbitMQ nodes on this machine, each with its own ports and data. A quorum queue has a member on each node.
#[derive(Debug)]
pub struct RabbitMqCluster {
    nodes: Vec<RabbitMq>,
}

impl RabbitMqCluster {
    /// Starts the first node, then the other two at once.
    pub async fn start() -> Result<Self, Error> {
        let cookie = random_cookie();
        let first = start_node(0, &cookie, None).await?;
        let port_mapper = Some(first.ports().port_mapper);
        let (second, third) = tokio::try_join!(
            start_node(1, &cookie, port_mapper),
            start_node(2, &cookie, port_mapper),
        )?;
        let cluster = Self { nodes: vec![first, second, third] };
        for node in &cluster.nodes {
            // A node accepts connections before it has started completely. A vhost created by then never starts on it.
            node.rabbitmqctl(&["await_startup"]).await?;
            wait_for("all nodes have joined the cluster", JOIN_TIMEOUT, async || {
                match node.management().running_nodes().await {
                    Ok(NODES) => Ok(()),
                    Ok(running) => Err(format!("{running} running")),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await?;
        }
        Ok(cluster)
    }

    /// Creates an empty vhost. Its URL names all nodes, the first node first; its statistics come from the first node.
    pub async fn create_vhost(&self) -> Result<Vhost, Error> {
        let urls: Vec<String> = self.nodes.iter().map(RabbitMq::url).collect();
        Vhost::create_on(&urls, self.nodes[0].management().clone()).await
    }

    /// Removes the member of a quorum queue from a node (1 or 2).
    pub async fn remove_member(&self, vhost: &str, queue: &str, node: usize) -> Result<(), Error> {
        let node = node_name(node);
        let call = format!(
            "case rabbit_quorum_queue:delete_member(<<\"{vhost}\">>, <<\"{queue}\">>, '{node}') of ok -> ok end."
        );
        self.nodes[0].rabbitmqctl(&["eval", &call]).await
    }

    /// Kills a node (0 to 2) with SIGKILL.
    pub async fn kill(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].kill().await
    }

    /// Restarts a killed node without waiting for its queues.
    pub async fn start_again(&mut self, node: usize) -> Result<(), Error> {
        self.nodes[node].restart().await
    }

    /// Restarts a killed node and waits until every queue would keep its majority without any one node.
    pub async fn restart(&mut self, node: usize) -> Result<(), Error> {
        self.start_again(node).await?;
        for node in &self.nodes {
            wait_for("every queue tolerates the loss of a node", CATCH_UP_TIMEOUT, async || {
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

/// Starts the node `number` and joins it to the first.
async fn start_node(
    number: usize,
    cookie: &str,
    port_mapper: Option<u16>,
) -> Result<RabbitMq, Error> {
    let node = NodeSettings {
        name: node_name(number),
        seed_node: node_name(0),
        cookie: cookie.to_owned(),
        port_mapper,
    };
    let settings = RabbitMqSettings::in_folder(DataDir::in_memory("rabbitmq")?);
    RabbitMq::start_node(node, settings).await
}

fn node_name(number: usize) -> String {
    format!("shop-{number}@localhost")
}
