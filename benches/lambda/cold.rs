//! Cold starts: a process from its start to its first response.

use std::time::Instant;

use testbed::lambda::Function;

use crate::{EVENT, process::cpu_of_ended, program::Program, s3::S3, samples::Samples};

/// What cold starts took, in ms.
#[derive(Default)]
pub struct Cold {
    pub cpu: Samples,
    pub wall: Samples,
    /// The first request after the init is over, wall time.
    pub first: Samples,
}

impl Cold {
    /// One process from its start to its first response over TLS, and, in another, the first
    /// request after the init is over.
    pub async fn sample(&mut self, program: Program, content: &[u8]) {
        let s3 = S3::over_tls(content).await;
        let variables = s3.variables();
        let before = cpu_of_ended();
        let started = Instant::now();
        let function = Function::start(program.command(), &variables).await;
        let answer = function.invoke(EVENT).await;
        self.wall.0.push(started.elapsed().as_secs_f64() * 1e3);
        assert!(answer.payload.unwrap().len() > content.len(), "the status was sent");
        function.stop().await;
        self.cpu.0.push((cpu_of_ended() - before).as_secs_f64() * 1e3);

        if program == Program::Ours {
            let function = Function::start(program.command(), &variables).await;
            function.initialized().await;
            self.first.0.push(function.invoke(EVENT).await.took.as_secs_f64() * 1e3);
            function.stop().await;
        }
    }
}
