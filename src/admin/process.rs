//! The process as the system sees it, under the names that all exporters use
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What the system says of this process. What it does not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Process {
    /// Processor time, of the system for it as well.
    pub cpu: Option<Duration>,
    /// Memory that is in use.
    pub resident_bytes: Option<u64>,
    /// Address space.
    pub virtual_bytes: Option<u64>,
    /// Open files and sockets.
    pub open_fds: Option<u64>,
    /// How many may be open.
    pub max_fds: Option<u64>,
    /// When it began, in seconds since 1970.
    pub start_seconds: Option<f64>,
}

impl Process {
    /// Processor time, of the system for it as well.
    pub fn cpu_time() -> Option<Duration> {
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()
    }

    /// Asks the system.
    pub fn look() -> Self {
        let mut process = Self {
            cpu: Self::cpu_time(),
            max_fds: getrlimit(Resource::Nofile).current,
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                // One of them is the folder that is being read.
                .map(|files| (files.count() as u64).saturating_sub(1)),
            ..Self::default()
        };
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            process.read_stat(&stat);
        }
        process
    }

    /// Reads a line of `proc(5)`, whose second field is in parentheses and may contain anything.
    fn read_stat(&mut self, stat: &str) {
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // The first of these is the third field.
        let field = |nth: usize| fields.get(nth - 3).and_then(|it| it.parse::<u64>().ok());
        self.virtual_bytes = field(23);
        self.resident_bytes = field(24).map(|pages| pages * page_size() as u64);
        self.start_seconds = field(22).and_then(|ticks| {
            #[allow(clippy::cast_precision_loss)] // a hundredth of a second
            let since_boot = ticks as f64 / clock_ticks_per_second() as f64;
            let now = clock_gettime(ClockId::Realtime);
            let up = clock_gettime(ClockId::Boottime);
            let seconds = |time| Duration::try_from(time).ok().map(|it| it.as_secs_f64());
            Some(seconds(now)? - seconds(up)? + since_boot)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_knows_this_process() {
        let process = Process::look();
        assert!(process.cpu.is_some());
        assert!(process.resident_bytes > Some(1 << 20));
        assert!(process.virtual_bytes > process.resident_bytes);
        assert!(process.open_fds.is_some_and(|open| open >= 3));
        assert!(process.max_fds > process.open_fds);
        let now = clock_gettime(ClockId::Realtime).tv_sec;
        #[allow(clippy::cast_precision_loss)]
        let age = now as f64 - process.start_seconds.unwrap();
        assert!((-1.0..100_000.0).contains(&age), "{age}");
    }

    #[test]
    fn a_name_may_contain_anything() {
        let mut process = Process::default();
        let fields: Vec<_> = (4..=30).map(|nth| nth.to_string()).collect();
        process.read_stat(&format!("7 (a) b ) c) S {}", fields.join(" ")));
        assert_eq!(process.virtual_bytes, Some(23));
        assert_eq!(process.resident_bytes, Some(24 * page_size() as u64));
    }
}
