//! The compiled binary, started as Lambda starts it.

use testbed::{lambda::Function, variables::Variables};
use tokio::process::Command;

use super::{Request, Response};

/// Where the compiled binary is.
pub const BINARY: &str = env!("CARGO_BIN_EXE_job-status");

/// Starts the binary with these variables.
pub async fn start_binary(variables: &Variables) -> Function {
    Function::start(Command::new(BINARY), variables).await
}

/// Has the binary answer a request as its gateway sends it.
pub async fn send(function: &Function, request: &Request) -> Response {
    let answer = function.invoke(request.event().to_string()).await;
    Response::unpack(&answer.json(), &request.method, &answer.request_id)
}
