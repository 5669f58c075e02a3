//! The tables and the chart of what polls cost, and of what makes them cheaper.

use std::path::Path;

use pages::Table;

use super::{
    assumptions::{
        ACCESS_LOG_BYTES, ACCESS_LOGS, ALARM_METRIC, DASHBOARD, DATA_OUT, FREE_DATA_OUT, FREE_LAMBDA, FREE_LOGS,
        FREE_METRICS, FULL_METRICS, GATEWAY_LARGEST_BYTES, GATEWAY_STEP_BYTES, HTTP_API, KMS_REQUESTS,
        KMS_WITH_BUCKET_KEYS, LAMBDA_GB_SECONDS, LAMBDA_LOGS, LAMBDA_REQUESTS, LEAN_METRICS, MEMORY_MB, METRIC,
        MONTH_S, OUTCOMES, REFUSAL_BYTES, REFUSED_LOG_BYTES, THROTTLE_RATE, TRACES, Tiers,
    },
    chart::{Axis, Corner, Line, decades, draw, labelled, points},
    cost::{Bill, Gateway, break_even, refused_ms, traced},
    numbers::{dollars, number, rate_name},
};

const TEMPLATE: Gateway = Gateway::HttpApi;
const GATEWAYS: [(&str, Gateway); 5] = [
    ("HTTP API", TEMPLATE),
    ("REST API", Gateway::RestApi),
    ("CloudFront, function URL", Gateway::CloudFront),
    ("Function URL", Gateway::FunctionUrl),
    ("Load balancer", Gateway::LoadBalancer),
];

/// A month of the stack.
struct Month {
    polls: f64,
    bill: Bill,
}

impl Month {
    fn of(polls: f64) -> Self {
        Self { polls, bill: Bill::monthly(TEMPLATE, polls / MONTH_S) }
    }

    /// Metrics that alarms look at, and metrics from the logs. The latter are paid for only while polls come.
    fn metrics(&self, full: bool) -> [f64; 2] {
        let [alarms, from_logs] = if full { FULL_METRICS } else { LEAN_METRICS };
        let outcomes = if full { OUTCOMES } else { 0.0 };
        [alarms, if self.polls > 0.0 { from_logs + outcomes } else { 0.0 }]
    }

    /// A setting of `Observation`.
    fn observation(&self, full: bool) -> f64 {
        let [alarms, from_logs] = self.metrics(full);
        alarms * ALARM_METRIC + from_logs * METRIC + if full { DASHBOARD } else { 0.0 }
    }

    /// What free tiers take off, if nothing else in the account uses them.
    fn free(&self, full: bool) -> f64 {
        let [requests, gb_seconds] = FREE_LAMBDA;
        let metrics = self.metrics(full).into_iter().zip(FREE_METRICS).zip([ALARM_METRIC, METRIC]);
        self.bill.requests.min(requests * LAMBDA_REQUESTS)
            + self.bill.time.min(gb_seconds * first(LAMBDA_GB_SECONDS))
            + self.bill.logs.min(FREE_LOGS * ACCESS_LOGS)
            + self.bill.data_out.min(FREE_DATA_OUT * first(DATA_OUT))
            + metrics.map(|((used, free), price)| used.min(free) * price).sum::<f64>()
            + if full { DASHBOARD } else { 0.0 }
    }
}

/// A month of the stack as the template has it, with few polls and with many.
pub fn month() -> Table {
    let months = [0.0, 1e4, 1e6, 1e8].map(Month::of);
    let head = months.each_ref().map(|month| number(month.polls));
    let mut table = Table::new(["$ a month, polls:"].into_iter().chain(head.iter().map(String::as_str)));
    let mut row = |name: &str, value: &dyn Fn(&Month) -> f64| {
        table.row(name, months.each_ref().map(|month| dollars(value(month))));
    };
    row("HTTP API", &|month| month.bill.gateway);
    row("Lambda", &|month| month.bill.requests + month.bill.time);
    row("S3", &|month| month.bill.s3);
    row("Logs", &|month| month.bill.logs);
    row("Data out", &|month| month.bill.data_out);
    row("`Lean`", &|month| month.observation(false));
    row("**Sum, `Lean`**", &|month| month.bill.total() + month.observation(false));
    row("`Full` adds", &|month| month.observation(true) - month.observation(false));
    row("**Sum, `Full`**", &|month| month.bill.total() + month.observation(true));
    row("Free tiers take off, `Lean`", &|month| month.free(false));
    row("Free tiers take off, `Full`", &|month| month.free(true));
    row("`Tracing=Active` adds", &|month| traced(month.polls / MONTH_S) * TRACES);
    row("`KmsKeyArn` adds", &|month| month.polls / 1e6 * KMS_WITH_BUCKET_KEYS * KMS_REQUESTS);
    table
}

/// A million polls in words.
pub fn sentence() -> String {
    format!("A million polls cost **${}** at list prices of us-east-1.", dollars(Bill::per_million(TEMPLATE, 1.0)))
}

/// The most that callers without a key can cost in a day, in words.
pub fn refused() -> String {
    let millions = THROTTLE_RATE * 86_400.0 / 1e6;
    let gb_seconds = refused_ms() / 1e3 * MEMORY_MB / 1024.0 * first(LAMBDA_GB_SECONDS) * 1e6;
    let access_log = ACCESS_LOG_BYTES / 1e3 * ACCESS_LOGS;
    let function = LAMBDA_REQUESTS + gb_seconds + REFUSED_LOG_BYTES / 1e3 * first(LAMBDA_LOGS);
    let answer = REFUSAL_BYTES / 1e3 * first(DATA_OUT);
    let small = millions * (first(HTTP_API) + function + access_log + answer);
    let steps = (GATEWAY_LARGEST_BYTES / GATEWAY_STEP_BYTES).ceil();
    let large = millions * (steps * first(HTTP_API) + access_log + answer);
    format!(
        "With the default `ThrottleRate`, callers without a key get through {} million times a day, and cost at most\n\
         **${} a day**. If they send the largest body that the gateway takes with each request, it is ${}: the gateway\n\
         charges such a request {} times. What it turns away costs ${} a million, for the access log.",
        number(millions),
        dollars(small),
        number(large),
        number(steps),
        dollars(access_log),
    )
}

/// The price of the first step.
fn first(tiers: Tiers) -> f64 {
    tiers[0].1
}

/// What a million polls cost at several rates.
pub fn rates() -> Table {
    let mut table = Table::new(["Polls a second"].into_iter().chain(GATEWAYS.map(|(name, _)| name)));
    for rate in [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0] {
        let prices = GATEWAYS.map(|(_, gateway)| dollars(Bill::per_million(gateway, rate)));
        table.row(rate_name(rate), prices);
    }
    table
}

/// Where a load balancer becomes cheaper than the HTTP API, in words.
pub fn load_balancer() -> String {
    let from = break_even(TEMPLATE, Gateway::LoadBalancer);
    let from = from.map_or("never".into(), |rate| {
        format!("from {} polls a second, {} a month", number(rate), number(rate * MONTH_S))
    });
    format!("A load balancer is cheaper than the HTTP API {from}.")
}

/// What a million polls cost, as lines.
pub fn draw_cost(file: &Path) {
    let rates = points(0.1, 1e5);
    let lines =
        GATEWAYS.map(|(name, gateway)| Line::of(name, &rates, |rate| Bill::per_million(gateway, rate)).below(60.0));
    let x = Axis { name: "polls a second", range: decades(0.1, 1e5), label: number };
    let labels = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
    let y = Axis { name: "$ for a million polls", range: labelled(0.5, 60.0, &labels), label: number };
    draw(file, "What a million polls cost", x, y, Corner::UpperRight, &lines);
}
