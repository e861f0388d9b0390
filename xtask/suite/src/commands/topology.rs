//! Compares a broker with the topology that the services declare, and brings it into line.

use std::{collections::BTreeSet, process::ExitCode};

use messaging::{
    SlotGroups,
    declarations::Declarations,
    topology_plan::{self, BrokerState, Change, Plan, PruneOptions, management_of},
};
use serde::Serialize;
use suite::{Error, State, output};
use testkit::ManagementClient;
use xtask::arguments::{Topology, TopologyPrune, TopologyTarget};

use super::{
    declared::{declared, definitions},
    supervise::variable,
};

/// The exit code if the broker differs.
const DIFFERS: u8 = 3;

/// Prints the plan, or what was changed.
pub(crate) async fn run(arguments: &Topology) -> Result<ExitCode, Error> {
    let (Topology::Plan(target)
    | Topology::Apply(target)
    | Topology::Prune(TopologyPrune { target, .. })) = arguments
    else {
        output::line(pretty(&definitions(&declared().await?))?);
        return Ok(ExitCode::SUCCESS);
    };
    let broker = Broker::of(target)?;
    let declared = declared().await?;
    let groups: SlotGroups = variable("SLOT_GROUPS").unwrap_or_default().parse()?;
    let unknown = unknown_aggregates(&groups, &declared);
    if !unknown.is_empty() {
        return Err(Error::UnknownAggregates(unknown.join(", ")));
    }
    let plan = broker.plan(&declared, &target.removed_service).await?;
    match arguments {
        Topology::Plan(_) => {
            print(target, &plan, || plan.to_string().trim_end().to_owned())?;
            let differs = ExitCode::from(DIFFERS);
            return Ok(if plan.is_in_line() { ExitCode::SUCCESS } else { differs });
        }
        Topology::Apply(_) => {
            let mut changes = topology_plan::apply(&broker.amqp_url, &plan).await?;
            changes.extend(topology_plan::republish_unrouted(&broker.amqp_url, &plan).await?);
            print_changes(target, &changes)?;
        }
        Topology::Definitions => {}
        Topology::Prune(prune) => {
            let unknown = plan.not_unused(&prune.names);
            if !unknown.is_empty() {
                return Err(Error::NotUnused(unknown.join(", ")));
            }
            let options =
                PruneOptions { names: prune.names.clone(), with_messages: prune.with_messages };
            let changes = topology_plan::prune(&broker.amqp_url, &plan, &options).await?;
            print_changes(target, &changes)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The aggregates of the setting to which no service subscribes: a wrong name would change nothing, unnoticed.
fn unknown_aggregates<'a>(groups: &'a SlotGroups, declared: &[Declarations]) -> Vec<&'a str> {
    let bindings = declared.iter().flat_map(|service| &service.bindings);
    let known: BTreeSet<&str> = bindings
        .filter_map(|binding| binding.routing_key.rsplit_once('.'))
        .map(|(aggregate, _)| aggregate)
        .collect();
    groups.aggregates().filter(|aggregate| !known.contains(aggregate)).collect()
}

fn print_changes(target: &TopologyTarget, changes: &[Change]) -> Result<(), Error> {
    print(target, &changes, || {
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        if lines.is_empty() { "There is nothing to do.".to_owned() } else { lines.join("\n") }
    })
}

fn print(
    target: &TopologyTarget,
    value: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Error> {
    if target.json {
        output::line(pretty(value)?);
    } else {
        output::line(text());
    }
    Ok(())
}

fn pretty(value: &impl Serialize) -> Result<String, Error> {
    let invalid = |source| Error::Content { path: "standard output".into(), source };
    serde_json::to_string_pretty(value).map_err(invalid)
}

/// A vhost of a broker.
struct Broker {
    amqp_url: String,
    vhost: String,
    management: ManagementClient,
}

impl Broker {
    /// The broker that the options name, or that of the running suite.
    fn of(target: &TopologyTarget) -> Result<Self, Error> {
        let of_suite = || -> Result<(String, Option<String>), Error> {
            let state = State::running()?.ok_or(Error::NotRunning)?;
            Ok((state.amqp_url.ok_or(Error::NotRunning)?, state.management_url))
        };
        let (amqp_url, management_url) = match &target.amqp_url {
            Some(url) => (url.clone(), None),
            None => of_suite()?,
        };
        let (vhost, default_url) = management_of(&amqp_url).ok_or(Error::AmqpUrl)?;
        let management_url = target.management_url.clone().or(management_url);
        let management = ManagementClient::new(&management_url.unwrap_or(default_url))?;
        Ok(Self { amqp_url, vhost, management })
    }

    async fn plan(&self, declared: &[Declarations], removed: &[String]) -> Result<Plan, Error> {
        let found = BrokerState {
            exchanges: self.management.list("exchanges", &self.vhost).await?,
            queues: self.management.list("queues", &self.vhost).await?,
            bindings: self.management.list("bindings", &self.vhost).await?,
        };
        Ok(Plan::new(declared, removed, &found))
    }
}

#[cfg(test)]
mod tests {
    use messaging::{OnReject, Subscription, Topology};

    use super::unknown_aggregates;

    #[test]
    fn an_aggregate_without_a_subscription_is_unknown() {
        let subscription = Subscription::to("order", ["order"], OnReject::BlockKey);
        let declared = [Topology::new("inventory").subscribes(subscription).declarations()];
        let groups = "order=4,oder=8".parse().unwrap();
        assert_eq!(unknown_aggregates(&groups, &declared), ["oder"]);
    }
}
