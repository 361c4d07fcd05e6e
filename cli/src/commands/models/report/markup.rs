//! HTML that cannot be broken by the texts in it: every text and every value of an attribute is
//! escaped where it enters.

/// A piece of HTML in which every tag is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// A text without any tags.
    pub(super) fn text(text: &str) -> Self {
        Self(escape(text))
    }

    /// An element without attributes.
    pub(super) fn element(tag: &str, children: Vec<Self>) -> Self {
        Self::with(tag, &[], children)
    }

    /// An element with attributes.
    pub(super) fn with(tag: &str, attributes: &[(&str, &str)], children: Vec<Self>) -> Self {
        let mut html = format!("<{tag}");
        for (name, value) in attributes {
            html.push_str(&format!(" {name}=\"{}\"", escape(value)));
        }

        html.push('>');
        for child in children {
            html.push_str(&child.0);
        }
        html.push_str(&format!("</{tag}>\n"));
        Self(html)
    }

    /// A text in a cell that may take several lines.
    pub(super) fn words(text: &str) -> Self {
        Self::with("span", &[("class", "words")], vec![Self::text(text)])
    }

    /// An element with nothing but a text in it.
    pub(super) fn line(tag: &str, text: &str) -> Self {
        Self::element(tag, vec![Self::text(text)])
    }

    /// A number as people read it, with the number as programs read it.
    pub(super) fn number(value: f64, text: &str) -> Self {
        Self::with(
            "data",
            &[("value", &value.to_string())],
            vec![Self::text(text)],
        )
    }

    /// What a library has drawn, which has escaped its texts itself.
    pub(super) const fn drawing(svg: String) -> Self {
        Self(svg)
    }

    /// Several pieces, one after another.
    pub(super) fn all(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    /// The HTML itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text in which no character means anything to a browser.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());

    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML has no other control characters.
            control if control.is_control() && !control.is_whitespace() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Rows under heads; the first cell of each row is its name.
pub(super) struct Table {
    /// What the table shows.
    pub(super) caption: String,
    /// Names of the columns.
    pub(super) heads: Vec<String>,
    /// The name of each row and its other cells.
    pub(super) rows: Vec<Vec<Markup>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(caption: &str, heads: &[&str]) -> Self {
        Self {
            caption: caption.to_owned(),
            heads: heads.iter().map(|head| (*head).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, name: &str, cells: impl IntoIterator<Item = Markup>) {
        let mut row = vec![Markup::text(name)];
        row.extend(cells);
        self.rows.push(row);
    }

    /// The table in a frame that scrolls where the screen is too narrow.
    pub(super) fn html(self) -> Markup {
        let heads = self.heads.iter();
        let heads = heads
            .map(|head| Markup::with("th", &[("scope", "col")], vec![Markup::text(head)]))
            .collect();

        let mut rows = Vec::with_capacity(self.rows.len());
        for row in self.rows {
            let mut cells = Vec::with_capacity(row.len());
            for (column, cell) in row.into_iter().enumerate() {
                cells.push(match column {
                    0 => Markup::with("th", &[("scope", "row")], vec![cell]),
                    _ => Markup::element("td", vec![cell]),
                });
            }
            rows.push(Markup::element("tr", cells));
        }

        let table = Markup::with(
            "table",
            &[("aria-label", &self.caption)],
            vec![
                Markup::element("thead", vec![Markup::element("tr", heads)]),
                Markup::element("tbody", rows),
            ],
        );
        let frame = [
            ("class", "scroll"),
            ("role", "region"),
            ("aria-label", &self.caption),
            ("tabindex", "0"),
        ];
        // Outside of the frame, so that it does not scroll with the table.
        let caption = [("class", "caption")];
        Markup::all([
            Markup::with("p", &caption, vec![Markup::text(&self.caption)]),
            Markup::with("div", &frame, vec![table]),
        ])
    }
}

/// A list of names with what they stand for.
pub(super) fn definitions<Name: AsRef<str>>(pairs: &[(Name, String)]) -> Markup {
    let mut items = Vec::with_capacity(2 * pairs.len());
    for (name, text) in pairs {
        items.push(Markup::line("dt", name.as_ref()));
        items.push(Markup::line("dd", text));
    }
    Markup::element("dl", items)
}

/// What a reader opens to see more.
pub(super) fn details(summary: &str, inside: Markup) -> Markup {
    Markup::element("details", vec![Markup::line("summary", summary), inside])
}

/// A part of the page with its heading.
pub(super) fn section(id: &str, heading: &str, inside: Vec<Markup>) -> Markup {
    let mut children = vec![Markup::line("h2", heading)];
    children.extend(inside);
    Markup::with("section", &[("id", id)], children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_cannot_leave_their_place() {
        let text = "<b onclick='x'>\"&\u{1}";
        let html = Markup::with("td", &[("class", text)], vec![Markup::text(text)]);

        let escaped = "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;\u{fffd}";
        assert_eq!(
            html.as_str(),
            format!("<td class=\"{escaped}\">{escaped}</td>\n")
        );
    }

    #[test]
    fn a_number_is_written_for_people_and_for_programs() {
        assert_eq!(
            Markup::number(0.432_125, "43.2 %").as_str(),
            "<data value=\"0.432125\">43.2 %</data>\n"
        );
    }

    #[test]
    fn the_first_cell_of_a_row_is_its_name() {
        let mut table = Table::new("Rows", &["Part", "Rows"]);
        table.push("test", [Markup::text("7")]);

        let html = table.html();
        assert!(html.as_str().contains("<th scope=\"row\">test</th>"));
        assert!(html.as_str().contains("<td>7</td>"));
    }
}
