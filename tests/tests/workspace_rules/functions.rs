//! How functions are written: paragraphs, sizes, bindings, names. Read by `syn`, so that strings
//! and comments cannot mislead a rule.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, FnArg, Local, Macro, Pat, Signature};

use crate::checkout::{Source, assert_none, sources};

/// From this length on a function needs paragraphs.
const PARAGRAPHS_FROM_LINES: usize = 15;
/// A body of one expression, such as a table of hints in a `match`, is one thought up to here.
const ONE_THOUGHT_LINES_MAX: usize = 40;
const TOKENS_MAX: usize = 400;
/// A test may hold a table of cases.
const TEST_TOKENS_MAX: usize = 500;
const TEST_NAME_MAX: usize = 60;
const CLOSURE_LINES_MAX: usize = 5;

/// Participles and adjectives that say nothing without the noun they leave out.
const NAMES_WITHOUT_NOUN: &[&str] = &[
    "asked", "found", "given", "heard", "kept", "known", "left", "meant", "own", "shown", "told",
    "usual", "wanted",
];

/// Words that had several meanings, and have none any more: see "Words" in ARCHITECTURE.md.
const RETIRED_WORDS: &[&str] = &[
    "advance", "advanced", "advances", "settle", "settled", "settles",
];

/// What a rule found, by the rule.
#[derive(Default)]
struct Violations {
    retired_words: Vec<String>,
    without_paragraphs: Vec<String>,
    too_many_tokens: Vec<String>,
    tuple_lets: Vec<String>,
    long_closures: Vec<String>,
    tuple_parameters: Vec<String>,
    without_noun: Vec<String>,
    long_test_names: Vec<String>,
}

/// Visits one file and notes what breaks a rule.
struct Reader<'a> {
    source: &'a Source,
    lines: Vec<&'a str>,
    violations: Violations,
}

fn read_all() -> Violations {
    let mut violations = Violations::default();

    for source in sources() {
        let file = match syn::parse_file(&source.text) {
            Ok(file) => file,
            Err(error) => panic!("{}: {error}", source.path),
        };
        let lines = source.text.lines().collect();
        let mut reader = Reader {
            source: &source,
            lines,
            violations,
        };

        reader.visit_file(&file);
        violations = reader.violations;
    }
    violations
}

impl Reader<'_> {
    fn place(&self, item: &impl Spanned) -> String {
        format!("{}:{}", self.source.path, item.span().start().line)
    }

    fn read_function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        let place = format!("{} {}", self.place(&signature.ident), signature.ident);
        let first = signature.span().start().line;
        let last = block.span().end().line;

        // Paragraphs: somewhere between the braces there is a blank line.
        let body_start = block.span().start().line;
        let body = self.lines.get(body_start..last - 1).unwrap_or_default();
        let has_paragraphs = body.iter().any(|line| line.trim().is_empty());
        let has_thoughts = block.stmts.len() > 1 || last - first + 1 > ONE_THOUGHT_LINES_MAX;
        if last - first + 1 >= PARAGRAPHS_FROM_LINES && has_thoughts && !has_paragraphs {
            self.violations.without_paragraphs.push(place.clone());
        }

        let tokens =
            count_tokens(signature.to_token_stream()) + count_tokens(block.to_token_stream());
        let tokens_max = if self.source.is_production() {
            TOKENS_MAX
        } else {
            TEST_TOKENS_MAX
        };
        if tokens > tokens_max {
            self.violations
                .too_many_tokens
                .push(format!("{place}: {tokens}"));
        }

        let takes_tuple =
            |input: &FnArg| matches!(input, FnArg::Typed(typed) if is_tuple(&typed.pat));
        if signature.inputs.iter().any(takes_tuple) {
            self.violations.tuple_parameters.push(place);
        }

        self.read_name(&signature.ident);
        self.read_words(&signature.ident);
        if attributes.iter().any(is_test) {
            self.read_test_name(&signature.ident);
        }
    }

    fn read_name(&mut self, name: &Ident) {
        if NAMES_WITHOUT_NOUN.contains(&name.to_string().as_str()) {
            let violation = format!("{} {name}", self.place(name));
            self.violations.without_noun.push(violation);
        }
    }

    /// Looks for retired words in a name that this project chose, not in names of libraries.
    fn read_words(&mut self, name: &Ident) {
        let text = name.to_string().to_lowercase();
        if text.split('_').any(|word| RETIRED_WORDS.contains(&word)) {
            let violation = format!("{} {name}", self.place(name));
            self.violations.retired_words.push(violation);
        }
    }

    fn read_test_name(&mut self, name: &Ident) {
        let length = name.to_string().len();
        if length > TEST_NAME_MAX {
            let violation = format!("{} {name}: {length}", self.place(name));
            self.violations.long_test_names.push(violation);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.read_function(&item.attrs, &item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.read_function(&item.attrs, &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.read_function(&item.attrs, &item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let place = self.place(local);
        let value = local.init.as_ref().map(|init| &*init.expr);

        // Of `let … else` the pair is one question: are both there?
        let is_refutable = local
            .init
            .as_ref()
            .is_some_and(|init| init.diverge.is_some());
        match value {
            Some(Expr::Tuple(_)) if is_tuple(&local.pat) && !is_refutable => {
                self.violations.tuple_lets.push(place);
            }
            Some(Expr::Closure(closure)) if is_long(closure) && self.source.is_production() => {
                self.violations.long_closures.push(place);
            }
            Some(_) | None => {}
        }
        visit::visit_local(self, local);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.read_name(&pattern.ident);
        self.read_words(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.read_words(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.read_words(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.read_words(&variant.ident);
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.read_words(name);
        }
        visit::visit_field(self, field);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        // The tests inside `proptest!` are tokens to syn; their names follow `fn`.
        if call.path.is_ident("proptest") {
            let tokens: Vec<TokenTree> = call.tokens.clone().into_iter().collect();
            for pair in tokens.windows(2) {
                if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
                    && word == "fn"
                {
                    self.read_test_name(name);
                }
            }
        }
        visit::visit_macro(self, call);
    }
}

fn is_tuple(pattern: &Pat) -> bool {
    match pattern {
        Pat::Tuple(_) => true,
        Pat::Type(typed) => is_tuple(&typed.pat),
        _ => false,
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute
        .path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "test")
}

/// Whether a closure has statements of its own, or more lines than a call that rustfmt breaks.
fn is_long(closure: &syn::ExprClosure) -> bool {
    let span = closure.span();
    let lines = span.end().line - span.start().line + 1;
    let statements = match &*closure.body {
        Expr::Block(body) => body.block.stmts.len(),
        _ => 1,
    };
    statements > 1 || lines > CLOSURE_LINES_MAX
}

/// Tokens as a reader meets them: a pair of brackets counts two.
fn count_tokens(stream: TokenStream) -> usize {
    stream.into_iter().map(count_tree).sum()
}

fn count_tree(tree: TokenTree) -> usize {
    match tree {
        TokenTree::Group(group) => 2 + count_tokens(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => 1,
    }
}

#[test]
fn functions_of_fifteen_lines_have_paragraphs() {
    let rule = "separate the thoughts of these functions by blank lines";
    assert_none(read_all().without_paragraphs, rule);
}

#[test]
fn no_function_has_more_than_four_hundred_tokens() {
    assert_none(read_all().too_many_tokens, "split these functions");
}

#[test]
fn no_let_binds_a_tuple_of_values() {
    assert_none(read_all().tuple_lets, "write one let per value");
}

#[test]
fn a_closure_of_several_lines_is_a_function() {
    assert_none(read_all().long_closures, "make these closures functions");
}

#[test]
fn no_parameter_is_a_tuple_pattern() {
    assert_none(
        read_all().tuple_parameters,
        "pass a struct, or separate parameters",
    );
}

#[test]
fn retired_words_do_not_come_back() {
    assert_none(read_all().retired_words, "see \"Words\" in ARCHITECTURE.md");
}

#[test]
fn names_have_their_noun() {
    assert_none(
        read_all().without_noun,
        "say what it is that was found, known, left …",
    );
}

#[test]
fn test_names_have_at_most_sixty_characters() {
    assert_none(read_all().long_test_names, "say it in a short sentence");
}
