//! The console's questions to a hub with very many tickets: first pages, filters, counts, search, one ticket.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::process::Hub;
use crate::table::{Table, millis_of, percentile};

/// How often each is asked.
const ROUNDS: usize = 40;

/// A question: its name, whose it is (a supervisor's or a handler's), and the address.
const QUESTIONS: &[(&str, bool, &str)] = &[
    ("open, newest first", true, "/tickets?order=newest&state=open&limit=50"),
    ("open, due first", true, "/tickets?order=due&limit=50"),
    ("overdue", true, "/tickets?order=due&overdue=true&limit=50"),
    ("triage, e-mail, urgent", true, "/tickets?order=newest&state=triage&channel=email&priority=urgent&limit=50"),
    ("one department, due first", true, "/tickets?order=due&department=urban-management&limit=50"),
    ("everything, newest first", true, "/tickets?order=newest&limit=50"),
    ("closed ones of one medium", true, "/tickets?order=newest&state=closed&channel=telegram&limit=50"),
    ("a rare filter over all", true, "/tickets?order=newest&state=closed&item=none&limit=50"),
    ("counts of all open", true, "/tickets/counts?state=open"),
    ("counts of one medium", true, "/tickets/counts?channel=sms"),
    ("search, two characters", true, "/search?q=%E8%B7%AF%E7%81%AF&limit=50"),
    ("search, two words", true, "/search?q=%E8%B7%AF%E7%81%AF%20%E5%8D%97%E9%97%A8&limit=50"),
    ("search, nothing found", true, "/search?q=%E9%BE%99%E9%BE%98&limit=50"),
    ("handler: own, due first", false, "/tickets?order=due&limit=50"),
    ("handler: counts", false, "/tickets/counts"),
    ("one ticket", true, "/tickets/{number}"),
];

/// Asks each of them and shows how long the answers took, from the first byte asked to the last received.
pub(crate) async fn measure(hub: &Hub) -> anyhow::Result<Table> {
    let page = hub.get("/api/v1/tickets?order=newest&limit=1").await?;
    let number = page["items"][0]["number"].as_str().context("no tickets")?.to_owned();
    let handler = &hub.handlers.iter().find(|(id, _)| id == "urban-management").context("no such department")?.1;
    let mut table = Table::new(&["question", "rows", "first", "p50", "p99"]);
    for (name, supervisor, path) in QUESTIONS {
        let token = if *supervisor { &hub.supervisor } else { handler };
        let path = format!("/api/v1{}", path.replace("{number}", &number));
        let (mut times, mut rows, mut first) = (Vec::with_capacity(ROUNDS), String::new(), 0.0);
        for round in 0..ROUNDS {
            let began = Instant::now();
            let answer = hub.get_as(token, &path).await?;
            let took = began.elapsed().as_secs_f64();
            if round == 0 {
                first = took;
                rows = answer["items"]
                    .as_array()
                    .map_or_else(|| answer["total"].to_string(), |rows| rows.len().to_string());
            }
            times.push(took);
        }
        ensure!(!times.is_empty(), "nothing was asked");
        times.sort_by(f64::total_cmp);
        table.row(vec![
            (*name).to_owned(),
            rows,
            millis_of(first),
            millis_of(percentile(&times, 0.5)),
            millis_of(percentile(&times, 0.99)),
        ]);
    }
    Ok(table)
}
