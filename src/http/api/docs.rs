//! The description of the API: OpenAPI 3.1, and the same as a page that needs no script and no other host.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Yingda staff API", description = "What call-centre staff, departments and their programs use. Every error has the one envelope \
        `{\"error\": {\"code\", \"message\"}}`. Every write names the `version` it saw; 409 tells what changed since."),
    modifiers(&Ways),
    tags(
        (name = "session", description = "Logging in"),
        (name = "tickets", description = "Reading and finding tickets"),
        (name = "moves", description = "What is done to tickets"),
        (name = "health", description = "How the hub and its channels are"),
        (name = "drafts", description = "What staff are writing"),
        (name = "files", description = "Files of tickets"),
        (name = "calls", description = "The telephone"),
        (name = "feed", description = "What happens, in order"),
        (name = "deliveries", description = "Messages on their way out"),
        (name = "quarantine", description = "Messages kept aside"),
        (name = "catalogue", description = "Departments and service items"),
        (name = "rule sets", description = "The rules that decide: drafted, proved on the past, published, rolled back"),
        (name = "users", description = "Staff and tokens"),
        (name = "audit", description = "The audit log"),
    )
)]
pub(super) struct Described;

struct Ways;

impl Modify for Ways {
    fn modify(&self, description: &mut Description) {
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("yingda"))));
        description.security = Some(vec![
            utoipa::openapi::SecurityRequirement::new("token", Vec::<String>::new()),
            utoipa::openapi::SecurityRequirement::new("session", Vec::<String>::new()),
        ]);
    }
}

/// Adds what holds for every operation: who may use it, and the answers that any may give.
pub(super) fn complete(mut description: Value) -> Value {
    let Some(paths) = description.get_mut("paths").and_then(Value::as_object_mut) else { return description };
    for (path, operations) in paths {
        let Some(operations) = operations.as_object_mut() else { continue };
        for (method, operation) in operations {
            let Some(operation) = operation.as_object_mut() else { continue };
            // Ids are the functions' names, which only together with the noun are unique, as OpenAPI demands.
            let noun = operation.get("tags").and_then(|tags| tags.get(0)).and_then(Value::as_str);
            let verb = operation.get("operationId").and_then(Value::as_str);
            if let (Some(noun), Some(verb)) = (noun, verb) {
                let id = format!("{}_{verb}", noun.replace(' ', "_"));
                operation.insert("operationId".to_owned(), id.into());
            }
            let json = operation.get("requestBody").map(|body| body.pointer("/content/application~1json").is_some());
            let query = operation
                .get("parameters")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|one| text(one, "/in") == "query"));
            let mut answers = vec![("503", "The hub cannot do this now; see Retry-After")];
            if json.is_some() {
                answers.push(("400", "The body cannot be read"));
                answers.push(("413", "The body is larger than the hub takes"));
            }
            if json == Some(true) {
                answers.push(("415", "The body is not declared as application/json"));
            }
            if json == Some(true) || query {
                answers.push(("422", "A field or parameter that is missing, of another shape, or unknown"));
            }
            let method = axum::http::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
            match super::access::open(&method, path) {
                Some(super::access::Open::Roles(roles) | super::access::Open::Identity(roles)) => {
                    let names: Vec<Value> = roles.iter().map(|role| role.as_str().into()).collect();
                    let identity = matches!(super::access::open(&method, path), Some(super::access::Open::Identity(_)));
                    operation.insert("x-roles".to_owned(), names.into());
                    operation.insert("x-needs-identity".to_owned(), identity.into());
                    answers.push(("401", "Nobody, or a session or token that is no longer good"));
                    answers.push(("403", "Not for this role, or without a needed right"));
                }
                Some(super::access::Open::Everybody) | None => {
                    operation.insert("security".to_owned(), Value::Array(Vec::new()));
                }
            }
            let Some(known) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
            for (status, text) in answers {
                known.entry(status).or_insert_with(|| {
                    serde_json::json!({
                        "description": text,
                        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/ErrorBody" } } },
                    })
                });
            }
        }
    }
    description
}

pub(super) static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let (_, description) = super::routes().split_for_parts();
    complete(serde_json::to_value(description).unwrap_or_default())
});

/// The description as OpenAPI 3.1.
pub(super) async fn openapi() -> Response {
    Json(&*DESCRIPTION).into_response()
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
    code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f2f2;padding:.1rem .3rem;overflow-wrap:anywhere}pre{padding:.6rem;overflow:auto}\
    section{border-top:1px solid #767676;margin-top:1.5rem}h3{margin-bottom:.2rem}dt{font-weight:600}dd{margin:0 0 .3rem 1rem}";

/// The description as a page.
pub(super) async fn page() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| render(&DESCRIPTION));
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; frame-ancestors 'none'")
    });
    let mut response = Html(PAGE.as_str()).into_response();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text<'value>(value: &'value Value, pointer: &str) -> &'value str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The name of a schema behind a reference, or its type.
fn schema_name(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("<a href=\"#{0}\">{0}</a>", escape(name));
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", schema_name(items));
    }
    let of = |key: &str| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .map(|all| all.iter().map(schema_name).collect::<Vec<_>>().join(" or "))
    };
    match schema.get("type") {
        Some(Value::String(name)) => escape(name),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or ")
        }
        _ => of("oneOf").or_else(|| of("allOf")).unwrap_or_else(|| "any".to_owned()),
    }
}

fn render(description: &Value) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>\
         <style>{STYLE}</style></head><body><main><h1>{0}</h1><p>{1}</p><p>For programs: <a href=\"/api/openapi.json\">OpenAPI 3.1</a>.</p>",
        escape(text(description, "/info/title")),
        escape(text(description, "/info/description")),
    );
    for (path, operations) in description.get("paths").and_then(Value::as_object).into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            operation_section(&mut html, path, method, operation);
        }
    }
    html.push_str("<section><h2>Shapes</h2>");
    for (name, schema) in description.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten() {
        let _ = write!(html, "<h3 id=\"{0}\">{0}</h3><p>{1}</p>", escape(name), escape(text(schema, "/description")));
        let parts = std::iter::once(schema).chain(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
        html.push_str("<dl>");
        for part in parts {
            for (field, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let _ = write!(
                    html,
                    "<dt><code>{}</code> ({})</dt><dd>{}</dd>",
                    escape(field),
                    schema_name(schema),
                    escape(text(schema, "/description"))
                );
            }
        }
        html.push_str("</dl>");
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<_> =
                words.iter().filter_map(Value::as_str).map(|word| format!("<code>{}</code>", escape(word))).collect();
            let _ = write!(html, "<p>One of {}.</p>", words.join(", "));
        }
    }
    html.push_str("</section></main></body></html>");
    html
}

fn operation_section(html: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        html,
        "<section><h2><code>{} {}</code></h2><p>{} {}</p>",
        method.to_uppercase(),
        escape(path),
        escape(text(operation, "/summary")),
        escape(text(operation, "/description")),
    );
    if let Some(roles) = operation.get("x-roles").and_then(Value::as_array) {
        let names: Vec<_> = roles.iter().filter_map(Value::as_str).collect();
        let right = if operation.get("x-needs-identity") == Some(&Value::Bool(true)) {
            ", with the right to identities"
        } else {
            ""
        };
        let _ = write!(html, "<p>For {}{right}.</p>", names.join(", "));
    }
    html.push_str("<dl>");
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let _ = write!(
            html,
            "<dt><code>{}</code> ({})</dt><dd>{}</dd>",
            escape(text(parameter, "/name")),
            escape(text(parameter, "/in")),
            escape(text(parameter, "/description"))
        );
    }
    for (_, content) in operation.pointer("/requestBody/content").and_then(Value::as_object).into_iter().flatten() {
        let _ = write!(html, "<dt>Body</dt><dd>{}</dd>", content.get("schema").map(schema_name).unwrap_or_default());
    }
    for (status, answer) in operation.get("responses").and_then(Value::as_object).into_iter().flatten() {
        let content = answer.get("content").and_then(Value::as_object).and_then(|content| content.values().next());
        let shape = content
            .and_then(|content| content.get("schema"))
            .map(|schema| format!(": {}", schema_name(schema)))
            .unwrap_or_default();
        let _ = write!(html, "<dt>{}</dt><dd>{}{shape}</dd>", escape(status), escape(text(answer, "/description")));
    }
    html.push_str("</dl></section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_is_described_and_the_other_way_round() {
        let paths = DESCRIPTION["paths"].as_object().expect("paths");
        let mut described: Vec<String> = paths
            .iter()
            .flat_map(|(path, operations)| {
                operations
                    .as_object()
                    .expect("operations")
                    .keys()
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect();
        described.extend(["GET /api".to_owned(), "GET /api/openapi.json".to_owned()]);
        described.sort();
        let mut table: Vec<String> =
            super::super::access::TABLE.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
        table.sort();
        assert_eq!(described, table);
    }

    #[test]
    fn each_operation_has_an_id_of_its_own() {
        let mut ids: Vec<_> = DESCRIPTION["paths"]
            .as_object()
            .expect("paths")
            .values()
            .flat_map(|operations| operations.as_object().expect("operations").values())
            .map(|operation| text(operation, "/operationId"))
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{ids:?}");
        assert!(ids.iter().all(|id| !id.is_empty()));
    }

    #[test]
    fn it_is_openapi_3_1_and_each_answer_says_what_it_is() {
        assert!(text(&DESCRIPTION, "/openapi").starts_with("3.1"));
        for (path, operations) in DESCRIPTION["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                assert!(!text(operation, "/summary").is_empty(), "{method} {path}");
                for (status, answer) in operation["responses"].as_object().expect("answers") {
                    assert!(!text(answer, "/description").is_empty(), "{method} {path} {status}");
                }
            }
        }
    }

    #[test]
    fn the_page_links_only_to_what_it_has() {
        let html = render(&DESCRIPTION);
        for link in html.split("href=\"#").skip(1) {
            let name = link.split('"').next().expect("a name");
            assert!(html.contains(&format!("id=\"{name}\"")), "{name}");
        }
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"));
    }
}
