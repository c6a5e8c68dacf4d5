"""Writes the references of settings and metrics from what the services print about themselves, or checks the documents:
`reference.py [--check]`, in the folder of the repository, with the services in build/dev.
"""
import pathlib
import re
import subprocess
import sys

SERVICES = ["edge-gateway", "tracking-throttle", "presence", "chat-store", "notifier", "backoffice"]
CONFIGURATION, METRICS = pathlib.Path("docs/configuration.md"), pathlib.Path("docs/metrics.md")
NOTE = "Made by `script/docs` from the tables of the services; a change belongs there.\n"

CONFIGURATION_HEAD = f"""# Settings

{NOTE}
A setting comes from, the last one wins: its default, a file of lines `name = value` (`--config FILE`), the environment
(`HANSOM_NAME`), the command line (`--name=value`). A secret can also be given as `NAME_file`, the path of a file that
holds it. `--print-config` prints what is in force, `--check-config` says whether it is usable.
"""

METRICS_HEAD = f"""# Metrics

{NOTE}
Each service exposes its own at `/metrics` on its admin port (`admin_address`, `admin_port`), and with them
`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`, `process_threads`,
`process_start_time_seconds` and `hansom_build_info`.
"""


def table(service, option):
    """Head lines and rows of what a service prints."""
    lines = subprocess.run([f"build/dev/services/{service}/{service}", option], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return lines[:2], lines[2:]


def section(title, head, rows):
    return "\n".join([f"\n## {title}\n", *head, *rows]) + "\n"


def configuration():
    tables = {service: table(service, "--print-config-markdown") for service in SERVICES}
    head, rows = tables[SERVICES[0]]
    common = [row for row in rows if all(row in other for _, other in tables.values())]
    text = CONFIGURATION_HEAD + section("Every service", head, common)
    for service, (head, rows) in tables.items():
        text += section(service, head, [row for row in rows if row not in common])
    return text


def metrics():
    return METRICS_HEAD + "".join(section(service, *table(service, "--print-metrics-markdown")) for service in SERVICES)


def documents():
    names = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout.split()
    return [pathlib.Path(name) for name in names]


def unknown_metrics(path, text, known):
    """Names that begin like a service's metrics (hansom_chat_...) and are none; a name cut by a star stands for all."""
    families = {"_".join(name.split("_")[:2]) + "_" for name in known}
    for name, star in re.findall(r"`(hansom_[a-z0-9_]+)(\*?)", text):
        if not any(name.startswith(family) for family in families):
            continue
        plain = re.sub(r"_(bucket|sum|count)$", "", name)
        if name not in known and plain not in known and not (star and any(m.startswith(name) for m in known)):
            yield f"{path}: there is no metric {name}"


def without_code(text):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """What a heading can be linked by; the second of the same words has -1 behind it."""
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
             for heading in re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)]
    return {name if names.index(name) == at else f"{name}-{names[:at].count(name)}" for at, name in enumerate(names)}


def broken_links(path, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "`", without_code(text))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists():
            yield f"{path}: {target} does not exist"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
            yield f"{path}: {target} has no such heading"


def check(wanted):
    problems = [f"{path} is out of date: script/docs writes it" for path, text in wanted.items()
                if not path.exists() or path.read_text() != text]
    known = set(re.findall(r"`(hansom_[a-z0-9_]+)`", wanted[METRICS]))
    for path in documents():
        text = path.read_text()
        problems += [*unknown_metrics(path, text, known), *broken_links(path, text)]
    print("\n".join(problems) or "the documents agree with the services")
    return 1 if problems else 0


def main():
    wanted = {CONFIGURATION: configuration(), METRICS: metrics()}
    if sys.argv[1:] == ["--check"]:
        sys.exit(check(wanted))
    for path, text in wanted.items():
        path.write_text(text)


main()
