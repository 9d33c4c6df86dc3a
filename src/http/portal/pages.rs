//! The citizen pages as HTML: compiled templates, the words of a catalogue, and what a page shows.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, Serde, from_args};
use minijinja::{AutoEscape, Environment, Error, State, UndefinedBehavior, Value, context};
use serde::Serialize;

use crate::locale::{Catalogue, Catalogues};

/// The templates and the files that pages bring along, built into the program.
const FILES: &[(&str, &str)] = &[
    ("layout.html", include_str!("pages/layout.html")),
    ("parts.html", include_str!("pages/parts.html")),
    ("form.html", include_str!("pages/form.html")),
    ("received.html", include_str!("pages/received.html")),
    ("track.html", include_str!("pages/track.html")),
    ("ticket.html", include_str!("pages/ticket.html")),
    ("answer.html", include_str!("pages/answer.html")),
    ("fault.html", include_str!("pages/fault.html")),
    ("widget.html", include_str!("pages/widget.html")),
];

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("pages/portal.css");

/// The sign in the browser's tab.
pub(super) const ICON: &str = include_str!("pages/icon.svg");

/// What every page shows around its own matter.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Site<'a> {
    /// The hotline's name.
    pub(super) city: &'a str,
    /// Its telephone number.
    pub(super) helpline: &'a str,
    /// The page's language (BCP 47).
    pub(super) language: &'a str,
    /// All languages with their own names.
    pub(super) languages: Vec<Language<'a>>,
    /// Which main page is shown: `start`, `track`, or neither.
    pub(super) section: &'static str,
    /// Where the language links lead.
    pub(super) path: &'a str,
    /// What goes along by POST when the language is switched on the page of a ticket.
    pub(super) pass: Option<&'a str>,
    /// Address of the style sheet.
    pub(super) style: &'a str,
    /// Address of the icon.
    pub(super) icon: &'static str,
}

/// One choice of the language switch.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Language<'a> {
    /// BCP 47.
    pub(super) tag: &'a str,
    /// In the language itself.
    pub(super) name: &'a str,
}

/// The compiled templates.
#[derive(Debug)]
pub(super) struct Pages {
    environment: Environment<'static>,
    catalogues: Arc<Catalogues>,
}

impl Pages {
    /// Compiles the templates.
    pub(super) fn new(catalogues: Arc<Catalogues>) -> Self {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        for (name, source) in FILES {
            if let Err(error) = environment.add_template(name, source) {
                tracing::error!(page = name, %error, "page cannot be compiled");
            }
        }
        Self { environment, catalogues }
    }

    /// The words.
    pub(super) fn catalogues(&self) -> &Catalogues {
        &self.catalogues
    }

    /// Renders a page. What fails is logged without its values and gives an empty text, which no citizen has ever to
    /// see: the tests render every page.
    pub(super) fn render(&self, name: &str, site: &Site<'_>, page: &impl Serialize) -> String {
        let words = Words { catalogues: Arc::clone(&self.catalogues), language: site.language.to_owned() };
        let values = context! {
            t => Value::from_object(words),
            site => Value::from(Serde(site)),
            page => Value::from(Serde(page)),
        };
        match self.environment.get_template(name).and_then(|template| template.render(values)) {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(page = name, kind = ?error.kind(), line = error.line(), "page cannot be rendered");
                #[cfg(test)]
                panic!("{name}: {error:#}");
                #[cfg(not(test))]
                String::new()
            }
        }
    }
}

/// The function `t("key", variable=value)` of the templates; with `count` it takes the form for that count.
#[derive(Debug)]
struct Words {
    catalogues: Arc<Catalogues>,
    language: String,
}

impl Words {
    fn catalogue(&self) -> &Catalogue {
        self.catalogues.get(&self.language)
    }
}

impl Object for Words {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (key, named): (&str, Kwargs) = from_args(args)?;
        let mut values = Vec::new();
        for name in named.args() {
            let value: Value = named.get(name)?;
            values.push((name, value.to_string()));
        }
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let catalogue = self.catalogue();
        let count = values.iter().find(|(name, _)| *name == "count").and_then(|(_, count)| count.parse().ok());
        Ok(Value::from(match count {
            Some(count) if !catalogue.has(key) => catalogue.count(key, count, &values),
            _ => catalogue.fill(key, &values),
        }))
    }
}
