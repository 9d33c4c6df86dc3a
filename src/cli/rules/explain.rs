//! `yingda rules explain`: why a text goes where it goes, and why not elsewhere.

use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

use routing_rules::{
    AppealKind, CitizenKind, DecidedBy, Decision, Effect, Facts, Field, Learned, LearnedContrast, LocalTime, PhraseHit,
    RuleSet, WhyNot,
};

use super::super::{Common, Exit, Failure};

/// `yingda rules explain`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
The phrases that decided are marked in the text, in colour on a terminal, «so» elsewhere. What is left out is unknown, and
what is unknown fires no rule.

Examples:
  yingda rules explain '解放路的路灯不亮了'
  yingda rules explain --why-not water-company '小区停水三天了'
  yingda rules explain --pack ./rules --channel email --subject 'Street light' 'It has been dark for a week'")]
pub(super) struct Args {
    /// The citizen's words
    text: String,
    /// The pack's folder
    #[arg(long)]
    pack: Option<PathBuf>,
    /// The subject
    #[arg(long)]
    subject: Option<String>,
    /// The medium: sms, email, telegram, websocket, webform or phone
    #[arg(long)]
    channel: Option<String>,
    /// The account within the medium
    #[arg(long)]
    account: Option<String>,
    /// The language (BCP 47); recognised when left out
    #[arg(long)]
    language: Option<String>,
    /// The item that the citizen chose
    #[arg(long)]
    item: Option<String>,
    /// Where it is, in the citizen's words
    #[arg(long)]
    place: Option<String>,
    /// The street of a form
    #[arg(long)]
    street: Option<String>,
    /// The district, an id of the pack
    #[arg(long)]
    district: Option<String>,
    /// What the citizen wants: inquiry, help, complaint, report, suggestion, praise or invalid
    #[arg(long, value_parser = parse(AppealKind::parse))]
    kind: Option<AppealKind>,
    /// Who the citizen speaks for: individual or enterprise
    #[arg(long, value_parser = parse(CitizenKind::parse))]
    citizen_kind: Option<CitizenKind>,
    /// How many files came along
    #[arg(long)]
    attachments: Option<u32>,
    /// The city's clock, as 2026-11-22T09:58
    #[arg(long, value_parser = parse(LocalTime::parse))]
    time: Option<LocalTime>,
    /// A department, an id of the pack: tell why the text does not go there
    #[arg(long, value_name = "DEPARTMENT")]
    why_not: Option<String>,
    /// Write the decision as JSON
    #[arg(long)]
    json: bool,
}

/// A parser of the words of packs.
fn parse<T: Clone + Send + Sync + 'static>(
    read: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |word| read(word).ok_or_else(|| "not one of the words that packs know".to_owned())
}

/// Explains a decision.
///
/// # Errors
/// Problems of the pack; a department that it does not have.
pub(super) fn run(common: &Common, args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let rules = super::pack(common, args.pack.as_deref())?;
    let language = args.language.clone().or_else(|| {
        let all = common.layers();
        let languages = crate::config::Config::read(all, true).ok().map(|config| config.city.languages);
        let languages = crate::intake::Languages::new(&languages.unwrap_or_default(), rules.default_language());
        languages.detect(&args.text)
    });
    let facts = Facts {
        subject: args.subject.as_deref(),
        text: &args.text,
        language: language.as_deref(),
        channel: args.channel.as_deref(),
        account: args.account.as_deref(),
        item: args.item.as_deref(),
        place: args.place.as_deref(),
        street: args.street.as_deref(),
        district: args.district.as_deref(),
        kind: args.kind,
        citizen_kind: args.citizen_kind,
        attachments: args.attachments,
        sender: None,
        local_time: args.time,
    };
    let decision = rules.decide(&facts);
    let why_not = match &args.why_not {
        None => None,
        Some(department) => Some(rules.why_not(&facts, department).ok_or_else(|| {
            Failure::new(Exit::Data, format!("there is no department {department} in {}", rules.id()))
        })?),
    };
    if args.json {
        let whole =
            serde_json::json!({ "decision": decision, "sentence": sentence(&rules, &decision), "why_not": why_not });
        writeln!(out, "{whole:#}")?;
        return Ok(());
    }
    let marks = if std::io::stdout().is_terminal() { ("\u{1b}[1;33m", "\u{1b}[0m") } else { ("«", "»") };
    tell(&rules, &facts, &decision, marks, out)?;
    if let Some(why_not) = why_not {
        contrast(&why_not, out)?;
    }
    Ok(())
}

/// The decision in one sentence.
fn sentence(rules: &RuleSet, decision: &Decision) -> String {
    let name = |names: Option<&routing_rules::Names>, id: &str| {
        names.and_then(|names| names.get("en")).map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
    };
    let item = |id: &str| name(rules.item(id).map(|item| &item.names), id);
    let department = |id: &str| name(rules.department(id).map(|department| &department.names), id);
    let place = decision.district.as_deref().map_or_else(String::new, |district| format!(" in {district}"));
    match (&decision.item, &decision.department, decision.decided_by) {
        (Some(own), None, _) => {
            format!("Is {}, {:.0} % sure; the pack has no departments.", item(own), decision.confidence * 100.0)
        }
        (Some(own), Some(to), DecidedBy::Rule | DecidedBy::Learned) => {
            let by =
                if decision.trace.chosen.is_some() { "the citizen's own choice" } else { decision.decided_by.as_str() };
            format!(
                "Goes to {} as {}{place}, by {by}, {:.0} % sure; a {} of {} priority, due in {} hours.",
                department(to),
                item(own),
                decision.confidence * 100.0,
                decision.kind,
                decision.priority,
                decision.deadline_hours,
            )
        }
        _ => {
            let why = match decision.reason.map(routing_rules::AbstainReason::as_str) {
                Some("no_rule") => "no item is named strongly enough".to_owned(),
                Some("thin_margin") => "two candidates are too close to each other".to_owned(),
                Some("no_department") => "the catalogue has no department for it".to_owned(),
                Some("hold") => "a rule asks for a person".to_owned(),
                Some("refuse") => {
                    format!("the law sends it elsewhere: {}", decision.refuse.map_or("", |route| route.as_str()))
                }
                other => other.unwrap_or("nothing decided").to_owned(),
            };
            format!(
                "Goes to the triage desk{place}, because {why}; a {} of {} priority.",
                decision.kind, decision.priority
            )
        }
    }
}

fn tell(
    rules: &RuleSet,
    facts: &Facts<'_>,
    decision: &Decision,
    marks: (&str, &str),
    out: &mut impl Write,
) -> std::io::Result<()> {
    let phrases: Vec<&PhraseHit> = decision.trace.hits.iter().flat_map(|hit| &hit.phrases).collect();
    for (field, name, text) in [(Field::Subject, "subject", facts.subject), (Field::Text, "text", Some(facts.text))] {
        if let Some(text) = text {
            let spans = phrases.iter().filter(|phrase| phrase.field == field).map(|phrase| (phrase.start, phrase.end));
            let spoke = decision.trace.learned.iter().flat_map(|learned| &learned.phrases);
            let learned = spoke
                .filter(|phrase| phrase.field == field && phrase.share > 0.0)
                .flat_map(|phrase| Learned::places(text, &phrase.phrase))
                .map(|(start, end)| (start as usize, end as usize));
            writeln!(out, "{name:<9}{}", marked(text, spans.chain(learned).collect(), marks))?;
        }
    }
    writeln!(out, "{}", sentence(rules, decision))?;
    if !decision.emergency.is_empty() {
        writeln!(out, "emergency: name {} to the citizen at once", decision.emergency.join(", "))?;
    }
    if !decision.trace.hits.is_empty() {
        writeln!(out, "\nrules that fired")?;
    }
    for hit in &decision.trace.hits {
        let effects: Vec<String> = hit.effects.iter().map(effect).collect();
        let mut phrases: Vec<&str> = hit.phrases.iter().map(|phrase| phrase.phrase.as_str()).collect();
        phrases.dedup();
        let because = if phrases.is_empty() { String::new() } else { format!("  «{}»", phrases.join("», «")) };
        writeln!(
            out,
            "  {:<10} {:+7.3}  {:<32} {}{because}  ({})",
            hit.phase.as_str(),
            hit.weight,
            hit.rule,
            effects.join(", "),
            hit.file
        )?;
    }
    if let Some(learned) = &decision.trace.learned {
        writeln!(
            out,
            "\nlearned phrases: {} has {:.3} = {:.3} to begin with, the shares below, and {:.3} of others",
            learned.item, learned.score, learned.base, learned.others
        )?;
        writeln!(
            out,
            "  sums of the subject are divided by {:.3}, of the text by {:.3}; {:.0} % sure, {:.0} % needed",
            learned.subject_norm,
            learned.text_norm,
            learned.confidence * 100.0,
            learned.threshold * 100.0
        )?;
        for phrase in &learned.phrases {
            let field = if phrase.field == Field::Subject { "subject" } else { "text" };
            writeln!(
                out,
                "  {:+8.3}  «{}» in the {field}, {} times, weight {:+.3}",
                phrase.share, phrase.phrase, phrase.times, phrase.weight
            )?;
        }
        if let Some(runner_up) = &learned.runner_up {
            writeln!(out, "  runner-up {} has {:.3}", runner_up.item, runner_up.score)?;
        }
    }
    if !decision.ranked.is_empty() {
        writeln!(out, "\ncandidates")?;
        for (place, ranked) in decision.ranked.iter().enumerate() {
            let department = rules.department_for(&ranked.item, decision.district.as_deref()).unwrap_or_default();
            let runner = if place == 1 { "  runner-up" } else { "" };
            writeln!(out, "  {:8.3}  {:<32} {department}{runner}", ranked.score, ranked.item)?;
        }
        let trace = &decision.trace;
        writeln!(
            out,
            "  threshold {}, margin {} of {} needed, confidence {:.3}, rule set {}",
            trace.threshold, trace.margin, trace.needed_margin, decision.confidence, trace.rule_set
        )?;
    }
    for conflict in &decision.trace.conflicts {
        writeln!(out, "conflict on {}: {} speak equally strongly", conflict.value, conflict.rules.join(" and "))?;
    }
    Ok(())
}

/// What a rule said, in the words of packs.
fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Item(item) => item.clone(),
        Effect::Kind(kind) => format!("kind {kind}"),
        Effect::Department(department) => format!("department {department}"),
        Effect::Assisting(departments) => format!("assisting {}", departments.join(" ")),
        Effect::Priority(priority) => format!("priority {priority}"),
        Effect::Emergency(numbers) => format!("emergency {}", numbers.join(" ")),
        Effect::Confidential => "confidential".to_owned(),
        Effect::Hold => "hold".to_owned(),
        Effect::Deadline(hours) => format!("deadline {hours} h"),
        Effect::Tags(tags) => format!("tags {}", tags.join(" ")),
        Effect::Refuse(route) => format!("refuse {}", route.as_str()),
        Effect::Reply(template) => format!("reply {template}"),
    }
}

/// The text with these spans of characters marked; spans that touch or overlap become one.
fn marked(text: &str, mut spans: Vec<(usize, usize)>, (open, close): (&str, &str)) -> String {
    spans.sort_unstable();
    let mut whole = String::with_capacity(text.len() + spans.len() * 8);
    let mut until = 0;
    let mut spans = spans.into_iter().peekable();
    for (at, character) in text.chars().enumerate() {
        if until > 0 && at >= until && spans.peek().is_none_or(|(start, _)| *start > at) {
            whole.push_str(close);
            until = 0;
        }
        while let Some((_, end)) = spans.next_if(|(start, _)| *start <= at) {
            if until == 0 && end > at {
                whole.push_str(open);
            }
            until = until.max(end);
        }
        whole.push(character);
    }
    if until > 0 {
        whole.push_str(close);
    }
    whole
}

/// How far learned phrases are from the department's items, and which of them speak for these.
fn learned_contrast(learned: &LearnedContrast, out: &mut impl Write) -> std::io::Result<()> {
    let LearnedContrast { best, score, confidence, threshold, items } = learned;
    for item in items {
        if item.behind > 0.0 {
            let (name, own, behind) = (&item.item, item.score, item.behind);
            writeln!(out, "  {name:<32} learned phrases give it {own:.3}, {behind:.3} behind {best} with {score:.3}")?;
        } else {
            let (sure, needed) = (confidence * 100.0, threshold * 100.0);
            writeln!(out, "  {best:<32} learned phrases speak for it most, {sure:.0} % sure, {needed:.0} % needed")?;
        }
        let phrases: Vec<String> =
            item.phrases.iter().map(|phrase| format!("«{}» {:+.3}", phrase.phrase, phrase.share)).collect();
        let phrases = if phrases.is_empty() { "no phrase".to_owned() } else { phrases.join(", ") };
        writeln!(out, "    for it: {phrases}")?;
    }
    Ok(())
}

fn contrast(why: &WhyNot, out: &mut impl Write) -> std::io::Result<()> {
    if why.goes_there {
        return writeln!(out, "\nit does go to {}", why.department);
    }
    writeln!(out, "\nwhy not {}", why.department)?;
    if let Some(chosen) = &why.chosen {
        writeln!(out, "  the citizen chose {chosen}, which decides by itself")?;
    }
    for rule in &why.overruled_by {
        writeln!(out, "  {rule} names another department")?;
    }
    for item in &why.items {
        writeln!(out, "  {:<32} has {:.3} points and lacks {:.3}", item.item, item.score, item.missing)?;
    }
    if let Some(learned) = &why.learned {
        learned_contrast(learned, out)?;
    }
    if why.items.is_empty() && why.silent.is_empty() {
        writeln!(out, "  no rule of the pack leads there")?;
    }
    for rule in &why.silent {
        let item = rule.item.as_deref().unwrap_or("the department itself");
        writeln!(out, "  {} ({}:{}) would add {} for {item}; it lacks", rule.rule, rule.file, rule.line, rule.weight)?;
        for missing in &rule.missing {
            writeln!(out, "    {missing}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Words {
        #[command(flatten)]
        args: Args,
    }

    fn told(words: &[&str]) -> String {
        let Words { args } = Words::try_parse_from([&["explain"], words].concat()).expect("words");
        let mut out = Vec::new();
        run(&Common::default(), &args, &mut out).expect("explained");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_decision_is_told_with_its_phrases_scores_and_what_others_lack() {
        let told = told(&["解放路的路灯不亮了", "--channel", "sms", "--why-not", "water-company"]);
        for line in [
            "解放路的«路灯不亮了»",
            "Goes to urban-management",
            "roads.streetlight",
            "threshold 2",
            "why not water-company",
            "utilities.water",
            "it lacks",
        ] {
            assert!(told.contains(line), "{line} is not in\n{told}");
        }
    }

    #[test]
    fn json_holds_decision_and_sentence() {
        let told = told(&["你好", "--json"]);
        let value: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(value["decision"]["decided_by"], "abstain");
        assert!(value["sentence"].as_str().is_some_and(|text| text.starts_with("Goes to the triage desk")), "{told}");
    }

    #[test]
    fn marks_join_where_they_touch() {
        for (spans, expected) in [
            (vec![], "abcdef"),
            (vec![(0, 2)], "«ab»cdef"),
            (vec![(4, 6)], "abcd«ef»"),
            (vec![(1, 3), (2, 5)], "a«bcde»f"),
            (vec![(0, 2), (2, 3)], "«abc»def"),
            (vec![(0, 1), (3, 4)], "«a»bc«d»ef"),
        ] {
            assert_eq!(marked("abcdef", spans.clone(), ("«", "»")), expected, "{spans:?}");
        }
    }
}
