//! The figures of the first table, one program at a time on one core.

use testbed::status_file::transcript;

use crate::{
    cold::Cold,
    program::{self, Program},
    samples::Samples,
    table::Table,
    warm::{Amount, Warm},
};

/// Measures all figures and prints the table; returns whether every budget is met.
pub async fn measure_all(short: bool) -> bool {
    let cold_starts: usize = if short { 7 } else { 41 };
    let amount = if short { Amount { rounds: 5, requests: 400 } } else { Amount { rounds: 15, requests: 2000 } };
    let large_amount = Amount { requests: amount.requests / 20, ..amount };
    let kilobyte = transcript(1024);
    let megabyte = transcript(1024 * 1024);
    let python = program::has_boto3();
    if !python {
        println!("python3 with boto3 is not here: its rows are left out");
    }

    // In turns, so that whatever else the machine does affects both alike.
    let (mut cold, mut cold_python) = (Cold::default(), Cold::default());
    for _ in 0..cold_starts {
        cold.sample(Program::Ours, &kilobyte).await;
        if python && cold_python.cpu.0.len() < cold_starts.div_ceil(3) {
            cold_python.sample(Program::Python, &kilobyte).await;
        }
    }
    let tls = Warm::over_tls(Program::Ours, amount, &kilobyte).await;
    let plain = Warm::over_http(Program::Ours, amount, &kilobyte).await;
    let floor = Warm::over_http(Program::Floor, amount, &kilobyte).await;
    let large = Warm::over_http(Program::Ours, large_amount, &megabyte).await;
    let large_floor = Warm::over_http(Program::Floor, large_amount, &megabyte).await;

    let mut table = Table::default();
    if python {
        table.row("cold start to first response, TLS: CPU", "ms", &cold.cpu, Some(&cold_python.cpu), Some(1.0 / 60.0));
        table.row(
            "cold start to first response, TLS: wall",
            "ms",
            &cold.wall,
            Some(&cold_python.wall),
            Some(1.0 / 30.0),
        );
    }
    table.row("first request after init vs warm, TLS: wall", "ms", &cold.first, Some(&tls.wall), Some(3.0));
    if python {
        let amount = Amount { requests: amount.requests / 4, ..amount };
        let warm = Warm::over_http(Program::Python, amount, &kilobyte).await;
        table.row("warm request vs Python, plain HTTP: CPU", "ms", &plain.cpu, Some(&warm.cpu), Some(1.0 / 8.0));
        let large_python = Warm::over_http(Program::Python, large_amount, &megabyte).await;
        table.row("1 MB status vs Python, plain HTTP: CPU", "ms", &large.cpu, Some(&large_python.cpu), Some(1.0 / 5.0));
    }
    // Without budgets: the floor is the host's system calls. One program takes 2.3 times it on one host, and 4.2
    // on another.
    table.row("warm request vs floor, plain HTTP: CPU", "ms", &plain.cpu, Some(&floor.cpu), None);
    table.row("1 MB status vs floor, plain HTTP: CPU", "ms", &large.cpu, Some(&large_floor.cpu), None);
    table.row("peak RSS, 1 KB statuses, TLS", "MB", &Samples(vec![tls.peak_rss]), None, Some(10.0));
    table.row("zipped binary", "MB", &Samples(vec![program::zipped_size()]), None, Some(3.0));
    println!(
        "\nalso: cold {:.2} ms CPU, {:.2} ms wall; warm over TLS {:.3} ms CPU, {:.3} ms wall; plain {:.3} ms wall",
        cold.cpu.median(),
        cold.wall.median(),
        tls.cpu.median(),
        tls.wall.median(),
        plain.wall.median()
    );
    table.within
}
