#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the results under a folder and prints what failed, then one line: N passed, N failed, N skipped.

The folder holds Meson's test logs (*.json, one object per line) and checks.txt (lines "pass|fail|skip NAME").
A cmocka or pytest run counts each of its tests, anything else counts as one; a program that ends badly counts as at
least one failure, whatever it printed before. Exit status 0 when something ran and nothing failed.
"""
import json
import pathlib
import re
import sys

CMOCKA = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] +(\w+)\s*$", re.M)
PYTEST = re.compile(r"\b(\d+) (passed|failed|errors?|skipped|xfailed|xpassed)\b")
PYTEST_LINE = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+ in [\d.:]+.*?)=*$", re.M)
MESON_GOOD = {"OK", "EXPECTEDFAIL"}
MESON_SKIP = {"SKIP", "IGNORED"}


def inner(text):
    """Tests that one program ran by its own account: {"passed", "failed", "skipped"} or None."""
    count = {"passed": 0, "failed": 0, "skipped": 0}
    words = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
    # cmocka names failures and skips once more in its closing list: each name counts once per verdict.
    seen = set(CMOCKA.findall(text))
    if seen:
        for verdict, _ in seen:
            count[words[verdict]] += 1
        return count
    line = PYTEST_LINE.search(text)
    if line:
        for number, word in PYTEST.findall(line.group(1)):
            kind = {"error": "failed", "errors": "failed", "xpassed": "failed", "xfailed": "passed"}.get(word, word)
            count[kind] += int(number)
        return count
    return None


def meson_log(path, total, failures):
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        entry = json.loads(line)
        text = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
        result = entry["result"]
        if result in MESON_SKIP:
            total["skipped"] += 1
            continue
        count = inner(text) or {"passed": 0, "failed": 0, "skipped": 0}
        if result in MESON_GOOD:
            if count["failed"]:
                failures.append((path.stem, entry["name"], "exit status 0 although tests failed", text))
            elif not any(count.values()):
                count["passed"] = 1
        else:
            count["failed"] = max(count["failed"], 1)
            failures.append((path.stem, entry["name"], f"{result}, exit status {entry.get('returncode')}", text))
        for key in total:
            total[key] += count[key]


def main():
    folder = pathlib.Path(sys.argv[1])
    total = {"passed": 0, "failed": 0, "skipped": 0}
    failures = []
    for path in sorted(folder.glob("*.json")):
        meson_log(path, total, failures)
    checks = folder / "checks.txt"
    for line in checks.read_text().splitlines() if checks.exists() else []:
        verdict, name = line.split(" ", 1)
        total[{"pass": "passed", "fail": "failed", "skip": "skipped"}[verdict]] += 1
        if verdict == "fail":
            failures.append(("check", name, "see above", ""))
    for where, name, why, text in failures:
        print(f"\nFAILED: {name} ({where}): {why}")
        for line in text.strip().splitlines()[-40:]:
            print("   | " + line)
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 0 if total["passed"] > 0 and total["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
