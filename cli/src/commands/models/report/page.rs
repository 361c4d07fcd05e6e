//! The page around the sections: one file, without scripts and without anything to load.

use super::markup::{Markup, escape};

const STYLE: &str = include_str!("report.css");

/// The whole file.
pub(super) fn page(title: &str, sections: Vec<Markup>) -> String {
    let body = Markup::element("main", sections);
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        body.as_str()
    )
}
