//! Warm requests: one after the other, in a process that has answered some before.

use testbed::lambda::Function;

use crate::{
    EVENT,
    process::{cpu, peak_rss},
    program::Program,
    s3::S3,
    samples::Samples,
};

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Amount {
    pub rounds: usize,
    /// In each round.
    pub requests: u32,
}

/// What warm requests took, one sample a round, in ms a request.
pub struct Warm {
    pub cpu: Samples,
    /// The medians of the rounds.
    pub wall: Samples,
    /// MB.
    pub peak_rss: f64,
}

impl Warm {
    pub async fn over_http(program: Program, amount: Amount, content: &[u8]) -> Self {
        Self::measure(program, amount, S3::over_http(content).await).await
    }

    pub async fn over_tls(program: Program, amount: Amount, content: &[u8]) -> Self {
        Self::measure(program, amount, S3::over_tls(content).await).await
    }

    async fn measure(program: Program, amount: Amount, s3: S3) -> Self {
        let function = Function::start(program.command(), &s3.variables()).await;
        for _ in 0..amount.requests.min(100) {
            function.invoke(EVENT).await.payload.unwrap();
        }
        let (mut round_cpu, mut round_wall) = (Samples::default(), Samples::default());
        for _ in 0..amount.rounds {
            let before = cpu(function.pid());
            let mut walls = Samples::default();
            for _ in 0..amount.requests {
                walls.0.push(function.invoke(EVENT).await.took.as_secs_f64() * 1e3);
            }
            let cpu = cpu(function.pid()) - before;
            round_cpu.0.push(cpu.as_secs_f64() * 1e3 / f64::from(amount.requests));
            round_wall.0.push(walls.median());
            s3.server.take_requests(); // or they would pile up
        }
        let peak_rss = peak_rss(function.pid());
        function.stop().await;
        Self { cpu: round_cpu, wall: round_wall, peak_rss }
    }
}
