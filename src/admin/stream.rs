//! A connection to the admin port whose peer may not stop reading for ever: what is written has to go on
//! within a bound, and to be done within another. How long a head may take is hyper's to know, how long a body its reader's.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a peer may take no byte of an answer.
const STALL: Duration = Duration::from_secs(20);
/// How long a peer may take for all that there is to write: an answer, or a part of one without an end.
const WHOLE: Duration = Duration::from_mins(1);

/// A stream that fails when what is written does not go on.
pub(super) struct Unstalled<S> {
    stream: S,
    longest: Duration,
    whole: Duration,
    /// When all has to be written, once something has had to wait.
    ends: Option<Instant>,
    /// Runs while a write waits.
    stalled: Pin<Box<Sleep>>,
    waits: bool,
}

impl<S> Unstalled<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::within(stream, STALL, WHOLE)
    }

    fn within(stream: S, longest: Duration, whole: Duration) -> Self {
        Self {
            stream,
            longest,
            whole,
            ends: None,
            stalled: Box::pin(sleep(longest)),
            waits: false,
        }
    }

    /// What a write has come to: one that waits too long is an error.
    fn bound<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        if !self.waits {
            self.waits = true;
            let now = Instant::now();
            let ends = *self.ends.get_or_insert(now + self.whole);
            self.stalled.as_mut().reset(ends.min(now + self.longest));
        }
        ready!(self.stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.bound(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.bound(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked for when all is written.
        self.ends = None;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;

    use super::*;

    const LONGEST: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_peer_that_stops_reading_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let begun = Instant::now();
        let mut ours = Unstalled::within(ours, LONGEST, WHOLE);
        let written = ours.write_all(&[0; 9]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= LONGEST);
    }

    /// Reads a byte now and then, to the end.
    fn reads_slowly(mut theirs: DuplexStream) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut byte = [0; 1];
            while theirs.read_exact(&mut byte).await.is_ok() {
                sleep(LONGEST / 10).await;
            }
        })
    }

    #[tokio::test]
    async fn a_peer_that_never_comes_to_an_end_is_given_up_too() {
        let (ours, theirs) = tokio::io::duplex(8);
        let reading = reads_slowly(theirs);
        let mut ours = Unstalled::within(ours, LONGEST, LONGEST * 2);
        let written = ours.write_all(&[0; 1000]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(ours);
        reading.await.unwrap();
        // Parts of a stream have their time each.
        let (ours, theirs) = tokio::io::duplex(8);
        let reading = reads_slowly(theirs);
        let mut ours = Unstalled::within(ours, LONGEST, LONGEST * 2);
        for _ in 0..8 {
            ours.write_all(&[0; 6]).await.unwrap();
            ours.flush().await.unwrap();
        }
        drop(ours);
        reading.await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_peer_that_reads_on_is_not() {
        let (ours, theirs) = tokio::io::duplex(8);
        let reading = reads_slowly(theirs);
        let mut ours = Unstalled::within(ours, LONGEST, WHOLE);
        let begun = Instant::now();
        ours.write_all(&[0; 30]).await.unwrap();
        assert!(begun.elapsed() > LONGEST);
        drop(ours);
        reading.await.unwrap();
    }
}
