# Opens reports in a headless Chromium: narrow and wide, light and dark.
#
# usage: python3 check_report.py [--shots FOLDER] REPORT.html …      (needs playwright, and Chromium)
#
# `ktrdr models report NAME` writes such a file. Ends with 1 where the browser writes to its console, asks the network for anything, has to
# scroll sideways, shows a picture smaller than its text can be read, or finds a picture without a text alternative. The browser is
# playwright's own, or the one that the variable CHROMIUM names.
import argparse
import os
import pathlib
import sys

from playwright.sync_api import sync_playwright

WIDTHS = [390, 1280]
SCHEMES = ["light", "dark"]
LETTERS_MIN = 8.5

# The smallest letters of any picture on the screen, and what sticks out of the page or has no name.
PROBE = """() => {
    const seen = [...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().width > 0);
    const letters = seen.flatMap(svg => {
        const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
        return [...svg.querySelectorAll('text')].map(text => parseFloat(text.getAttribute('font-size')) * scale);
    });
    const headings = [...document.querySelectorAll('h1, h2, h3, h4')].map(heading => Number(heading.tagName[1]));
    return {
        pictures: seen.length,
        letters: Math.min(...letters, 99),
        overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        nameless: [...document.querySelectorAll('svg')].filter(svg => {
            const ids = (svg.getAttribute('aria-labelledby') || '').split(' ');
            return svg.getAttribute('role') !== 'img' || !ids.every(id => (document.getElementById(id) || {}).textContent);
        }).length,
        leaps: headings.filter((level, place) => level > (place ? headings[place - 1] : 0) + 1).length,
        ids: [...document.querySelectorAll('[id]')].length - new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size,
        background: getComputedStyle(document.body).backgroundColor,
    };
}"""


def problems_of(page, requests, messages):
    """What is wrong with the page that is open."""
    facts = page.evaluate(PROBE)
    found = [f"console: {message}" for message in messages] + [f"request: {url}" for url in requests]
    if facts["overflow"] > 0:
        found.append(f"scrolls sideways by {facts['overflow']} px")
    if facts["letters"] < LETTERS_MIN:
        found.append(f"letters of {facts['letters']:.1f} px in a picture")
    for name in ["nameless", "leaps", "ids"]:
        if facts[name]:
            found.append(f"{facts[name]} {name}")
    if not facts["pictures"]:
        found.append("no picture")
    return found, facts


def check(browser, report, shots):
    """Opens one report in every way; the problems, and the colours behind it."""
    found = []
    backgrounds = set()
    for width in WIDTHS:
        for scheme in SCHEMES:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            requests, messages = [], []
            page.on("request", lambda request: requests.append(request.url))
            page.on("console", lambda message: messages.append(message.text))
            page.on("pageerror", lambda error: messages.append(str(error)))
            page.goto(report.as_uri())
            # The file itself is no request for anything else.
            requests.remove(report.as_uri())
            problems, facts = problems_of(page, requests, messages)
            backgrounds.add(facts["background"])
            found += [f"{report.name} at {width} px, {scheme}: {problem}" for problem in problems]
            if shots:
                page.screenshot(path=shots / f"{report.stem}-{width}-{scheme}.png", full_page=True)
            page.close()
    if len(backgrounds) != len(SCHEMES):
        found.append(f"{report.name}: light and dark look alike")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reports", nargs="+", type=pathlib.Path)
    parser.add_argument("--shots", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)

    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=["--no-sandbox"])
        for report in arguments.reports:
            found += check(browser, report.resolve(), arguments.shots)
        browser.close()
    for problem in found:
        print(problem)
    print(f"{len(arguments.reports)} reports, {len(WIDTHS) * len(SCHEMES)} views each, {len(found)} problems")
    sys.exit(1 if found else 0)


main()
