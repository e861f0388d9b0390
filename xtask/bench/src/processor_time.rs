//! Processor time from `/proc`. It does not depend on what else runs on the machine.

use std::{fs, time::Duration};

/// The unit of the counters in `/proc`: Linux reports hundredths of a second on every platform.
const TICK: Duration = Duration::from_millis(10);

/// A process and its processor time in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    id: u32,
    parent: u32,
    own: u64,
    /// Of its children that have ended, and of theirs.
    ended_children: u64,
}

impl Stat {
    /// Parses `/proc/<id>/stat`.
    fn parse(text: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may itself contain spaces and parentheses.
        let (start, rest) = text.rsplit_once(") ")?;
        let id = start.split(' ').next()?.parse().ok()?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended_children: ticks(13)? + ticks(14)?,
        })
    }
}

/// All processes of the machine at one time.
#[derive(Debug)]
pub(crate) struct Processes(Vec<Stat>);

impl Processes {
    pub(crate) fn read() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        let stats = entries.filter_map(|entry| {
            entry.file_name().to_str().filter(|name| is_process(name))?;
            Stat::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)
        });
        Self(stats.collect())
    }

    /// The processor time of a process and all its descendants, also those that have ended.
    pub(crate) fn of_tree(&self, root: u32) -> Duration {
        let mut tree: Vec<&Stat> = self.0.iter().filter(|stat| stat.id == root).collect();
        let mut next = 0;
        while let Some(parent) = tree.get(next).map(|stat| stat.id) {
            tree.extend(self.0.iter().filter(|stat| stat.parent == parent && stat.id != parent));
            next += 1;
        }
        duration(tree.iter().map(|stat| stat.own + stat.ended_children).sum())
    }
}

/// The name of a running process.
pub(crate) fn name_of(id: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{id}/comm")).ok()?.trim_end().to_owned())
}

/// The processor time of this process, without its children.
pub(crate) fn of_this_process() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Stat::parse(&text).map_or(Duration::ZERO, |stat| duration(stat.own))
}

/// The time that all processors together were not idle.
pub(crate) fn of_machine() -> Duration {
    busy(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

/// Parses the first line of `/proc/stat`.
fn busy(text: &str) -> Duration {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "));
    let fields = line.into_iter().flat_map(str::split_whitespace);
    // user, nice, system, idle, iowait, irq, softirq. Guests are part of user.
    let ticks = fields.take(7).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
    duration(ticks.filter_map(|(_, text)| text.parse::<u64>().ok()).sum())
}

fn duration(ticks: u64) -> Duration {
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Processes, Stat, busy};

    fn stat(id: u32, parent: u32, own: u64, ended_children: u64) -> Stat {
        Stat { id, parent, own, ended_children }
    }

    #[test]
    fn names_may_contain_spaces_and_parentheses() {
        let line = "7 (a) (b c) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 1 0 5 6 7";
        assert_eq!(Stat::parse(line), Some(stat(7, 3, 120, 34)));
    }

    #[test]
    fn a_tree_has_all_descendants_and_no_others() {
        let all = [stat(1, 0, 1_000, 0), stat(5, 4, 1, 0), stat(4, 1, 10, 100), stat(6, 1, 500, 0)];
        assert_eq!(Processes(all.to_vec()).of_tree(4), Duration::from_millis(1_110));
        assert_eq!(Processes(Vec::new()).of_tree(4), Duration::ZERO);
    }

    #[test]
    fn idle_time_and_waiting_for_disks_is_not_busy() {
        let text = "cpu  10 1 5 1000 200 2 3 0 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n";
        assert_eq!(busy(text), Duration::from_millis(210));
    }
}
