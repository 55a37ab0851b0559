//! Connections: how long they live, what their end means to the other side, what is kept for the
//! next request, and that nobody's slowness costs the gateway memory.

mod announced;
mod announcing;
mod authenticated;
mod backpressure;
mod crawl;
mod early_answers;
mod half_close;
mod keep_alive;
mod leftovers;
mod names;
mod overload;
mod pool;
mod resting;
mod slow;
mod streaming;
mod unreachable;
mod websocket;
