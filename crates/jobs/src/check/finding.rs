//! What an answer is worth: whether it is the contract's, who gave it, and where to read on.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets::NOTHING};
use contract::documented;
use job_status::chain;
use serde::Serialize;
use serde_json::Value;

use super::questions::{Case, REFERENCE};
use crate::{
    endpoint::{Key, Reply},
    output::line,
};

/// Questions that are named with a fault that they share. The table above has all of them.
const NAMED: usize = 3;

/// How one question was answered.
#[derive(Serialize)]
pub struct Finding {
    when: String,
    expected: u16,
    /// `None` if there was no answer.
    answered: Option<u16>,
    pub verdict: Verdict,
    /// What is wrong, a phrase each.
    faults: Vec<String>,
    /// Where to read on, if something is.
    see: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The answer is the contract's.
    Holds,
    /// The gateway in front answered itself, as the contract says that it may.
    Gateway,
    /// It is neither.
    Fails,
}

impl Finding {
    /// Judges an answer.
    pub fn of(case: &Case, reply: &reqwest::Result<Reply>) -> Self {
        let (answered, faults, by_gateway) = match reply {
            Err(error) => (None, vec![line(&format!("no answer: {}", chain(error)))], false),
            Ok(reply) => {
                let (faults, by_gateway) = faults(case, reply);
                (Some(reply.status.as_u16()), faults, by_gateway)
            }
        };
        let verdict = match (faults.as_slice(), by_gateway) {
            ([], false) => Verdict::Holds,
            ([], true) => Verdict::Gateway,
            _ => Verdict::Fails,
        };
        let see = (verdict == Verdict::Fails).then(|| where_to_look(case, reply.as_ref().ok()));
        Self { when: case.when.clone(), expected: case.status, answered, verdict, faults, see }
    }
}

/// What is wrong with an answer, and whether the gateway gave it.
fn faults(case: &Case, reply: &Reply) -> (Vec<String>, bool) {
    let (expected, status) = (case.status, reply.status.as_u16());
    let said = format!("HTTP {status}: {}", reply.error().unwrap_or_default());
    if is_gateways(reply) {
        let faults = if case.gateway.contains(&status) { vec![] } else { vec![format!("the gateway's own {said}")] };
        return (faults, true);
    }
    if status != expected {
        let mut faults = vec![said];
        if let (404, Some(job_id)) = (status, &case.job_id) {
            faults.push(format!("it looked for <JOBS_PREFIX><prefix of the key>{job_id}.json, in lower case"));
        }
        return (faults, false);
    }
    let Some(documented) = documented(case.question.method.as_str(), status) else {
        return (vec![format!("openapi.yaml has no {status} for it")], false);
    };
    let faults = documented.faults(|name| reply.header(name), &reply.body);
    let mut faults: Vec<_> = faults.iter().map(|fault| line(fault)).collect();
    if status == 200 && !repeats_reference(reply) {
        faults.push("the envelope does not repeat id".into());
    }
    (faults, false)
}

/// Every answer of the endpoint has an `x-request-id`; its gateways do not use this name.
fn is_gateways(reply: &Reply) -> bool {
    reply.header("x-request-id").is_none()
}

fn repeats_reference(reply: &Reply) -> bool {
    #[derive(serde::Deserialize)]
    struct Envelope {
        id: Value,
    }
    serde_json::from_slice::<Envelope>(&reply.body).is_ok_and(|envelope| envelope.id == REFERENCE)
}

/// The place in the documentation that helps on, by what was answered.
fn where_to_look(case: &Case, reply: Option<&Reply>) -> &'static str {
    let Some(reply) = reply else { return "docs/operations.md#latency" };
    match (is_gateways(reply), reply.status.as_u16()) {
        (_, 429) => "docs/operations.md#throttles",
        (true, 500..) => "docs/operations.md#function-errors",
        (true, _) | (false, 405) => "docs/operations.md#deploying", // an older version is there, or another API
        (false, 500..) => "docs/failure-modes.md#s3",
        (false, 401) if matches!(case.question.key, Key::Own) => "docs/keys.md#issue-a-key",
        (false, 404) if case.status == 200 => "docs/workers.md#the-status-file",
        _ => "docs/api.md#answers",
    }
}

/// Prints a table, and below it what is wrong.
pub fn print(findings: &[Finding], json: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(findings)?);
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["WHEN", "EXPECTED", "ANSWERED", ""]);
    for finding in findings {
        let answered = finding.answered.map_or("-".into(), |status| status.to_string());
        let verdict = match finding.verdict {
            Verdict::Holds => "holds",
            Verdict::Gateway => "the gateway's own",
            Verdict::Fails => "FAILS",
        };
        table.add_row([&finding.when, &finding.expected.to_string(), &answered, verdict]);
    }
    let styles = findings.iter().map(|finding| match finding.verdict {
        Verdict::Holds => AnsiColor::Green.on_default(),
        Verdict::Gateway => AnsiColor::Yellow.on_default(),
        Verdict::Fails => AnsiColor::Red.on_default().bold(),
    });
    for (line, style) in table.lines().zip([Style::new().bold()].into_iter().chain(styles)) {
        writeln!(out, "{style}{}{style:#}", line.trim())?;
    }
    writeln!(out, "429 and 500 cannot be asked for.")?;
    // What is wrong is often wrong everywhere: with each fault stands what has it.
    let mut wrong: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.verdict == Verdict::Fails) {
        match wrong.iter_mut().find(|(first, _)| (&first.faults, first.see) == (&finding.faults, finding.see)) {
            Some((_, when)) => when.push(&finding.when),
            None => wrong.push((finding, vec![&finding.when])),
        }
    }
    for (Finding { faults, see, .. }, when) in wrong {
        let (first, others) = when.split_at(when.len().min(NAMED));
        let others = if others.is_empty() { String::new() } else { format!(" and {} others", others.len()) };
        let (first, faults) = (first.join(", "), faults.join("\n  "));
        writeln!(out, "\n{first}{others}\n  {faults}\n  see {}", see.unwrap_or_default())?;
    }
    Ok(())
}
