//! Every number that the arithmetic starts from, each in this one place, with unit and source.
//!
//! *Measured* figures are those of `docs/design/performance.md`, of its two hosts the dearer one, or counted. *Quotas*
//! and *prices* are those that Amazon published for us-east-1 in November 2026, in US dollars, without free tiers.
//! The page is named with each. What is *assumed* nobody publishes: change it and run the program
//! again to see what depends on it.

/// Price steps by monthly volume: up to so many units, so many dollars each.
pub type Tiers = &'static [(f64, f64)];

// ---- Measured -------------------------------------------------------------------------------

/// CPU of a warm poll, ms of a full core, where each waits 15 ms for S3 and nothing happens
/// meanwhile (`docs/design/performance.md`).
pub const WARM_CPU_MS: f64 = 0.37;
/// What a poll adds to the function's log, bytes: its line, and 26 that CloudWatch adds.
pub const REQUEST_LOG_BYTES: f64 = 284.0 + 26.0;
/// What a refused caller adds to it.
pub const REFUSED_LOG_BYTES: f64 = 188.0 + 26.0;
/// What each adds to API Gateway's access log.
pub const ACCESS_LOG_BYTES: f64 = 104.0 + 26.0;

// ---- The template's defaults ----------------------------------------------------------------

/// `MemorySize`, MB.
pub const MEMORY_MB: f64 = 256.0;
/// `StatusExpiryDays`, days that a status file is kept.
pub const STATUS_DAYS: f64 = 30.0;
/// `ThrottleRate`, polls a second over all callers.
pub const THROTTLE_RATE: f64 = 100.0;
/// `Observation=Lean`: metrics that its alarms look at, and metrics made from the logs.
pub const LEAN_METRICS: [f64; 2] = [8.0, 3.0];
/// `Observation=Full`: the same, without [`OUTCOMES`].
pub const FULL_METRICS: [f64; 2] = [13.0, 11.0];
/// Ways in which a request ends. With `Full`, each is a metric of its own once it has occurred.
pub const OUTCOMES: f64 = 14.0;

// ---- Quotas ---------------------------------------------------------------------------------

/// Concurrent executions of an account in a region, raised on request (Lambda quotas).
pub const LAMBDA_CONCURRENCY: f64 = 1_000.0;
/// The same in a new account (Lambda quotas: "reduced"; 10 is what is commonly seen).
pub const NEW_ACCOUNT_CONCURRENCY: f64 = 10.0;
/// Synchronous requests a second for each unit of that quota (Lambda quotas).
pub const REQUESTS_PER_CONCURRENCY: f64 = 10.0;
/// Memory at which a function has one vCPU; CPU is proportional to memory, MB (Lambda, memory).
pub const MEMORY_OF_ONE_VCPU_MB: f64 = 1_769.0;
/// Requests a second of an account in a region, HTTP and REST APIs together (API Gateway quotas).
pub const GATEWAY_RATE: f64 = 10_000.0;
/// The HTTP API counts a request once for each so many bytes of it (API Gateway pricing).
pub const GATEWAY_STEP_BYTES: f64 = 512.0 * 1024.0;
/// The largest request that it takes, bytes (API Gateway quotas).
pub const GATEWAY_LARGEST_BYTES: f64 = 10.0 * 1024.0 * 1024.0;
/// GETs a second that one partition of a bucket serves (S3, optimizing performance).
pub const S3_PARTITION_GETS: f64 = 5_500.0;
/// A load balancer's capacity unit (LCU): new connections a second (ELB pricing).
pub const LCU_CONNECTIONS: f64 = 25.0;
/// And gigabytes an hour to and from Lambda targets (ELB pricing).
pub const LCU_GIGABYTES: f64 = 0.4;

// ---- Prices ---------------------------------------------------------------------------------

/// HTTP API, a million requests (API Gateway pricing).
pub const HTTP_API: Tiers = &[(300.0, 1.00), (f64::INFINITY, 0.90)];
/// REST API, a million requests (API Gateway pricing).
pub const REST_API: Tiers = &[(333.0, 3.50), (1_000.0, 2.80), (20_000.0, 2.38), (f64::INFINITY, 1.51)];
/// CloudFront, a million HTTPS requests from North America and Europe (CloudFront pricing).
pub const CLOUDFRONT: f64 = 1.00;
/// Load balancer, an hour (ELB pricing).
pub const LOAD_BALANCER_HOUR: f64 = 0.0225;
/// Load balancer, a capacity unit for an hour (ELB pricing).
pub const LCU_HOUR: f64 = 0.008;
/// Lambda, a million requests (Lambda pricing).
pub const LAMBDA_REQUESTS: f64 = 0.20;
/// Lambda on arm64, a GB-second (Lambda pricing).
pub const LAMBDA_GB_SECONDS: Tiers =
    &[(7.5e9, 0.000_013_333_4), (18.75e9, 0.000_012_000_1), (f64::INFINITY, 0.000_010_666_7)];
/// S3 Standard, a million GETs (S3 pricing).
pub const S3_GETS: f64 = 0.40;
/// S3 Standard, a million PUTs (S3 pricing).
pub const S3_PUTS: f64 = 5.00;
/// S3 Standard, a gigabyte for a month (S3 pricing).
pub const S3_STORAGE: f64 = 0.023;
/// S3 Express One Zone, a million GETs (S3 pricing, FAQ).
pub const EXPRESS_GETS: f64 = 0.03;
/// S3 Express One Zone, a million PUTs (S3 pricing, FAQ).
pub const EXPRESS_PUTS: f64 = 1.13;
/// S3 Express One Zone, a gigabyte read, written, and kept for a month (S3 pricing, FAQ).
pub const EXPRESS_READ: f64 = 0.000_6;
/// See [`EXPRESS_READ`].
pub const EXPRESS_WRITTEN: f64 = 0.003_2;
/// See [`EXPRESS_READ`].
pub const EXPRESS_STORAGE: f64 = 0.11;
/// KMS, a million requests (KMS pricing). Without bucket keys each GET of an encrypted object is one.
pub const KMS_REQUESTS: f64 = 3.00;
/// CloudWatch Logs, a gigabyte from Lambda (CloudWatch pricing, vended logs).
pub const LAMBDA_LOGS: Tiers = &[(10_000.0, 0.50), (30_000.0, 0.25), (50_000.0, 0.10), (f64::INFINITY, 0.05)];
/// CloudWatch Logs, a gigabyte of access log (CloudWatch pricing; taken as not tiered).
pub const ACCESS_LOGS: f64 = 0.50;
/// A metric that an alarm looks at, a month (CloudWatch pricing).
pub const ALARM_METRIC: f64 = 0.10;
/// A metric of one's own, a month (CloudWatch pricing).
pub const METRIC: f64 = 0.30;
/// A dashboard, a month (CloudWatch pricing).
pub const DASHBOARD: f64 = 3.00;
/// Free each month, always: Lambda's requests in millions, and its GB-seconds (Lambda pricing).
pub const FREE_LAMBDA: [f64; 2] = [1.0, 400_000.0];
/// Likewise, metrics that alarms look at, and metrics of one's own; a dashboard is free too (CloudWatch pricing).
pub const FREE_METRICS: [f64; 2] = [10.0, 10.0];
/// Likewise, gigabytes of log (CloudWatch pricing).
pub const FREE_LOGS: f64 = 5.0;
/// Likewise, gigabytes of data out (EC2 pricing, data transfer).
pub const FREE_DATA_OUT: f64 = 100.0;
/// X-Ray, a million traces (X-Ray pricing).
pub const TRACES: f64 = 5.00;
/// Part of the requests that X-Ray records beside the first of each second (X-Ray, sampling).
pub const TRACED: f64 = 0.05;
/// Data out to the internet, a gigabyte (EC2 pricing, data transfer). CloudFront's differ by less
/// than a cent.
pub const DATA_OUT: Tiers = &[(10_000.0, 0.09), (50_000.0, 0.085), (150_000.0, 0.07), (f64::INFINITY, 0.05)];

// ---- Assumed --------------------------------------------------------------------------------

/// Time until S3 in the same region answers a small GET, ms: the middle of 10 to 20 ms.
pub const S3_FIRST_BYTE_MS: f64 = 15.0;
/// A caller's request with its headers, bytes.
pub const REQUEST_BYTES: f64 = 500.0;
/// A status file, and also the answer that carries it, bytes.
pub const ANSWER_BYTES: f64 = 1_000.0;
/// What a refused caller is answered, with its headers, bytes.
pub const REFUSAL_BYTES: f64 = 500.0;
/// Calls a connection to the load balancer carries: one, as callers wait between polls. Those
/// that keep it open make the bytes count instead.
pub const POLLS_PER_CONNECTION: f64 = 1.0;
/// KMS requests that bucket keys leave (S3 user guide: "up to 99 percent" fewer).
pub const KMS_WITH_BUCKET_KEYS: f64 = 0.01;
/// First byte from S3 Express One Zone, ms ("single-digit milliseconds").
pub const EXPRESS_FIRST_BYTE_MS: f64 = 5.0;
/// Writes of one job's status file: it is running, it is done.
pub const WRITES_PER_JOB: f64 = 2.0;
/// An average month, seconds.
pub const MONTH_S: f64 = 730.0 * 3600.0;
