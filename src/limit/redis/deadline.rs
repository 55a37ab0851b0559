//! Deadlines for what is asked of Redis. Only time counts in which this thread ran and could have
//! read a reply: on a machine that is too busy it runs late, has perhaps not even sent the call, and
//! that is no failure of Redis.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::CallError;

/// Into so many parts a deadline is divided; one of them that takes twice as long does not count.
const PARTS: u32 = 5;

/// By so much a timer may be late without saying anything.
const TICK: Duration = Duration::from_millis(2);

/// So many parts may not count, lest a Redis that is gone be waited for without end.
const MOST_LATE: u32 = 20;

/// Waits for a call no longer than this.
pub(in crate::limit) async fn in_time<T>(
    longest: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let mut call = pin!(call);
    let part = longest / PARTS;
    let (mut waited, mut late) = (Duration::ZERO, 0);
    while waited < longest && late < MOST_LATE {
        let begun = Instant::now();
        if let Ok(reply) = timeout(part, &mut call).await {
            return reply;
        }
        let took = begun.elapsed();
        if took <= part * 2 + TICK {
            waited += took;
        } else {
            late += 1;
        }
    }
    Err(CallError::Silent)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Poll;
    use std::thread;

    use super::*;

    const LONGEST: Duration = Duration::from_millis(50);

    /// As long as it takes to be asked so often, each time after this thread has not run for long.
    async fn replied_after(polls: u32) -> Result<(), CallError> {
        let mut left = polls;
        poll_fn(|_| {
            thread::sleep(LONGEST);
            left -= 1;
            if left == 0 {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    #[tokio::test]
    async fn time_in_which_the_thread_did_not_run_does_not_count() {
        in_time(LONGEST, replied_after(8)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_never_answered_ends() {
        let begun = Instant::now();
        let silent = in_time(LONGEST, pending::<Result<(), _>>()).await;
        assert!(matches!(silent, Err(CallError::Silent)));
        assert!(begun.elapsed() >= LONGEST);
        let silent = in_time(Duration::from_millis(1), replied_after(1000)).await;
        assert!(
            matches!(silent, Err(CallError::Silent)),
            "also to a thread that never runs"
        );
    }
}
