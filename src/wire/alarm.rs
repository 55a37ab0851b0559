//! A deadline that is cheap to move. A connection's deadline changes with every request, mostly to
//! a later moment; re-arming a timer each time would cost more than all the rest of the waiting.
//! So a timer that is armed too early is left to fire, and only then armed anew.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

/// One connection's timer. It takes memory only once it is first used.
#[derive(Debug, Default)]
pub struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes.
    waker: Option<Waker>,
}

impl Alarm {
    /// Ready once `due` has passed; until then, the task is woken in time to ask again.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        if timer.deadline().into_std() > due {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due.into());
        } else if self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
            && !timer.is_elapsed()
        {
            // It will wake this task, and there is nothing else to ask of it.
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due.into());
        }
        Poll::Pending
    }

    /// Runs `work` for at most `patience`.
    ///
    /// # Errors
    /// That of `work`, or [`io::ErrorKind::TimedOut`].
    pub async fn limit<T>(
        &mut self,
        patience: Duration,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let due = Instant::now() + patience;
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => self
                .poll_due(cx, due)
                .map(|()| Err(io::ErrorKind::TimedOut.into())),
            ready @ Poll::Ready(_) => ready,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_moves_both_ways() {
        let mut alarm = Alarm::default();
        let now = Instant::now();
        let mut poll =
            async |due| std::future::poll_fn(|cx| Poll::Ready(alarm.poll_due(cx, due))).await;
        assert!(poll(now + Duration::from_mins(1)).await.is_pending());
        assert!(poll(now).await.is_ready());
        assert!(poll(now + Duration::from_mins(1)).await.is_pending());
    }

    #[tokio::test]
    async fn a_deadline_that_comes_nearer_wakes_in_time() {
        let mut alarm = Alarm::default();
        let far = Instant::now() + Duration::from_mins(1);
        std::future::poll_fn(|cx| Poll::Ready(alarm.poll_due(cx, far)))
            .await
            .is_pending();
        let near = Instant::now() + Duration::from_millis(20);
        let woken = std::future::poll_fn(|cx| alarm.poll_due(cx, near));
        tokio::time::timeout(Duration::from_secs(10), woken)
            .await
            .expect("woken long before");
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_given_up() {
        let endless = std::future::pending::<io::Result<()>>();
        let error = Alarm::default()
            .limit(Duration::from_millis(5), endless)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let done = Alarm::default()
            .limit(Duration::from_mins(1), async { Ok(7) })
            .await;
        assert_eq!(done.unwrap(), 7);
    }
}
