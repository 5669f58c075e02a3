//! What polls cost in a month, part by part.

use super::assumptions::{
    ACCESS_LOG_BYTES, ACCESS_LOGS, ANSWER_BYTES, CLOUDFRONT, DATA_OUT, EXPRESS_FIRST_BYTE_MS, HTTP_API,
    LAMBDA_GB_SECONDS, LAMBDA_LOGS, LAMBDA_REQUESTS, LCU_CONNECTIONS, LCU_GIGABYTES, LCU_HOUR, LOAD_BALANCER_HOUR,
    MEMORY_MB, MEMORY_OF_ONE_VCPU_MB, MONTH_S, POLLS_PER_CONNECTION, REQUEST_BYTES, REQUEST_LOG_BYTES, REST_API,
    S3_FIRST_BYTE_MS, S3_GETS, TRACED, Tiers, WARM_CPU_MS,
};

/// What callers connect to.
#[derive(Clone, Copy)]
pub enum Gateway {
    /// API Gateway's HTTP API, with its access log.
    HttpApi,
    /// API Gateway's REST API, with its access log.
    RestApi,
    /// CloudFront in front of a function URL.
    CloudFront,
    /// A function URL by itself.
    FunctionUrl,
    /// An Application Load Balancer.
    LoadBalancer,
}

/// Dollars in a month.
pub struct Bill {
    /// The gateway.
    pub gateway: f64,
    /// Lambda's charge for requests.
    pub requests: f64,
    /// Lambda's charge for time.
    pub time: f64,
    /// GETs.
    pub s3: f64,
    /// Both logs.
    pub logs: f64,
    /// Answers to the internet.
    pub data_out: f64,
}

impl Bill {
    /// A month of `rate` polls a second.
    pub fn monthly(gateway: Gateway, rate: f64) -> Self {
        let millions = rate * MONTH_S / 1e6;
        let gigabytes = |bytes| millions * 1e6 * bytes / 1e9;
        let has_access_log = matches!(gateway, Gateway::HttpApi | Gateway::RestApi);
        let access_log = if has_access_log { gigabytes(ACCESS_LOG_BYTES) } else { 0.0 };
        Self {
            gateway: match gateway {
                Gateway::HttpApi => tiered(millions, HTTP_API),
                Gateway::RestApi => tiered(millions, REST_API),
                Gateway::CloudFront => millions * CLOUDFRONT,
                Gateway::FunctionUrl => 0.0,
                Gateway::LoadBalancer => hourly(LOAD_BALANCER_HOUR + LCU_HOUR * capacity_units(rate)),
            },
            requests: millions * LAMBDA_REQUESTS,
            time: tiered(gigabyte_seconds(millions * 1e6, false), LAMBDA_GB_SECONDS),
            s3: millions * S3_GETS,
            logs: tiered(gigabytes(REQUEST_LOG_BYTES), LAMBDA_LOGS) + access_log * ACCESS_LOGS,
            data_out: tiered(gigabytes(ANSWER_BYTES), DATA_OUT),
        }
    }

    /// All of it.
    pub fn total(&self) -> f64 {
        self.gateway + self.requests + self.time + self.s3 + self.logs + self.data_out
    }

    /// Dollars for each million polls of a month of `rate` polls a second.
    pub fn per_million(gateway: Gateway, rate: f64) -> f64 {
        Self::monthly(gateway, rate).total() / (rate * MONTH_S / 1e6)
    }
}

/// Millions of polls that X-Ray records in a month: the first of each second, and a part of the others.
pub fn traced(rate: f64) -> f64 {
    let millions = rate * MONTH_S / 1e6;
    let first = rate.min(1.0) * MONTH_S / 1e6;
    first + (millions - first) * TRACED
}

/// Part of a core that the function's memory brings.
fn cpu_share() -> f64 {
    (MEMORY_MB / MEMORY_OF_ONE_VCPU_MB).min(1.0)
}

/// Time until S3 answers, ms.
fn first_byte_ms(express: bool) -> f64 {
    if express { EXPRESS_FIRST_BYTE_MS } else { S3_FIRST_BYTE_MS }
}

/// Wall time of a warm poll, ms.
pub fn warm_ms(express: bool) -> f64 {
    first_byte_ms(express) + WARM_CPU_MS / cpu_share()
}

/// What Lambda bills for it, whole ms.
fn billed_ms(express: bool) -> f64 {
    warm_ms(express).ceil()
}

/// What Lambda bills for a refused caller at most, whole ms: a warm poll's CPU.
pub fn refused_ms() -> f64 {
    (WARM_CPU_MS / cpu_share()).ceil()
}

/// The time billed for so many polls, times the function's memory.
pub fn gigabyte_seconds(polls: f64, express: bool) -> f64 {
    polls * billed_ms(express) / 1e3 * MEMORY_MB / 1024.0
}

/// Load balancer capacity units for so many polls a second: the dimension that needs most.
pub fn capacity_units(rate: f64) -> f64 {
    let connections = rate / POLLS_PER_CONNECTION / LCU_CONNECTIONS;
    let gigabytes = rate * 3600.0 * (REQUEST_BYTES + ANSWER_BYTES) / 1e9 / LCU_GIGABYTES;
    connections.max(gigabytes)
}

/// Polls a second from which one gateway costs no more than another, if at any rate up to a million.
pub fn break_even(instead_of: Gateway, cheaper: Gateway) -> Option<f64> {
    let dollars = |gateway, rate| Bill::monthly(gateway, rate).total();
    let mut rates = (0..=6_000).map(|step| 10_f64.powf(f64::from(step) / 1e3));
    rates.find(|&rate| dollars(cheaper, rate) <= dollars(instead_of, rate))
}

/// A month of so many dollars an hour.
fn hourly(dollars: f64) -> f64 {
    dollars * MONTH_S / 3600.0
}

/// The price of so many units in a month.
fn tiered(units: f64, tiers: Tiers) -> f64 {
    let mut from = 0.0;
    let mut dollars = 0.0;
    for &(up_to, price) in tiers {
        dollars += (units.min(up_to) - from).max(0.0) * price;
        from = up_to;
    }
    dollars
}
