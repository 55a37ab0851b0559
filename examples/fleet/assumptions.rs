//! What the model assumes of the fleet, its clients and Redis. Each is a parameter: `--name value`.

use std::fmt;

/// The assumptions, with what they are if nothing else is said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assumptions {
    /// How many gateways there are.
    pub instances: u32,
    /// How many workers each has: a worker has its own leases, reject cache and connection.
    pub workers: u32,
    /// How many clients there are, most of them idle.
    pub clients: u32,
    /// How many requests a second they make together.
    pub requests: f64,
    /// How uneven they are: the client of rank `r` makes a share of `1 / r^zipf` of the requests.
    pub zipf: f64,
    /// How long a window lasts, in seconds.
    pub window: f64,
    /// What the limits that are sold admit a window, the smallest first. A client has the smallest
    /// that holds `headroom` times its use.
    pub tiers: Vec<u64>,
    /// See `tiers`.
    pub headroom: f64,
    /// The share of clients that are far over their limit: it is a tenth of what they ask for, or
    /// the smallest tier.
    pub over: f64,
    /// How many requests a second a client sends on one connection before it opens another.
    pub per_connection: f64,
    /// A lease is what the worker has used for the client in so many seconds, ...
    pub lease_seconds: f64,
    /// ... but at most one part in so many of what is left of the limit, and at least one; ...
    pub lease_parts: u64,
    /// ... and one for limits smaller than this.
    pub lease_smallest: u64,
    /// How many calls a second one shard of Redis does: one after the other on each of thousands of
    /// connections, and many at once on a few.
    pub shard_calls: Vec<u64>,
    /// How much of that may be used: a shard has to live through peaks and a neighbour's failover.
    pub fill: f64,
    /// What a counter takes of Redis' memory, in bytes.
    pub key_bytes: f64,
    /// The same seed, the same fleet.
    pub seed: u64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            instances: 1000,
            workers: 4,
            clients: 10_000_000,
            requests: 1_000_000.0,
            zipf: 1.0,
            window: 60.0,
            tiers: vec![60, 600, 6000, 60_000, 600_000, 6_000_000],
            headroom: 2.0,
            over: 0.05,
            per_connection: 20.0,
            lease_seconds: 1.0,
            lease_parts: 64,
            lease_smallest: 1024,
            shard_calls: vec![50_000, 90_000],
            fill: 0.5,
            key_bytes: 190.0,
            seed: 1,
        }
    }
}

impl Assumptions {
    /// How many requests one call is for that takes a lease.
    pub(crate) fn lease(&self, limit: u64, lately: u64, left: u64) -> u64 {
        if limit >= self.lease_smallest {
            lately.min(left / self.lease_parts).max(1)
        } else {
            1
        }
    }

    /// How long a worker remembers that a client is over its limit, in seconds. Where there are
    /// leases, some may be returned.
    pub(crate) fn refused_for(&self, limit: u64) -> f64 {
        if limit >= self.lease_smallest {
            1.0
        } else {
            f64::INFINITY
        }
    }

    /// Reads `--name value` pairs.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in words.
    pub(crate) fn read(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut assumptions = Self::default();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} has no value"))?;
            assumptions
                .set(&name, &value)
                .map_err(|wrong| format!("{name} {value}: {wrong}"))?;
        }
        Ok(assumptions)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "--instances" => self.instances = count(value)?,
            "--workers" => self.workers = count(value)?,
            "--clients" => self.clients = count(value)?,
            "--requests" => self.requests = positive(value)?,
            "--zipf" => self.zipf = positive(value)?,
            "--window" => self.window = positive(value)?,
            "--tiers" => self.tiers = counts(value)?,
            "--headroom" => self.headroom = positive(value)?,
            "--over" => self.over = share(value)?,
            "--per-connection" => self.per_connection = positive(value)?,
            "--lease-seconds" => self.lease_seconds = positive(value)?,
            "--lease-parts" => self.lease_parts = count(value)?.into(),
            "--lease-smallest" => self.lease_smallest = count(value)?.into(),
            "--shard-calls" => self.shard_calls = counts(value)?,
            "--fill" => self.fill = positive(value)?,
            "--key-bytes" => self.key_bytes = positive(value)?,
            "--seed" => self.seed = value.parse().map_err(|_| "a whole number is wanted")?,
            _ => return Err("there is no such parameter"),
        }
        Ok(())
    }

    /// A fleet of `instances` with as many clients and requests for each instance.
    pub(crate) fn scaled_to(&self, instances: u32) -> Self {
        let share = f64::from(instances) / f64::from(self.instances);
        Self {
            instances,
            clients: ((f64::from(self.clients) * share) as u32).max(1),
            requests: self.requests * share,
            ..self.clone()
        }
    }

    /// All workers of the fleet.
    pub(crate) fn all_workers(&self) -> usize {
        self.instances as usize * self.workers as usize
    }

    /// What one shard may be asked to do a second, for each figure of what it can do.
    pub(crate) fn shard_budgets(&self) -> impl Iterator<Item = f64> {
        let of = |calls: &u64| *calls as f64 * self.fill;
        self.shard_calls.iter().map(of)
    }
}

impl fmt::Display for Assumptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "--instances {} --workers {} --clients {} --requests {} --zipf {}",
            self.instances, self.workers, self.clients, self.requests, self.zipf
        )?;
        writeln!(
            f,
            "--window {} --tiers {} --headroom {} --over {} --per-connection {}",
            self.window,
            listed(&self.tiers),
            self.headroom,
            self.over,
            self.per_connection
        )?;
        write!(
            f,
            "--lease-seconds {} --lease-parts {} --lease-smallest {} --shard-calls {} --fill {} --key-bytes {} --seed {}",
            self.lease_seconds,
            self.lease_parts,
            self.lease_smallest,
            listed(&self.shard_calls),
            self.fill,
            self.key_bytes,
            self.seed
        )
    }
}

/// Beyond this it would take hours.
const MOST: u32 = 100_000_000;

fn count(value: &str) -> Result<u32, &'static str> {
    let count = value.parse().ok();
    count
        .filter(|count| (1..=MOST).contains(count))
        .ok_or("a whole number from 1 to 100000000 is wanted")
}

fn positive(value: &str) -> Result<f64, &'static str> {
    let number = value.parse().ok();
    number
        .filter(|number: &f64| number.is_finite() && *number > 0.0)
        .ok_or("a number above 0 is wanted")
}

fn share(value: &str) -> Result<f64, &'static str> {
    let number = value.parse().ok();
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or("a number from 0 to 1 is wanted")
}

/// Several, the smallest first.
fn counts(value: &str) -> Result<Vec<u64>, &'static str> {
    let mut counts = Vec::new();
    for part in value.split(',') {
        counts.push(count(part)?.into());
    }
    counts.sort_unstable();
    Ok(counts)
}

fn listed(counts: &[u64]) -> String {
    let words: Vec<String> = counts.iter().map(u64::to_string).collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &str) -> Result<Assumptions, String> {
        Assumptions::read(args.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let other = read("--instances 7 --tiers 600,60 --over 0.25 --seed 9").unwrap();
        assert_eq!(other.tiers, [60, 600]);
        assert_eq!(read(&other.to_string()).unwrap(), other);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, why) in [
            ("--instances", "--instances has no value"),
            ("--instance 3", "--instance 3: there is no such parameter"),
            ("--over 2", "--over 2: a number from 0 to 1 is wanted"),
            ("--fill 0", "--fill 0: a number above 0 is wanted"),
        ] {
            assert_eq!(read(args).unwrap_err(), why);
        }
    }
}
