//! Pace: a body that trickles is cut off, so that slow clients cannot sit on what others need.

use crate::kernel::limits;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// How slow a body may be.
#[derive(Clone, Copy)]
struct Patience {
    silence_max: Duration,
    slow_max: Duration,
    bytes_per_second_min: u64,
}

type Chunk = Result<Bytes, PayloadError>;
type Chunks = Pin<Box<dyn Stream<Item = Chunk>>>;

/// The same body, which ends in an error when it falls silent or stays too slow.
pub(super) fn paced(body: Payload) -> Payload {
    match body {
        Payload::None => Payload::None,
        body => {
            let patience = Patience {
                silence_max: limits::BODY_SILENCE_MAX,
                slow_max: limits::BODY_SLOW_MAX,
                bytes_per_second_min: limits::BODY_BYTES_PER_SECOND_MIN,
            };
            Payload::Stream { payload: Box::pin(watched(body, patience)) }
        }
    }
}

struct Watched<S> {
    body: S,
    patience: Patience,
    bytes: u64,
    waited: Duration,
}

fn watched(body: impl Stream<Item = Chunk> + 'static, patience: Patience) -> Chunks {
    let start = Watched { body: Box::pin(body), patience, bytes: 0, waited: Duration::ZERO };
    Box::pin(stream::unfold(Some(start), async |state| {
        let mut state = state?;
        let chunk = state.next().await?;
        let goes_on = chunk.is_ok().then_some(state);
        Some((chunk, goes_on))
    }))
}

impl<S: Stream<Item = Chunk> + Unpin> Watched<S> {
    /// Only time that we spent waiting counts: when the disk is slow, the client is not to blame.
    async fn next(&mut self) -> Option<Chunk> {
        let asked = Instant::now();
        let Ok(chunk) = tokio::time::timeout(self.patience.silence_max, self.body.next()).await else {
            return Some(Err(cut("the body fell silent")));
        };
        self.waited += asked.elapsed();
        let chunk = chunk?;
        self.bytes += chunk.as_ref().map_or(0, Bytes::len) as u64;
        let expected = self.waited.as_secs() * self.patience.bytes_per_second_min;
        let is_too_slow = self.waited > self.patience.slow_max && self.bytes < expected;
        Some(if is_too_slow { Err(cut("the body came too slowly")) } else { chunk })
    }
}

fn cut(reason: &'static str) -> PayloadError {
    PayloadError::Io(io::Error::new(io::ErrorKind::TimedOut, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        silence_max: Duration::from_millis(50),
        slow_max: Duration::from_millis(100),
        bytes_per_second_min: 1_000_000,
    };

    fn byte() -> Chunk {
        Ok(Bytes::from_static(b"x"))
    }

    async fn outcome(body: impl Stream<Item = Chunk> + 'static, patience: Patience) -> (usize, bool) {
        let chunks: Vec<Chunk> = watched(body, patience).collect().await;
        (chunks.iter().filter(|chunk| chunk.is_ok()).count(), chunks.iter().any(Result::is_err))
    }

    #[actix_web::test]
    async fn a_body_that_falls_silent_is_cut_off() {
        let silent = stream::iter([byte(), byte()]).chain(stream::pending());
        assert_eq!(outcome(silent, PATIENCE).await, (2, true));
    }

    #[actix_web::test]
    async fn a_body_that_trickles_is_cut_off_and_a_brisk_one_is_not() {
        let trickle = || {
            stream::iter(0..50).then(async |_| {
                tokio::time::sleep(Duration::from_millis(25)).await;
                byte()
            })
        };
        let strict = Patience { slow_max: Duration::from_millis(1_000), ..PATIENCE };
        let (passed, is_cut) = outcome(trickle(), strict).await;
        assert!(is_cut && passed < 50, "{passed}");
        assert_eq!(outcome(stream::iter((0..50).map(|_| byte())), PATIENCE).await, (50, false));
    }
}
