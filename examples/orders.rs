//! A sample service: who ordered what. `cargo run --example orders [PORT]`, 4002 by default.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | all orders |
//! | `GET /7` | one order |
//! | `POST /` `{"item": 7, "quantity": 2}` | 201, the new order |
//! | `GET /slow?ms=1500` | an answer that takes its time |
//! | `GET /events` | ten server-sent events, one a second |
//! | any method `/echo` | the request as it arrived here |

mod service;

use std::cell::RefCell;
use std::error::Error;
use std::num::NonZeroU32;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use service::Answer;

#[derive(Serialize)]
struct Order {
    id: u64,
    item: u64,
    quantity: NonZeroU32,
    /// Who ordered, as told by whatever identifies clients in front of this service.
    client: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    item: u64,
    quantity: NonZeroU32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let orders = Rc::new(RefCell::new(first_orders()));
    service::run("orders", 4002, async move |request| {
        answer(&orders, request).await
    })
}

async fn answer(orders: &RefCell<Vec<Order>>, request: Request<Incoming>) -> Answer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/echo" => service::echo(request).await,
        "/" if reads => service::json(StatusCode::OK, &*orders.borrow()),
        "/" if request.method() == Method::POST => create(orders, request).await,
        "/" => service::method_not_allowed("GET, HEAD, POST"),
        _ if !reads => service::method_not_allowed("GET, HEAD"),
        "/slow" => service::slow(request.uri().query()).await,
        "/events" => service::events(|n| json!({ "event": "order shipped", "order": n })),
        path => one(&orders.borrow(), path),
    }
}

fn one(orders: &[Order], path: &str) -> Answer {
    let id = path.strip_prefix('/').and_then(|id| id.parse().ok());
    match orders.iter().find(|order| Some(order.id) == id) {
        Some(order) => service::json(StatusCode::OK, order),
        None => service::refuse(StatusCode::NOT_FOUND, "no such order"),
    }
}

async fn create(orders: &RefCell<Vec<Order>>, request: Request<Incoming>) -> Answer {
    let prefix = service::forwarded_prefix(request.headers());
    let client = client(request.headers());
    let NewOrder { item, quantity } = match service::read_json(request.into_body()).await {
        Ok(new) => new,
        Err(answer) => return answer,
    };
    let mut orders = orders.borrow_mut();
    let id = orders.last().map_or(1, |order| order.id + 1);
    let order = Order {
        id,
        item,
        quantity,
        client,
    };
    let answer = service::created(&prefix, id, &order);
    orders.push(order);
    answer
}

fn client(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("x-client-id")?.to_str().ok()?;
    Some(name.to_owned())
}

fn first_orders() -> Vec<Order> {
    let two = NonZeroU32::MIN.saturating_add(1);
    vec![Order {
        id: 1,
        item: 7,
        quantity: two,
        client: None,
    }]
}
