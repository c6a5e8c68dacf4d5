"""Adds up what the test runners wrote: `count_results.py FAILED_STEPS PATH...` with folders of JUnit-like XML files.

Criterion's files state every test; ctest's only the programs, so a program of ctest's counts when it left no Criterion
file (it crashed, or is no Criterion program). A failed step that no file explains counts as one failure.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") in ("FAILED", "ERRORED", "fail"):
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("SKIPPED", "notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def main():
    failed_steps = int(sys.argv[1])
    totals = [0, 0, 0]
    for folder in map(pathlib.Path, sys.argv[2:]):
        for path in sorted(folder.glob("*.xml")):
            if path.name.startswith("ctest-"):
                continue
            try:
                counts = count(path)
            except ElementTree.ParseError:  # whoever wrote it did not come to the end
                counts = (0, 1, 0)
            totals = [total + part for total, part in zip(totals, counts)]
    passed, failed, skipped = totals
    failed = max(failed, failed_steps)
    if passed == 0:
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


main()
