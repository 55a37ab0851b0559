//! A sample service: what is in stock. `cargo run --example inventory [PORT]`, 4001 by default.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | all items |
//! | `GET /7` | one item |
//! | `POST /` `{"name": "...", "stock": 3}` | 201, the new item |
//! | `GET /slow?ms=1500` | an answer that takes its time |
//! | `GET /events` | ten server-sent events, one a second |
//! | any method `/echo` | the request as it arrived here |

mod service;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use service::Answer;

#[derive(Serialize)]
struct Item {
    id: u64,
    name: String,
    stock: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    name: String,
    stock: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let items = Rc::new(RefCell::new(first_items()));
    service::run("inventory", 4001, async move |request| {
        answer(&items, request).await
    })
}

async fn answer(items: &RefCell<Vec<Item>>, request: Request<Incoming>) -> Answer {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/echo" => service::echo(request).await,
        "/" if reads => service::json(StatusCode::OK, &*items.borrow()),
        "/" if request.method() == Method::POST => create(items, request).await,
        "/" => service::method_not_allowed("GET, HEAD, POST"),
        _ if !reads => service::method_not_allowed("GET, HEAD"),
        "/slow" => service::slow(request.uri().query()).await,
        "/events" => service::events(stock_event),
        path => one(&items.borrow(), path),
    }
}

fn one(items: &[Item], path: &str) -> Answer {
    let id = path.strip_prefix('/').and_then(|id| id.parse().ok());
    match items.iter().find(|item| Some(item.id) == id) {
        Some(item) => service::json(StatusCode::OK, item),
        None => service::refuse(StatusCode::NOT_FOUND, "no such item"),
    }
}

async fn create(items: &RefCell<Vec<Item>>, request: Request<Incoming>) -> Answer {
    let prefix = service::forwarded_prefix(request.headers());
    let NewItem { name, stock } = match service::read_json(request.into_body()).await {
        Ok(new) => new,
        Err(answer) => return answer,
    };
    let mut items = items.borrow_mut();
    let id = items.last().map_or(1, |item| item.id + 1);
    let item = Item { id, name, stock };
    let answer = service::created(&prefix, id, &item);
    items.push(item);
    answer
}

fn stock_event(n: usize) -> Value {
    let item = [1, 2, 7][n % 3];
    json!({ "event": "stock changed", "item": item })
}

fn first_items() -> Vec<Item> {
    [(1, "kettle", 12), (2, "teapot", 3), (7, "teaspoon", 240)]
        .map(|(id, name, stock)| Item {
            id,
            name: name.to_owned(),
            stock,
        })
        .into()
}
