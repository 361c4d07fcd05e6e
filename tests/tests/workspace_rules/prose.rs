//! How text is written: docs that say something, and plain English.

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::checkout::{Source, assert_none, files, production_lines_with_comments, read, sources};

const DOC_WORDS_MIN: usize = 3;

/// Turns of phrase that no engineer speaks, and what to write instead.
const PHRASES: &[(&str, &str)] = &[
    (" that is none", "an invalid …"),
    (" so many ", "N, the given number"),
    (" afresh", "again"),
    (" anew", "again"),
    (" a row a ", "one row per …"),
    ("a row a bar", "one row per bar"),
    (" nobody shall", "must not"),
    (" is told ", "is reported, is shown"),
    (" are told ", "are reported, are shown"),
    (" tells of ", "reports"),
    (" is no profile", "is not a profile"),
];

/// The docs of one item, from its `#[doc]` attributes.
struct DocReader<'a> {
    source: &'a Source,
    short: Vec<String>,
}

impl<'ast> Visit<'ast> for DocReader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };

        self.read_doc(attributes);
        visit::visit_item(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.read_doc(&field.attrs);
        visit::visit_field(self, field);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.read_doc(&variant.attrs);
        visit::visit_variant(self, variant);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.read_doc(&item.attrs);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.read_doc(&item.attrs);
        visit::visit_trait_item_fn(self, item);
    }
}

impl DocReader<'_> {
    fn read_doc(&mut self, attributes: &[Attribute]) {
        let lines: Vec<DocLine> = attributes.iter().filter_map(doc_line).collect();
        let Some(first) = lines.first() else { return };

        let words: usize = lines
            .iter()
            .map(|line| line.text.split_whitespace().count())
            .sum();
        // A doc that shows the text itself, such as `trainer (4/5)`, says enough.
        let is_example = first.text.contains('`');
        if words < DOC_WORDS_MIN && !is_example {
            self.short.push(format!(
                "{}:{}: {}",
                self.source.path,
                first.number,
                first.text.trim()
            ));
        }
    }
}

struct DocLine {
    number: usize,
    text: String,
}

fn doc_line(attribute: &Attribute) -> Option<DocLine> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    if !pair.path.is_ident("doc") {
        return None;
    }

    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &pair.value
    else {
        return None;
    };
    Some(DocLine {
        number: text.span().start().line,
        text: text.value(),
    })
}

#[test]
fn docs_have_at_least_three_words() {
    let mut short = Vec::new();
    for source in sources() {
        let file = syn::parse_file(&source.text).unwrap();
        let mut reader = DocReader {
            source: &source,
            short: Vec::new(),
        };

        reader.visit_file(&file);
        short.append(&mut reader.short);
    }

    assert_none(short, "say the unit, the effect or the reason");
}

#[test]
fn text_is_plain_english() {
    let mut violations = Vec::new();

    for path in files() {
        let is_text = [".rs", ".md", ".snap", ".yaml", ".toml"]
            .iter()
            .any(|e| path.ends_with(e));
        if !is_text || path.ends_with("workspace_rules/prose.rs") {
            continue;
        }

        for (index, line) in read(&path).lines().enumerate() {
            let phrase = PHRASES.iter().find(|(phrase, _)| line.contains(phrase));
            if let Some((phrase, better)) = phrase {
                violations.push(format!(
                    "{path}:{}: `{}`: {better}",
                    index + 1,
                    phrase.trim()
                ));
            }
        }
    }

    assert_none(violations, "say these in plain words");
}

#[test]
fn lines_of_code_fit_one_hundred_columns() {
    let mut violations = Vec::new();

    for line in production_lines_with_comments() {
        // A row of a table in a crate's docs cannot be wrapped.
        let is_table_row = line.text.trim_start().starts_with("//! |");
        if line.text.chars().count() > 100 && !is_table_row {
            violations.push(line.place);
        }
    }

    assert_none(
        violations,
        "break these lines: rustfmt gives up on what holds a long string",
    );
}
