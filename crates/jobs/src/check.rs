//! `jobs check`: does a deployment answer as the contract says?
//!
//! Each answer is held to `openapi.yaml`. What the gateway in front answers itself is told apart by
//! the endpoint's `x-request-id`, which such answers do not have.

mod finding;
mod questions;

use std::time::Duration;

use clap::Args;
use finding::{Finding, Verdict};
use job_status::{JobId, chain};
use questions::Case;
use reqwest::Method;

use crate::{
    endpoint::{Access, Endpoint, Key, Question, Reply},
    failure::Failure,
    output::{line, printed, remark},
    wait::job_id,
};

/// How often a question is asked that is answered with 429.
const TRIES: u32 = 5;
/// The pause before it is asked again, if the answer does not say how long to wait.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause, whatever the answer says. Somebody looks on.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Checks whether a deployment answers as the contract says
///
/// Asks for every refusal that docs/api.md promises and, with --job, for the job. Holds each answer to
/// openapi.yaml, and knows which a gateway in front gives itself. Nothing is changed, and the job is
/// only read. 429 and 500 cannot be asked for.
#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  everything holds
  1  something does not
  2  usage: an argument is wrong
  6  no answer")]
pub struct Check {
    #[command(flatten)]
    access: Access,

    /// A job that there is, to ask for as well
    #[arg(long, value_name = "JOB_ID", value_parser = job_id)]
    job: Option<JobId>,

    /// Print an array of objects: when, expected, answered, verdict, faults, see
    #[arg(long)]
    json: bool,
}

/// Asks everything, and prints what holds.
pub async fn run(check: Check) -> Result<(), Failure> {
    let endpoint = check.access.open()?;
    // Without any answer to this, all others would be waited for in vain.
    if let Err(error) = endpoint.ask(Question { key: Key::Missing, ..Question::get(endpoint.route) }).await {
        return Err(Failure::unanswered(format!("{} does not answer: {}", endpoint.url("/"), line(&chain(&error))))
            .advise("check --url, the domain's DNS record and certificate, and the network"));
    }
    let mut findings = Vec::new();
    for case in questions::refusals(endpoint.route) {
        findings.push(Finding::of(&case, &ask(&endpoint, &case.question).await));
    }
    for case in check.job.into_iter().flat_map(|job| questions::job(&job.to_string())) {
        ask_for_job(&endpoint, &case, &mut findings).await;
    }
    printed(finding::print(&findings, check.json))?;
    match findings.iter().filter(|finding| finding.verdict == Verdict::Fails).count() {
        0 => Ok(()),
        failed => Err(Failure::no(format!("{failed} of {} answers are not as the contract says", findings.len()))
            .advise("read on where the list says")),
    }
}

/// Asks, and again after a pause if there are too many requests.
async fn ask(endpoint: &Endpoint, question: &Question) -> reqwest::Result<Reply> {
    for _ in 1..TRIES {
        match endpoint.ask(question.clone()).await {
            Ok(reply) if reply.status == 429 => {
                let pause = pause(reply.retry_after());
                remark(format_args!("HTTP 429: too many requests, next one in {}s", pause.as_secs()));
                tokio::time::sleep(pause).await;
            }
            result => return result,
        }
    }
    endpoint.ask(question.clone()).await
}

/// How long to wait where an answer asks for this much.
fn pause(retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or(PAUSE).clamp(PAUSE, LONGEST_PAUSE)
}

/// Asks for the job; after a GET also for what has changed since, which should be nothing.
async fn ask_for_job(endpoint: &Endpoint, case: &Case, findings: &mut Vec<Finding>) {
    let mut reply = ask(endpoint, &case.question).await;
    findings.push(Finding::of(case, &reply));
    if case.question.method != Method::GET {
        return;
    }
    let etag = |reply: &reqwest::Result<Reply>| reply.as_ref().ok()?.headers.get("etag").cloned();
    let mut again = Case { when: format!("{}, unchanged", case.when), status: 304, ..case.clone() };
    // Its worker may write between two questions. Then it is asked once more.
    for _ in 0..TRIES {
        again.question.if_none_match = etag(&reply);
        reply = ask(endpoint, &again.question).await;
        if etag(&reply) == again.question.if_none_match {
            break;
        }
    }
    findings.push(Finding::of(&again, &reply));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn a_pause_has_1_to_30_seconds() {
        for (asked, seconds) in [(None, 1), (Some(0), 1), (Some(7), 7), (Some(86_400), 30), (Some(u64::MAX), 30)] {
            assert_eq!(pause(asked.map(Duration::from_secs)), Duration::from_secs(seconds), "{asked:?}");
        }
    }
}
