//! Tests of pools.

use tokio::net::TcpListener;

use super::*;
use crate::upstream::testing::{ips, run, upstream};

async fn connect(pool: &Pool, first: &AddressPool, upstream: &Upstream) -> Link {
    let buffers = Buffers::default();
    let missed = Missed::default();
    let connected = pool.connect(first, upstream, None, &buffers, &missed);
    connected.await.unwrap()
}

fn new_pool(upstream: &Upstream) -> Pool {
    Pool::new(&upstream.endpoints[0], &upstream.name, &Rc::default())
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_connection_used_last_is_used_first() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream("up", &url);
        let pool = new_pool(&upstream);
        let only = pool.only();
        let now = Instant::now();
        for nth in 1..=3 {
            let link = connect(&pool, &only, &upstream).await;
            link.keep(2, nth * SECOND, now);
        }
        let left = || only.idle.borrow().iter().map(|one| one.until).collect();
        let mut kept: Vec<_> = left();
        assert_eq!(kept, [now + SECOND, now + 2 * SECOND]);
        while kept.pop().is_some() {
            assert!(only.take(None, true, now).is_some());
            assert_eq!(left(), kept);
        }
        assert!(only.take(None, true, now).is_none());
    });
}

#[test]
fn a_name_that_moves_is_followed_though_its_connection_is_always_busy() {
    run(async {
        let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = old.local_addr().unwrap().port();
        let new = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
        let upstream = upstream("up", &format!("http://up.test:{port}"));
        let state = &upstream.endpoints[0].state;
        let pool = new_pool(&upstream);
        let begun = Instant::now();
        state.settle(&Ok(ips(&["127.0.0.1"])), begun);
        pool.follow_addresses();
        let old_pool = pool.only();
        let mut link = connect(&pool, &old_pool, &upstream).await;
        for nth in 1..=2 {
            let now = begun + nth * 10 * SECOND;
            link.keep(1, 60 * SECOND, now);
            link = old_pool
                .take(None, true, now)
                .expect("it may only be missing");
            pool.sweep(now);
            assert!(state.needs_lookup(10 * SECOND), "it is in use");
            state.lookup_begins();
            state.settle(&Ok(ips(&["127.0.0.2"])), now);
        }
        let now = begun + 30 * SECOND;
        state.settle(&Ok(ips(&["127.0.0.2"])), now);
        pool.sweep(now);
        link.keep(1, 60 * SECOND, now);
        assert!(old_pool.take(None, true, now).is_none(), "it has gone");
        let link = connect(&pool, &old_pool, &upstream).await;
        assert_eq!(link.pool.address.socket, new.local_addr().unwrap());
    });
}

#[test]
fn idle_connections_to_an_address_that_has_gone_are_closed() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream = upstream("up", &format!("http://up.test:{port}"));
        let state = &upstream.endpoints[0].state;
        let pool = new_pool(&upstream);
        let begun = Instant::now();
        state.settle(&Ok(ips(&["127.0.0.1"])), begun);
        pool.follow_addresses();
        let link = connect(&pool, &pool.only(), &upstream).await;
        link.keep(1, 3600 * SECOND, begun);
        let (accepted, _) = listener.accept().await.unwrap();
        for nth in 1..=3 {
            pool.sweep(begun + nth * 10 * SECOND);
            let closed = accepted.try_read(&mut [0]).is_ok();
            assert!(!closed, "after {nth} answers without it");
            state.settle(&Ok(ips(&["127.0.0.2"])), begun + nth * 10 * SECOND);
        }
        pool.sweep(begun + 30 * SECOND);
        accepted.readable().await.unwrap();
        assert_eq!(accepted.try_read(&mut [0]).unwrap(), 0);
    });
}

impl Pool {
    fn only(&self) -> Rc<AddressPool> {
        Rc::clone(&self.addresses.borrow()[0])
    }
}
