//! A function as Lambda runs it: a process of its own behind a Runtime API.
//!
//! A process that ends although a test waits for it makes that test fail at once, with the exit
//! status and with everything that the process has printed.

mod runtime_api;

use std::{
    future::Future,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

pub use runtime_api::{Answer, Fault, RuntimeApi};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::variables::Variables;

/// A running function. The process is ended when this is dropped.
pub struct Function {
    pid: u32,
    api: RuntimeApi,
    output: Arc<Mutex<String>>,
    ended: watch::Receiver<Option<ExitStatus>>,
    kill: oneshot::Sender<()>,
}

impl Function {
    /// Starts a program as Lambda does: with `variables`, Lambda's own, and nothing of this
    /// process's environment.
    pub async fn start(mut program: Command, variables: &Variables) -> Self {
        let api = RuntimeApi::listen().await;
        let mut child = program
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", api.address.to_string().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "job-status"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ])
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        let output = Arc::default();
        let readers = [
            collect_lines(child.stdout.take().unwrap(), Arc::clone(&output)),
            collect_lines(child.stderr.take().unwrap(), Arc::clone(&output)),
        ];
        let (kill, killed) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        tokio::spawn(async move {
            let status = wait_for_end(child, killed).await;
            for reader in readers {
                reader.await.unwrap();
            }
            end.send_replace(Some(status));
        });
        Self { pid, api, output, ended, kill }
    }

    /// Has the function answer an event.
    pub async fn invoke(&self, event: impl Into<String>) -> Answer {
        self.while_running(self.api.invoke(event.into())).await
    }

    /// Waits until the function asks for its first event: its init is over.
    pub async fn initialized(&self) {
        self.while_running(self.api.polled()).await;
    }

    /// What `result` becomes.
    ///
    /// # Panics
    /// The process ends first.
    async fn while_running<T>(&self, result: impl Future<Output = T>) -> T {
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            result = result => result,
            status = ended.wait_for(Option::is_some) => {
                let status = status.unwrap().unwrap();
                panic!("the function ended instead of serving ({status}); it printed:\n{}", self.output());
            }
        }
    }

    /// The Runtime API that it talks to.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// Everything that the process has printed so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&self) {
        self.ended.clone().wait_for(Option::is_some).await.unwrap();
    }

    /// Waits for a process that ends by itself; returns its status and everything that it printed.
    pub async fn wait(mut self) -> (ExitStatus, String) {
        let status = self.ended.wait_for(Option::is_some).await.unwrap().unwrap();
        (status, self.output())
    }

    /// Ends the process and returns everything that it printed.
    pub async fn stop(self) -> String {
        let Self { output, mut ended, kill, .. } = self;
        let _ = kill.send(()); // it may have ended already
        ended.wait_for(Option::is_some).await.unwrap();
        output.lock().unwrap().clone()
    }
}

/// Waits until a process has ended, by itself or because `killed` is told or dropped.
async fn wait_for_end(mut child: Child, killed: oneshot::Receiver<()>) -> ExitStatus {
    tokio::select! {
        biased;
        status = child.wait() => return status.unwrap(),
        _ = killed => {}
    }
    child.kill().await.unwrap();
    child.wait().await.unwrap()
}

/// Adds the lines that come from `stream` to `output`, until nothing more can come.
fn collect_lines(stream: impl AsyncRead + Unpin + Send + 'static, output: Arc<Mutex<String>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}
