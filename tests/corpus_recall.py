#!/usr/bin/env python3
"""How many known faults `ktrdr data quality` finds in a folder of labelled series, and what it finds in clean ones.

    tests/corpus_recall.py FOLDER [--ktrdr target/debug/ktrdr] [--repair] [--verbose]

The folder holds files as in `tests/data` of ranaroussi/yfinance (Apache-2.0): `TICKER-INTERVAL-KIND.csv` has the fault
KIND, `TICKER-INTERVAL-KIND-fixed.csv` is its repaired twin, and `…-no-bad-divs.csv` are clean. Printed are the recall by
kind and the false alarms: findings about units, splits and dividends in clean files, and findings of its own kind in a
twin. A twin was repaired of its own fault only; what is found of another kind is listed and not counted. `--repair` runs
`ktrdr data repair --method rescale` on each file with a fault and compares the result with the twin. It needs nothing
but Python 3 and the program.
"""
import argparse
import csv
import gzip
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DIVIDENDS = {'dividend_unit', 'dividend_adjustment', 'dividend_phantom', 'dividend_missing', 'dividend_date'}
CHECKS_OF = {
    'bad-div': DIVIDENDS,
    'missing-div-adjust': DIVIDENDS,
    'cg-double-count': {'capital_gains'} | DIVIDENDS,
    'bad-stock-split': {'split', 'adjustment_break'},
    '100x-error': {'currency_unit'},
    'bad-unit': {'currency_unit'},
}
ALL = set().union(*CHECKS_OF.values())
NAME = re.compile(r'^(?P<ticker>.+?)-(?P<interval>\d+(?:m|h|d|wk))-(?P<kind>.+?)(?P<fixed>-fixed)?\.csv(?:\.gz)?$')
COLUMNS = ['open', 'high', 'low', 'close', 'adj_close', 'dividends', 'volume']
YAHOO = ['Open', 'High', 'Low', 'Close', 'Adj Close', 'Dividends', 'Volume']


def rows_of(path):
    """The rows of a file, oldest first, each with its time under `time`."""
    opener = gzip.open if path.suffix == '.gz' else open
    with opener(path, 'rt', newline='') as file:
        rows = list(csv.DictReader(file))
    name = next(name for name in rows[0] if name.lower() in ('date', 'datetime', 'timestamp'))
    for row in rows:
        row['time'] = row.pop(name)
    return sorted(rows, key=lambda row: row['time'])


def copy_with_dates(path, interval, folder):
    """A copy whose daily and weekly bars are named by their date: the file gives the midnight of an exchange."""
    rows = rows_of(path)
    copy = Path(folder) / 'series.csv'
    with open(copy, 'w', newline='') as file:
        names = ['time'] + [name for name in rows[0] if name != 'time']
        writer = csv.DictWriter(file, names, lineterminator='\n')
        writer.writeheader()
        for row in rows:
            if interval.endswith(('d', 'wk')):
                row['time'] = row['time'][:10]
            writer.writerow(row)
    return copy


def series_flags(name):
    timeframe = name['interval'].replace('wk', 'w')
    return ['--symbol', 'stk:' + name['ticker'].replace('-', '.'), '--timeframe', timeframe]


def findings_in(path, name, options):
    """The findings about units, splits and dividends: check -> number of bars; None if it was refused."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_with_dates(path, name['interval'], folder)
        command = [options.ktrdr, '--json', 'data', 'quality', str(copy)] + series_flags(name)
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
    report = next((line['report'] for line in lines if line.get('type') == 'quality'), None)
    if report is None:
        print(f'{path.name}: {ended.stderr.strip() or ended.stdout.strip()}', file=sys.stderr)
        return None
    if options.verbose:
        for finding in report['findings']:
            print(f'  {path.name}: {finding["severity"]} {finding["check"]}: {finding["message"]}')
    return {finding['check']: finding['count'] for finding in report['findings'] if finding['check'] in ALL}


def repaired_rows(path, name, options):
    """The rows that `ktrdr data repair` writes, by date or hour."""
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_with_dates(path, name['interval'], folder)
        out = str(Path(folder) / 'repaired.csv')
        command = [options.ktrdr, 'data', 'repair', str(copy), '--method', 'rescale', '--out', out]
        subprocess.run(command + series_flags(name), capture_output=True, text=True, cwd=folder, check=True)
        return rows_of(Path(out))


def compare_with_twin(path, twin, name, options):
    """Values of the twin, and how many of them the repaired file has within 1 %."""
    repaired, right, total = repaired_rows(path, name, options), 0, 0
    for row, twin_row in zip(repaired, rows_of(twin), strict=True):
        for column, yahoo in zip(COLUMNS, YAHOO):
            value = row.get(column) or 'nan'
            twin_value = twin_row.get(yahoo) or 'nan'
            a, b = float(value), float(twin_value)
            total += 1
            right += (a != a and b != b) or abs(a - b) <= 0.01 * abs(b)
    return right, total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--ktrdr', default='target/debug/ktrdr', help='the program')
    parser.add_argument('--repair', action='store_true', help='compare repaired files with their twins')
    parser.add_argument('--verbose', action='store_true', help='print every finding')
    options = parser.parse_args()
    options.ktrdr = str(Path(options.ktrdr).resolve())

    recall, alarms, others, refused, clean = {}, [], [], [], 0
    for path in sorted(options.folder.iterdir()):
        match = NAME.match(path.name)
        if not match:
            continue
        name = match.groupdict()
        findings = findings_in(path, name, options)
        if findings is None:
            refused.append(path.name)
            findings = {}
        wanted = CHECKS_OF.get(name['kind'], set())
        found = {check: count for check, count in findings.items() if check in wanted}
        rest = {check: count for check, count in findings.items() if check not in wanted}

        if name['fixed'] or not wanted:
            clean += 1
            if found or (rest and not wanted):
                alarms.append((path.name, found or rest))
            elif rest:
                others.append((path.name, rest))
            continue

        seen = recall.setdefault(name['kind'], [])
        seen.append((path.name, bool(found)))
        line = f'{path.name}: ' + (', '.join(f'{check} {count}' for check, count in findings.items()) or 'NOT FOUND')
        twin = path.with_name(path.name.replace('.csv', '-fixed.csv'))
        if options.repair and twin.exists():
            right, total = compare_with_twin(path, twin, name, options)
            line += f'; repaired: {right} of {total} values within 1 % of the twin'
        print(line)

    print('\nkind                 found  of')
    for kind, seen in sorted(recall.items()):
        print(f'{kind:<20} {sum(hit for _, hit in seen):>5} {len(seen):>3}')
    hits = sum(hit for seen in recall.values() for _, hit in seen)
    total = sum(len(seen) for seen in recall.values())
    print(f'{"all":<20} {hits:>5} {total:>3}  ({100 * hits / max(total, 1):.0f} %)')
    print(f'false alarms         {len(alarms):>5} {clean:>3}')
    for file, checks in alarms:
        print(f'  {file}: {checks}')
    for file, checks in others:
        print(f'  of another kind, not counted: {file}: {checks}')
    for file in refused:
        print(f'  refused: {file}')
    return 1 if refused or alarms or hits < 0.9 * total else 0


if __name__ == '__main__':
    sys.exit(main())
