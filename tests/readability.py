#!/usr/bin/env python3
"""Measures how readable the production code is: air, comments, names and sizes of functions.

    tests/readability.py                      one row per figure, one column per crate
    tests/readability.py --worst strategies   the functions of a crate that need work, worst first
    tests/readability.py --root OTHER         another checkout, to compare with

Counted are the files under every `src` of a crate, without `#[cfg(test)]` modules; names of tests
are counted in all files. It needs nothing but Python 3 and git.
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

TOKEN = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|\d[\w.]*|"(?:\\.|[^"\\])*"|\S')
# A function's head: `fn name`, at any depth, with its qualifiers.
FUNCTION = re.compile(r'^(\s*)(?:pub(?:\([^)]*\))? )?(?:default |const |async |unsafe |extern "C" )*fn ([a-z_0-9]+)')
TUPLE_LET = re.compile(r'\blet \([^=;]*\) = \((?!\))')
CLOSURE = re.compile(r'\blet (?:mut )?[a-z_0-9]+(?:: [^=]+)? = (?:move )?\|')
BANNED = re.compile(r'\b(?:let|for|fn|mut|ref|const|static)\s+(?:mut )?(found|known|shown|own|usual|told|left|given|kept|asked|meant|wanted|heard)\b')


def production(text):
    """The lines of a file without its test modules and without strings over several lines."""
    lines, skip, depth = [], False, None
    for line in text.split('\n'):
        if re.match(r'^\s*#\[cfg\(test\)\]', line):
            skip, depth = True, None
        if not skip:
            lines.append(line)
            continue
        if depth is None:
            opened = re.match(r'^(\s*)(pub(\([^)]*\))? )?mod \w+ \{', line)
            if opened:
                depth = len(opened.group(1))
            elif re.search(r'[;}]\s*$', line) and not line.strip().startswith('#'):
                skip = False
        elif line.startswith(' ' * depth + '}') and len(line.rstrip()) == depth + 1:
            skip = False
    return lines


def functions(lines):
    """(name, first line, lines of the whole function, lines inside its braces), one function each."""
    for start, line in enumerate(lines):
        head = FUNCTION.match(line)
        if not head:
            continue
        indent = len(head.group(1))
        opening = None
        for index in range(start, min(start + 40, len(lines))):
            if lines[index].rstrip().endswith(';') and '{' not in lines[index]:
                break
            if lines[index].rstrip().endswith('{') or re.search(r'\{.*\}\s*$', lines[index]):
                opening = index
                break
        if opening is None:
            continue
        if re.search(r'\{.*\}\s*$', lines[opening]):
            yield head.group(2), start, lines[start:opening + 1], []
            continue
        closing = ' ' * indent + '}'
        end = next((i for i in range(opening + 1, len(lines)) if lines[i].rstrip() == closing), None)
        if end is not None:
            yield head.group(2), start, lines[start:end + 1], lines[opening + 1:end]


def is_comment(line):
    return line.strip().startswith('//')


def tokens_of(lines):
    return sum(len(TOKEN.findall(line)) for line in lines if not is_comment(line))


def quantile(values, share):
    ordered = sorted(values) or [0]
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def crates(root):
    """Name of the crate -> its production files."""
    listed = subprocess.check_output(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', '*.rs'], text=True).split()
    result = {}
    for path in listed:
        if '/src/' not in path or not (Path(root) / path).is_file():
            continue
        crate = path.split('/src/')[0]
        name = Path(path).name
        if name == 'tests.rs' or name.endswith('_tests.rs') or '/tests/' in path or crate == 'tests':
            continue
        result.setdefault(crate, []).append(path)
    tests = [path for path in listed if (Path(root) / path).is_file()]
    return result, tests


def measure(root, paths):
    count = dict(lines=0, wide=0, body=0, blank=0, comment=0, tuple_lets=0, closures=0, participles=0)
    sizes, tokens, files, airless, mute, long_ones = [], [], [], [], [], 0
    one_word, words, worst = 0, [], []
    for path in paths:
        text = (Path(root) / path).read_text()
        lines = production(text)
        files.append(len(text.split('\n')))
        count['lines'] += len(lines)
        count['wide'] += sum(len(line) > 100 for line in lines)
        code = [line for line in lines if not is_comment(line)]
        count['tuple_lets'] += len(TUPLE_LET.findall('\n'.join(code)))
        count['closures'] += sum(bool(CLOSURE.search(line)) for line in code)
        count['participles'] += sum(len(BANNED.findall(line)) for line in code)
        nested_until = -1
        for name, start, whole, body in functions(lines):
            sizes.append(len(whole))
            tokens.append(tokens_of(whole))
            words.append(len([word for word in name.split('_') if word]))
            one_word += words[-1] == 1
            if start > nested_until:
                count['body'] += len(body)
                count['blank'] += sum(not line.strip() for line in body)
                count['comment'] += sum(is_comment(line) for line in body)
                nested_until = start + len(whole) - 1
            has_blank = any(not line.strip() for line in body)
            has_comment = any(is_comment(line) for line in body)
            if len(whole) >= 20:
                airless.append(not has_blank)
                mute.append(not has_comment)
            long_ones += len(whole) > 70
            faults = []
            if len(whole) > 70:
                faults.append(f'{len(whole)} lines')
            if tokens[-1] > 400:
                faults.append(f'{tokens[-1]} tokens')
            if len(whole) >= 15 and not has_blank:
                faults.append('no blank line')
            if faults:
                worst.append((len(whole), f'{path}:{start + 1} {name}: {", ".join(faults)}'))
    per_kloc = lambda value: 1000 * value / max(1, count['lines'])
    share = lambda part, whole: 100 * part / max(1, whole)
    figures = [
        ('kLOC', count['lines'] / 1000, 1),
        ('blank lines in bodies, %', share(count['blank'], count['body']), 1),
        ('fns >= 20 lines without a blank line, %', share(sum(airless), len(airless)), 0),
        ('comment lines in bodies, %', share(count['comment'], count['body']), 1),
        ('fns >= 20 lines without a comment, %', share(sum(mute), len(mute)), 0),
        ('lines > 100 columns, %', share(count['wide'], count['lines']), 2),
        ('tuple-lets per kLOC', per_kloc(count['tuple_lets']), 2),
        ('named closures per kLOC', per_kloc(count['closures']), 1),
        ('bare participles bound per kLOC', per_kloc(count['participles']), 1),
        ('one-word function names, %', share(one_word, len(words)), 0),
        ('words in a function name, mean', sum(words) / max(1, len(words)), 2),
        ('function lines: median', quantile(sizes, .5), 0),
        ('function lines: p90', quantile(sizes, .9), 0),
        ('function lines: max', max(sizes or [0]), 0),
        ('functions > 70 lines', long_ones, 0),
        ('tokens a function: median', quantile(tokens, .5), 0),
        ('tokens a function: p90', quantile(tokens, .9), 0),
        ('functions > 400 tokens', sum(value > 400 for value in tokens), 0),
        ('file lines: median', quantile(files, .5), 0),
        ('file lines: max', max(files or [0]), 0),
        ('files > 600 lines', sum(value > 600 for value in files), 0),
    ]
    return figures, [line for _, line in sorted(worst, reverse=True)]


def test_names(root, paths):
    names = []
    for path in paths:
        lines = (Path(root) / path).read_text().split('\n')
        for index, line in enumerate(lines):
            head = re.match(r'^\s*(?:async )?fn (\w+)', line)
            before = '\n'.join(lines[max(0, index - 4):index])
            if head and re.search(r'#\[(tokio::)?test', before.split('}')[-1]):
                names.append((len(head.group(1)), f'{path}:{index + 1} {head.group(1)}'))
        for index, line in enumerate(lines):
            if re.match(r'^\s+fn \w+\(\s*\w+ in ', line):
                names.append((len(re.match(r'^\s+fn (\w+)', line).group(1)), f'{path}:{index + 1}'))
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root', default=str(Path(__file__).resolve().parent.parent))
    parser.add_argument('--worst', metavar='CRATE', help='list what needs work in the crates whose path contains this')
    arguments = parser.parse_args()
    production_files, all_files = crates(arguments.root)
    if arguments.worst:
        paths = [path for crate, files in production_files.items() if arguments.worst in crate for path in files]
        figures, worst = measure(arguments.root, paths)
        print('\n'.join(worst))
        for path in paths:
            for index, line in enumerate((Path(arguments.root) / path).read_text().split('\n')):
                if len(line) > 100:
                    print(f'{path}:{index + 1} wide: {len(line)} columns')
                if not is_comment(line) and (TUPLE_LET.search(line) or CLOSURE.search(line) or BANNED.search(line)):
                    print(f'{path}:{index + 1} name or let: {line.strip()[:90]}')
        long_names = [place for size, place in test_names(arguments.root, [p for p in all_files if arguments.worst in p]) if size > 60]
        print('\n'.join(f'{place}: test name > 60' for place in long_names))
        return
    columns = [('all', [path for files in production_files.values() for path in files])] + sorted(production_files.items())
    tables = [(name.split('/')[-1], measure(arguments.root, files)[0]) for name, files in columns]
    names = [size for size, _ in test_names(arguments.root, all_files)]
    print(f'{"":40}' + ''.join(f'{name[:9]:>10}' for name, _ in tables))
    for row, (title, _, digits) in enumerate(tables[0][1]):
        print(f'{title:40}' + ''.join(f'{table[row][1]:10.{digits}f}' for _, table in tables))
    print(f'\ntest names: {len(names)}, median {quantile(names, .5)}, p90 {quantile(names, .9)}, max {max(names or [0])}, over 60: {sum(size > 60 for size in names)}')


if __name__ == '__main__':
    sys.exit(main())
