//! The tables and the chart of what polls cost, and of what makes them cheaper.

use std::path::Path;

use pages::Table;

use super::{
    assumptions::{
        self, ACCESS_LOG_BYTES, ACCESS_LOGS, ALARM_METRIC, ALARM_METRICS, ANSWER_BYTES, DASHBOARD, DATA_OUT,
        KMS_REQUESTS, KMS_WITH_BUCKET_KEYS, LAMBDA_GB_SECONDS, LAMBDA_LOGS, LAMBDA_REQUESTS, LCU_CONNECTIONS, LCU_HOUR,
        LOG_METRICS, MEMORY_MB, METRIC, MONTH_S, OUTCOMES, POLLS_PER_CONNECTION, REQUEST_LOG_BYTES, S3_GETS, TRACED,
        TRACES, Tiers,
    },
    chart::{Axis, Corner, Line, decades, draw, labelled, points},
    cost::{Bill, Door, Setup, billed_ms, break_even, gigabyte_seconds},
    numbers::{dollars, number, rate_name},
};

const HTTP_API: Setup = Setup::behind(Door::HttpApi);
const LOAD_BALANCER: Setup = Setup::behind(Door::LoadBalancer);
const DOORS: [(&str, Setup); 5] = [
    ("HTTP API", HTTP_API),
    ("REST API", Setup::behind(Door::RestApi)),
    ("CloudFront, function URL", Setup::behind(Door::CloudFront)),
    ("Function URL", Setup::behind(Door::FunctionUrl)),
    ("Load balancer", LOAD_BALANCER),
];

/// A line of a bill: what it is for, how it is worked out, dollars.
type Item = (String, String, f64);

/// One million polls in a month of the stack as the template has it, line by line.
pub fn million() -> Table {
    let (ms, memory, gb_seconds) = (billed_ms(false), MEMORY_MB / 1024.0, gigabyte_seconds(1e6, false));
    let price = first(LAMBDA_GB_SECONDS);
    let time = format!("1 M × {ms} ms × {memory} GB = {} GB-s × {price}", number(gb_seconds));
    let bill = [
        requests("HTTP API", first(assumptions::HTTP_API)),
        requests("Lambda, requests", LAMBDA_REQUESTS),
        ("Lambda, time".into(), time, gb_seconds * price),
        requests("S3, reads", S3_GETS),
        gigabytes("Function's log", REQUEST_LOG_BYTES, first(LAMBDA_LOGS)),
        gigabytes("Access log", ACCESS_LOG_BYTES, ACCESS_LOGS),
        gigabytes("Data out", ANSWER_BYTES, first(DATA_OUT)),
    ];
    let sum = bill.iter().map(|(.., price)| price).sum::<f64>();
    assert!((sum - a_million()).abs() < 1e-9, "every line of the bill has its row");
    let on_top = [
        some_requests("On top: X-Ray, at many polls a second", TRACED, TRACES),
        requests("On top: X-Ray, at less than one a second", TRACES),
        some_requests("On top: KMS, with bucket keys", KMS_WITH_BUCKET_KEYS, KMS_REQUESTS),
        requests("On top: KMS, without bucket keys", KMS_REQUESTS),
    ];
    let mut table = Table::new(["One million polls", "Arithmetic", "$"]);
    rows(&mut table, bill);
    table.row("**Sum**", [String::new(), format!("**{}**", dollars(sum))]);
    rows(&mut table, on_top);
    table
}

/// What the stack costs each month, whatever the traffic.
pub fn standing() -> Table {
    let bill = [
        each("Metrics that alarms look at", ALARM_METRICS, ALARM_METRIC),
        each("Metrics made from the logs", LOG_METRICS, METRIC),
        each("And one for each outcome that occurs, at most", OUTCOMES, METRIC),
        each("Dashboard", 1.0, DASHBOARD),
    ];
    let sum = bill.iter().map(|(.., price)| price).sum();
    let mut table = Table::new(["Each month", "Arithmetic", "$"]);
    for (name, arithmetic, price) in bill {
        table.row(name, [arithmetic, dollars(price)]);
    }
    table.row("**Sum, at most**", [String::new(), format!("**{}**", dollars(sum))]);
    table
}

/// The sum in words.
pub fn sentence() -> String {
    format!("A million polls cost **${}** at list prices of us-east-1.", dollars(a_million()))
}

/// One million polls in a month behind each front door, part by part.
pub fn doors() -> Table {
    let mut table = Table::new([
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
        let parts = [door, million.requests, million.time, million.s3, million.logs, million.data_out];
        let cells = parts.into_iter().map(|part| format!("{part:.3}"));
        table.row(name, cells.chain([dollars(parts.iter().sum()), number(standing)]));
    }
    table
}

/// What a load balancer costs for a million polls.
pub fn arithmetic() -> Table {
    let units = 1e6 / POLLS_PER_CONNECTION / LCU_CONNECTIONS / 3600.0;
    let connections = format!("1 M connections ÷ {LCU_CONNECTIONS} a second = {units:.2} LCU-hours × {LCU_HOUR}");
    let mut table = Table::new(["One million polls", "Arithmetic", "$"]);
    rows(&mut table, [("Load balancer".into(), connections, units * LCU_HOUR)]);
    table
}

/// The number that other pages refer to: dollars for a million polls behind the HTTP API.
fn a_million() -> f64 {
    Bill::monthly(HTTP_API, 1e6 / MONTH_S).total()
}

/// The price of the first step.
fn first(tiers: Tiers) -> f64 {
    tiers[0].1
}

/// A request for each poll, at a price for a million.
fn requests(name: &str, price: f64) -> Item {
    (name.into(), format!("1 M × {price:.2}/M"), price)
}

/// A request for this part of the polls.
fn some_requests(name: &str, part: f64, price: f64) -> Item {
    (name.into(), format!("1 M × {part} × {price:.2}/M"), part * price)
}

/// So many bytes for each poll, at a price for a gigabyte.
fn gigabytes(name: &str, bytes: f64, price: f64) -> Item {
    let gigabytes = bytes / 1e3;
    (name.into(), format!("1 M × {} bytes = {gigabytes} GB × {price:.2}", number(bytes)), gigabytes * price)
}

/// So many things at a price for each.
fn each(name: &str, count: f64, price: f64) -> Item {
    (name.into(), format!("{count} × {price:.2}"), count * price)
}

fn rows(table: &mut Table, items: impl IntoIterator<Item = Item>) {
    for (name, arithmetic, price) in items {
        table.row(name, [arithmetic, format!("{price:.3}")]);
    }
}

/// What a million polls cost at several rates.
pub fn rates() -> Table {
    let mut table = Table::new(["Polls a second", "a month"].into_iter().chain(DOORS.map(|(name, _)| name)));
    for rate in [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0] {
        let prices = DOORS.map(|(_, setup)| dollars(Bill::per_million(setup, rate)));
        table.row(rate_name(rate), [number(rate * MONTH_S)].into_iter().chain(prices));
    }
    table
}

/// Where one way becomes cheaper than another.
pub fn break_evens() -> Table {
    let mut table = Table::new(["Instead of", "cheaper is", "from polls a second", "or a month"]);
    let rate = break_even(HTTP_API, LOAD_BALANCER);
    let cells = [rate, rate.map(|rate| rate * MONTH_S)].map(|value| value.map_or("never".into(), number));
    table.row("HTTP API", ["a load balancer".into()].into_iter().chain(cells));
    table
}

/// The cheaper path, step by step.
pub fn cheaper() -> Table {
    let rates = [1_000.0, 10_000.0, 100_000.0];
    let head = rates.map(|rate| format!("$ a month at {} a second", number(rate)));
    let mut table = Table::new(["", &head[0], &head[1], &head[2]]);
    for (step, setup) in [
        ("as deployed: HTTP API, X-Ray", Setup { tracing: true, ..HTTP_API }),
        ("with `Tracing=PassThrough`", HTTP_API),
        ("and a load balancer", LOAD_BALANCER),
        ("and S3 Express One Zone, as a bucket name", Setup { express: true, ..LOAD_BALANCER }),
    ] {
        table.row(step, rates.map(|rate| number(Bill::monthly(setup, rate).total())));
    }
    table
}

/// What a million polls cost, as lines.
pub fn draw_cost(file: &Path) {
    let rates = points(0.1, 1e5);
    let lines: Vec<_> = DOORS
        .into_iter()
        .map(|(name, setup)| Line::of(name, &rates, |rate| Bill::per_million(setup, rate)).below(60.0))
        .collect();
    let x = Axis { name: "polls a second", range: decades(0.1, 1e5), label: number };
    let labels = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
    let y = Axis { name: "$ for a million polls", range: labelled(0.5, 60.0, &labels), label: number };
    draw(file, "What a million polls cost", x, y, Corner::UpperRight, &lines);
}
