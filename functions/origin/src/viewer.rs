//! What a viewer asks for beside the file.
use alloc::{string::String, vec::Vec};

use tidegate_function::Request;
use tidegate_rewrite::{Rules, Start};

use crate::document::Document;

/// The parameters that are for this function begin with it; all others go to the origin.
const OURS: &str = "tidegate.";

/// The viewer of one request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Viewer {
    /// What stands in front of the path of the viewer's addresses.
    pub(crate) prefix: String,
    pub(crate) token: String,
    /// Our parameters: name without [`OURS`], value.
    choices: Vec<(String, String)>,
    /// What the origin gets.
    pub(crate) query: String,
}

impl Viewer {
    pub(crate) fn new(request: &Request) -> Self {
        let header = |name| request.header(name).unwrap_or_default();
        let is_clean = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'~' | b'-' | b'_' | b'='));
        let mut viewer = Self {
            prefix: Some(header("viewer-prefix")).filter(is_clean).unwrap_or_default().into(),
            token: Some(header("viewer-token")).filter(is_clean).unwrap_or_default().into(),
            ..Self::default()
        };
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let Some(name) = name.strip_prefix(OURS) {
                viewer.choices.push((name.into(), value.replace("%2C", ",").replace("%2c", ",")));
                continue;
            }
            if !viewer.query.is_empty() {
                viewer.query.push('&');
            }
            viewer.query.push_str(pair);
        }
        viewer
    }

    /// The rules of the document, narrowed by what the viewer chose. A choice that says nothing is an error of the viewer's.
    pub(crate) fn rules(&self, document: &Document) -> Result<Rules, String> {
        let mut rules = document.rules.clone();
        for (name, value) in &self.choices {
            if !document.viewers_choose {
                return Err(alloc::format!("{OURS}{name} is not for viewers of this origin"));
            }
            let number = || value.parse::<u64>().map_err(|_| alloc::format!("{OURS}{name} is a number"));
            let height = || number().map(|number| u32::try_from(number).unwrap_or(u32::MAX));
            let list = |known: &[String]| -> Vec<String> {
                let chosen = value.split(',').filter(|word| !word.is_empty());
                chosen
                    .filter(|word| known.is_empty() || known.iter().any(|known| word.starts_with(known.as_str())))
                    .map(String::from)
                    .collect()
            };
            let filter = &mut rules.filter;
            match name.as_str() {
                "min_height" => filter.min_height = filter.min_height.max(Some(height()?)),
                "max_height" => filter.max_height = Some(filter.max_height.map_or(height()?, |known| known.min(height().unwrap_or(known)))),
                "min_bps" => filter.min_bps = filter.min_bps.max(Some(number()?)),
                "max_bps" => filter.max_bps = Some(filter.max_bps.map_or(number()?, |known| known.min(number().unwrap_or(known)))),
                "codecs" | "languages" => {
                    let known = if name == "codecs" { &mut filter.codecs } else { &mut filter.languages };
                    let chosen = list(known);
                    if chosen.is_empty() {
                        return Err(alloc::format!("{OURS}{name} names nothing that there is"));
                    }
                    *known = chosen;
                }
                "start_max_height" => rules.start = Some(Start { max_height: Some(height()?), ..rules.start.unwrap_or_default() }),
                "start_max_bps" => rules.start = Some(Start { max_bps: Some(number()?), ..rules.start.unwrap_or_default() }),
                _ => return Err(alloc::format!("{OURS}{name} is not known")),
            }
        }
        Ok(rules)
    }

    /// Puts the viewer's token where a text of the document wants it.
    pub(crate) fn with_token(&self, text: &str) -> String {
        text.replace("{token}", &self.token)
    }

    /// The number that the viewer drew when it was steered first.
    pub(crate) fn drawn(&self) -> Option<u32> {
        self.choices.iter().find(|(name, _)| name == DRAWN).and_then(|(_, value)| value.parse().ok())
    }
}

/// The parameter of [`Viewer::drawn`].
pub(crate) const DRAWN: &str = "drawn";
