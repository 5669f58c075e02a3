//! The tables and the chart of what polls cost, and of what makes them cheaper.

use std::path::Path;

use crate::{
    assumptions::{
        ACCESS_LOG_BYTES, ACCESS_LOGS, ANSWER_BYTES, DATA_OUT, INSTANCE_HOUR, KMS_REQUESTS, KMS_WITH_BUCKET_KEYS,
        LAMBDA_GB_SECONDS, LAMBDA_LOGS, LCU_CONNECTIONS, LCU_HOUR, MANAGED_CONCURRENCY, MANAGED_CONCURRENCY_DEFAULT,
        MANAGED_FEE, MEMORY_MB, MONTH_S, POLLS_PER_CONNECTION, REQUEST_LOG_BYTES, TRACED, TRACES,
    },
    chart::{Axis, Corner, Line, decades, draw, labelled, points},
    cost::{Bill, Compute, Door, Setup, billed_ms, break_even, gigabyte_seconds, instance_rate},
    page::{Table, dollars, number, rate_name},
};

const HTTP_API: Setup = Setup::behind(Door::HttpApi);
const LOAD_BALANCER: Setup = Setup::behind(Door::LoadBalancer);
const LOAD_BALANCER_MANAGED: Setup = Setup { compute: Compute::Managed, ..LOAD_BALANCER };
const DOORS: [(&str, Setup); 5] = [
    ("HTTP API", HTTP_API),
    ("REST API", Setup::behind(Door::RestApi)),
    ("CloudFront, function URL", Setup::behind(Door::CloudFront)),
    ("Function URL", Setup::behind(Door::FunctionUrl)),
    ("Load balancer", LOAD_BALANCER),
];

/// One million polls in a month behind each front door, part by part.
pub fn doors() -> Table {
    let mut table = Table::new(&[
        "One million polls, $",
        "Door",
        "Requests",
        "Time",
        "S3",
        "Logs",
        "Data out",
        "Sum",
        "and each month",
    ]);
    for (name, setup) in DOORS {
        let million = Bill::monthly(setup, 1e6 / MONTH_S);
        let standing = Bill::monthly(setup, 0.0).total();
        let door = million.door - standing;
        let parts = [door, million.requests, million.compute, million.s3, million.logs, million.data_out];
        let sum = parts.iter().sum();
        let cells = parts.into_iter().chain([sum]).map(|part| format!("{part:.3}"));
        table.row(name, cells.chain([number(standing)]));
    }
    table
}

/// What is more than a list price for a million: quantities, first price steps, what may come on top.
pub fn arithmetic() -> Table {
    let mut table = Table::new(&["One million polls", "Arithmetic", "$"]);
    let mut line = |name: &str, arithmetic: String, price: f64| table.row(name, [arithmetic, format!("{price:.3}")]);
    let units = 1e6 / POLLS_PER_CONNECTION / LCU_CONNECTIONS / 3600.0;
    let arithmetic = format!("1 M connections ÷ {LCU_CONNECTIONS} a second = {units:.2} LCU-hours × {LCU_HOUR}");
    line("Load balancer", arithmetic, units * LCU_HOUR);

    let (ms, gigabytes, (_, price)) = (billed_ms(false), MEMORY_MB / 1024.0, LAMBDA_GB_SECONDS[0]);
    let gb_seconds = gigabyte_seconds(1e6, false);
    let arithmetic = format!("1 M × {ms} ms × {gigabytes} GB = {} GB-s × {price}", number(gb_seconds));
    line("Lambda, time, classic", arithmetic, gb_seconds * price);
    for (which, concurrency) in [("default", MANAGED_CONCURRENCY_DEFAULT), ("advised at most", MANAGED_CONCURRENCY)] {
        let (rate, price) = (instance_rate(concurrency, false), INSTANCE_HOUR * (1.0 + MANAGED_FEE));
        let hours = 1e6 / rate / 3600.0;
        let arithmetic =
            format!("1 M ÷ {} a second = {hours:.3} hours × {INSTANCE_HOUR} × {}", number(rate), 1.0 + MANAGED_FEE);
        line(&format!("Lambda, time, managed, {concurrency} calls at once ({which})"), arithmetic, hours * price);
    }
    let mut gigabytes = |name, bytes: f64, price: f64| {
        let gigabytes = bytes / 1e3;
        line(name, format!("1 M × {} bytes = {gigabytes} GB × {price:.2}", number(bytes)), gigabytes * price);
    };
    gigabytes("Function's log", REQUEST_LOG_BYTES, LAMBDA_LOGS[0].1);
    gigabytes("Access log, API Gateway only", ACCESS_LOG_BYTES, ACCESS_LOGS);
    gigabytes("Data out", ANSWER_BYTES, DATA_OUT[0].1);
    line("On top: X-Ray", format!("1 M × {TRACED} × {TRACES:.2}/M"), TRACED * TRACES);
    line(
        "On top: KMS with bucket keys",
        format!("1 M × {KMS_WITH_BUCKET_KEYS} × {KMS_REQUESTS:.2}/M"),
        KMS_WITH_BUCKET_KEYS * KMS_REQUESTS,
    );
    line("On top: KMS without", format!("1 M × {KMS_REQUESTS:.2}/M"), KMS_REQUESTS);
    table
}

/// What a million polls cost at several rates.
pub fn rates() -> Table {
    let setups = || DOORS.into_iter().chain([("Load balancer, managed", LOAD_BALANCER_MANAGED)]);
    let head: Vec<_> = ["Polls a second", "a month"].into_iter().chain(setups().map(|(name, _)| name)).collect();
    let mut table = Table::new(&head);
    for rate in [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0] {
        let prices = setups().map(|(_, setup)| dollars(Bill::per_million(setup, rate)));
        table.row(rate_name(rate), [number(rate * MONTH_S)].into_iter().chain(prices));
    }
    table
}

/// Where one way becomes cheaper than another.
pub fn break_evens() -> Table {
    let mut table = Table::new(&["Instead of", "cheaper is", "from polls a second", "or a month"]);
    for (instead_of, cheaper, from, to) in [
        ("HTTP API", "a load balancer", HTTP_API, LOAD_BALANCER),
        ("classic Lambda", "managed instances", LOAD_BALANCER, LOAD_BALANCER_MANAGED),
        ("both", "both", HTTP_API, LOAD_BALANCER_MANAGED),
    ] {
        let rate = break_even(from, to);
        let cells = [rate, rate.map(|rate| rate * MONTH_S)].map(|value| value.map_or("never".into(), number));
        table.row(instead_of, [cheaper.into()].into_iter().chain(cells));
    }
    table
}

/// The cheaper path, step by step.
pub fn cheaper() -> Table {
    let rates = [1_000.0, 10_000.0, 100_000.0];
    let head = rates.map(|rate| format!("$ a month at {} a second", number(rate)));
    let mut table = Table::new(&["", &head[0], &head[1], &head[2]]);
    for (step, setup) in [
        ("as deployed: HTTP API, classic, X-Ray", Setup { tracing: true, ..HTTP_API }),
        ("with `Tracing=PassThrough`", HTTP_API),
        ("and a load balancer", LOAD_BALANCER),
        ("and managed instances", LOAD_BALANCER_MANAGED),
        ("and S3 Express One Zone", Setup { express: true, ..LOAD_BALANCER_MANAGED }),
    ] {
        table.row(step, rates.map(|rate| number(Bill::monthly(setup, rate).total())));
    }
    table
}

/// What a million polls cost, as lines.
pub fn draw_cost(file: &Path) {
    let rates = points(0.1, 1e5);
    let setups = DOORS.into_iter().chain([("Load balancer, managed instances", LOAD_BALANCER_MANAGED)]);
    let lines: Vec<_> =
        setups.map(|(name, setup)| Line::of(name, &rates, |rate| Bill::per_million(setup, rate)).below(60.0)).collect();
    let x = Axis { name: "polls a second", range: decades(0.1, 1e5), label: number };
    let labels = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
    let y = Axis { name: "$ for a million polls", range: labelled(0.5, 60.0, &labels), label: number };
    draw(file, "What a million polls cost", x, y, Corner::UpperRight, &lines);
}
