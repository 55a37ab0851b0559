//! How many files and sockets the process may have open, and how many connections fit: accepting
//! more would take the files that upstreams, Redis and logs need, and cost established clients their
//! answers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::StartError;

/// What the process opens besides connections, those files not counted that are open at the start.
const RESERVE: u64 = 64;
/// The same for each worker: its event queue, and connections to Redis.
const RESERVE_PER_WORKER: u64 = 8;
/// What has to be left beside all that is open before clients come: a connection of one and that to its
/// service, a lookup, a log that is opened anew, an operator who asks why; and for threads that are there
/// already and have yet to open theirs.
const LEAST_LEFT: u64 = 16;

/// Raises the soft limit of open files to the hard one, and returns that limit and how many
/// connections of clients fit below it beside those of operators, if it is a limit at all.
pub(super) fn raise_limit(workers: usize, operators: usize) -> Option<(u64, usize)> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // The soft limit is for programs that use select(2).
    let raised = setrlimit(Resource::Nofile, raised).is_ok();
    let files = if raised { limit.maximum } else { limit.current }?;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    Some((
        files,
        fitting(files, (open + operators) as u64, workers as u64),
    ))
}

/// Refuses to serve where nobody could be served: `more` files are still to be opened beside those that
/// are.
pub(super) fn check_room(more: usize) -> Result<(), StartError> {
    let Some(limit) = getrlimit(Resource::Nofile).current else {
        return Ok(());
    };
    // Where not even a folder can be opened, there is no room.
    let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    let open = open.map_or(limit, |open| open as u64);
    let needed = open + more as u64 + LEAST_LEFT;
    if needed <= limit {
        return Ok(());
    }
    Err(StartError::OpenFiles { limit, needed })
}

/// Each connection of a client may need one to a service.
fn fitting(files: u64, open: u64, workers: u64) -> usize {
    let others = open + RESERVE + RESERVE_PER_WORKER * workers;
    let fitting = files.saturating_sub(others) / 2;
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_file_for_the_service_of_a_client() {
        assert_eq!(fitting(1024, 20, 2), 462);
        assert_eq!(fitting(1_048_576, 40, 16), 524_172);
        assert_eq!(fitting(60, 20, 2), 1, "it can at least be asked how it is");
        assert_eq!(fitting(0, u64::from(u32::MAX), 1024), 1);
    }
}
