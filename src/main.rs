//! stub
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    if let Err(e) = tollgate::app::run(std::path::Path::new(
        &std::env::args().last().unwrap_or("tollgate.toml".into()),
    )) {
        eprintln!("{e}");
    }
}
