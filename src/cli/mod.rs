//! stub
mod explain;
mod run;
fn print(_t: &str) -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
